"""The entries of the families, a file for each kind of data, with what several of them share."""

"""Layer 3, training: parts go in, a record comes out."""

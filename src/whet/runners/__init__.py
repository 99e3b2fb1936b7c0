"""Where trials run: one after the other, side by side, or on a cluster. job.py has what the three runners share."""

"""Layer 10, comparing: controlled experiments. `comparing/conduct.py` is where to begin."""

"""Layer 5, runners: where trials run, one after the other or side by side."""

"""Layer 5, search: which recipes are tried, and which of them goes on. Knows nothing of torch."""

"""whet sharpens neural networks."""

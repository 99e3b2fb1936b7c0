"""Formulas as compiled loops: one pass over memory forward, one backward, for CPU tensors that are large enough."""

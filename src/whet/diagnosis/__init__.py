"""Diagnosis: probes measure, rules judge. A rule is a pure function of plain numbers, tested without a model."""

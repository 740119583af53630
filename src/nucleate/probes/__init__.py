"""Probes: from a model at one Step to Readings."""

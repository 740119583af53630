"""Geometry probes: what shape the representations of a model have, layer by layer."""

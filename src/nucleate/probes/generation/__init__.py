"""Generation probes: what a model writes by itself, sampled with recorded settings and scored."""

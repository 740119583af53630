"""How often the detector is right, on generated curves whose truth is known, beside its peers."""

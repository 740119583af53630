"""The reference training loop: recipe in, run folder out."""

"""Studies: questions that one run cannot answer."""

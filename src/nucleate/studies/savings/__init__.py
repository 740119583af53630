"""Compute saved at equal quality: a study of paired runs, from tuning to figure and page."""

"""Figures for papers: one drawing of a run as SVG, PDF or PNG; light, and no page around it."""

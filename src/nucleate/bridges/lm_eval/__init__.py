"""lm-evaluation-harness: its tasks as item sets, item sets as its tasks, and its results."""

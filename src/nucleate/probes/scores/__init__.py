"""The two scores from 0 to 100, their reliability and their validity (docs/scores.md)."""

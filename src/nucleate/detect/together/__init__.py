"""What several metrics and runs say together: who leads, in what order, as one curve, in states."""

from nucleate.detect.together.look import look_together
from nucleate.detect.together.results import Mark, Part, Result, Together

__all__ = ["Mark", "Part", "Result", "Together", "look_together"]

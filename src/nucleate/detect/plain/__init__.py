"""Change points of general series, without the smooth learning trend that the detector assumes."""

from nucleate.detect.plain.points import ChangePoint, change_points

__all__ = ["ChangePoint", "change_points"]

"""Judge a stream while it grows: lasting steps, and the end of progress."""

from nucleate.detect.online.detector import ARL, SHORT_ARL, Alarm, OnlineDetector
from nucleate.detect.online.plateau import Plateau, PlateauDetector

__all__ = ["ARL", "SHORT_ARL", "Alarm", "OnlineDetector", "Plateau", "PlateauDetector"]

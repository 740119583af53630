"""The run folder: an append-only, checksummed log is the truth; everything else is derived.

Loads neither torch nor pandas nor scipy, so that views and commands start at once.
"""

from nucleate.store.heads import HeadHistory
from nucleate.store.history import Attempt
from nucleate.store.log import LogWriter
from nucleate.store.manifest import Manifest
from nucleate.store.reader import LogReader
from nucleate.store.record import Record
from nucleate.store.run import Run, Status
from nucleate.store.tolerant import TolerantWriter
from nucleate.store.writer import RunWriter

__all__ = [
    "Attempt",
    "HeadHistory",
    "LogReader",
    "LogWriter",
    "Manifest",
    "Record",
    "Run",
    "RunWriter",
    "Status",
    "TolerantWriter",
]

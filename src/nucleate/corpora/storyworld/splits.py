"""Which combinations of words training may use, and which are kept for each set of probes."""

from __future__ import annotations

import zlib
from enum import StrEnum


class Split(StrEnum):
    """Training, and the three disjoint probe sets.

    ``CONTROL`` may be seen by a controller, ``DEVELOPMENT`` by people while designing, ``SEALED``
    is opened once; it also has sentence frames of its own.
    """

    TRAIN = "train"
    CONTROL = "control"
    DEVELOPMENT = "development"
    SEALED = "sealed"


_BY_BUCKET = (Split.TRAIN,) * 7 + (Split.CONTROL, Split.DEVELOPMENT, Split.SEALED)


def split_of(*words: str) -> Split:
    """Return the split a combination of words belongs to, whatever the order of the words."""
    return _BY_BUCKET[zlib.crc32(" ".join(sorted(words)).encode()) % 10]

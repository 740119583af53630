"""The words of the project as frozen types, its errors, strict settings, random-state guard."""

from nucleate.core.book import CurveBook, Flag
from nucleate.core.errors import (
    CheckpointError,
    DataError,
    NucleateError,
    RecipeError,
    RunFolderError,
    UserError,
)
from nucleate.core.random_state import preserved_random_state
from nucleate.core.words import (
    LADDER,
    Assessment,
    Curve,
    Event,
    Evidence,
    Kind,
    LedgerEntry,
    Level,
    Mark,
    Phase,
    Reading,
    Step,
    Transition,
    Verdict,
    companion,
    measure_of,
)

__all__ = [
    "LADDER",
    "Assessment",
    "CheckpointError",
    "Curve",
    "CurveBook",
    "DataError",
    "Event",
    "Evidence",
    "Flag",
    "Kind",
    "LedgerEntry",
    "Level",
    "Mark",
    "NucleateError",
    "Phase",
    "Reading",
    "RecipeError",
    "RunFolderError",
    "Step",
    "Transition",
    "UserError",
    "Verdict",
    "companion",
    "measure_of",
    "preserved_random_state",
]

"""What every lever is: settings, and one way to change a run that is under way."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, TypeAlias

from nucleate.core import RecipeError
from nucleate.core.settings import Settings
from nucleate.corpora.blend import CORPUS
from nucleate.corpora.packing import Shards

if TYPE_CHECKING:
    from nucleate.train.training import Training

Setting: TypeAlias = bool | int | float | str
"""What a lever is pulled to."""


class Lever(Settings):
    """Something that changes training; it does nothing until it is pulled.

    A lever keeps no state of its own: what it changes lives in `Training`, and a resumed run pulls
    the same levers again, in the same order, before weights, optimisers, streams, clock and ledger
    are put back. Whatever a pull draws at random must therefore come from the recipe's seeds.

    Attributes:
        kind: What it is called in recipes.
    """

    kind: str

    @abstractmethod
    def expected(self, to: Setting) -> str:
        """Return what settings this lever takes, as words, when `to` is none of them; else ''."""

    @property
    def stream(self) -> str:
        """Name of the stream of rows that this lever gives a share to; '' where it has none."""
        return ""

    def refuse(self, training: Training, to: Setting) -> None:
        """Raise where `to` makes no sense here and now; not asked when a resumed run pulls again.

        Raises:
            RecipeError: It makes none.
        """
        return

    @abstractmethod
    def pull(self, training: Training, to: Setting) -> str:
        """Change the run; return in a few words what has been done."""


def own_name(lever: Lever, training: Training) -> str:
    """Return what a lever is called among what is at work: its kind, with its name if shared."""
    alike = {name: one for name, one in training.recipe.levers.items() if one.kind == lever.kind}
    name = next((name for name, one in alike.items() if one is lever), "")
    return f"{lever.kind} {name}" if name and len(alike) > 1 else lever.kind


def give_rows(lever: Lever, training: Training, shards: Shards, to: Setting) -> None:
    """Give a lever's stream a share of the rows.

    Raises:
        RecipeError: Other levers leave less than that.
    """
    share: float = taken(lever, to)
    training.stream.add(lever.stream, shards)
    shares = training.stream.shares
    left = shares[CORPUS] + shares[lever.stream]
    if share > left + 1e-9:
        raise refused(lever, "asks for rows that others have", to, f"at most {left:.4g}")
    training.stream.weigh({lever.stream: float(share)})


def share_expected(to: Setting) -> str:
    """Answer for levers that take a share of the rows."""
    fine = isinstance(to, (int, float)) and not isinstance(to, bool) and 0 <= to <= 1
    return "" if fine else "a share from 0 to 1"


def count_expected(to: Setting, what: str, least: int = 1) -> str:
    """Answer for levers that take a number of things, at least `least` of them."""
    fine = isinstance(to, int) and not isinstance(to, bool) and to >= least
    return "" if fine else f"a number of {what}, {least} or more"


def taken(lever: Lever, to: Setting) -> Any:
    """Return a setting that the lever takes.

    Raises:
        RecipeError: It does not take it.
    """
    if expected := lever.expected(to):
        raise refused(lever, "does not take this setting", to, expected)
    return to


def refused(lever: Lever, why: str, got: object, expected: str, fix: str = "") -> RecipeError:
    """Return the error of a lever that cannot be pulled to a setting, here and now."""
    return RecipeError(
        f"lever {lever.kind} {why}", where="pull", got=got, expected=expected, fix=fix
    )

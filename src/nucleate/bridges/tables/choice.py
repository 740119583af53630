"""Which column plays which part, where a user says so instead of leaving it to recognition."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ColumnChoice:
    """Columns named by the user; what stays empty is recognised by name and content.

    Attributes:
        step: Position along training (``--step``).
        metric: Columns that name what was measured, the measure last (``--metric-column``).
        value: Columns of measured numbers (``--value``).
        run: Columns that tell runs apart, beside those that are recognised (``--run``).
        stderr: Standard error of the value (``--stderr``).
        n: Number of items behind the value (``--n``).
        lr: Learning rate (``--lr``).
    """

    step: str = ""
    metric: tuple[str, ...] = ()
    value: tuple[str, ...] = ()
    run: tuple[str, ...] = ()
    stderr: str = ""
    n: str = ""
    lr: str = ""

    def named(self) -> dict[str, tuple[str, ...]]:
        """Return the columns that were named, by the option that names them."""
        wishes = {
            "--step": (self.step,),
            "--metric-column": self.metric,
            "--value": self.value,
            "--run": self.run,
            "--stderr": (self.stderr,),
            "--n": (self.n,),
            "--lr": (self.lr,),
        }
        return {option: names for option, names in wishes.items() if any(names)}

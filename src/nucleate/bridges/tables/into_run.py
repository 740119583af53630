"""Bring curves that another tool kept into run folders, one for each of its runs."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

from nucleate.core import CurveBook, Event, Reading, RunFolderError, Step, UserError
from nucleate.store import Manifest, RunWriter

MOST_TOKENS = 1e18
"""Tokens that no run has been trained on."""


def import_book(book: CurveBook, out: str | Path, *, tokens_per_step: float = 0.0) -> list[Path]:
    """Write the curves of a book as finished runs.

    Args:
        book: Curves by run, as `read_book` read them.
        out: The run folder to make; with several runs, a folder to make one in for each.
        tokens_per_step: Tokens of one unit of the book's axis, where it does not count tokens.

    Returns:
        The run folders.

    Raises:
        UserError: The book counts no tokens and nobody said how many a step has, its positions lie
            closer than whole tokens, or a folder is taken.

    Example:
        >>> import_book(read_book("curves.csv"), "runs/imported")       # doctest: +SKIP
    """
    out = Path(out)
    if book.axis != "tokens" and tokens_per_step <= 0:
        raise UserError(
            f"counts {book.axis}s, and a run counts tokens",
            where=book.source,
            fix=f"say how many tokens one {book.axis} has: --tokens-per-step N",
        )
    each = tokens_per_step if book.axis != "tokens" else 0.0
    last = max((float(curve.tokens.max()) for _, curve in book.curves()), default=0.0)
    if not math.isfinite(each) or each * last > MOST_TOKENS:
        raise UserError(
            "--tokens-per-step is no number of tokens",
            got=tokens_per_step,
            expected=f"up to {MOST_TOKENS:.0e} tokens in all",
        )
    folders = _folders(book, out)
    content = {run: _by_step(book, run, each) for run in folders}
    if len(folders) > 1 and out.exists() and (out.is_file() or any(out.iterdir())):
        raise RunFolderError("is not empty", where=out, fix="choose another folder")
    for run, folder in folders.items():
        _write(book, run, folder, each, *content[run])
    return list(folders.values())


def _folders(book: CurveBook, out: Path) -> dict[str, Path]:
    if len(book.runs) == 1:
        return dict.fromkeys(book.runs, out)
    found: dict[str, Path] = {}
    for number, run in enumerate(book.runs, 1):
        name = re.sub(r"[^\w.-]+", "-", run).strip("-.")[:80] or f"run{number}"
        if out / name in found.values():
            name = f"{name}-{number}"
        found[run] = out / name
    return found


def _write(
    book: CurveBook,
    run: str,
    folder: Path,
    tokens_each: float,
    taken: Sequence[tuple[Step, list[Reading]]],
    numbered: bool,
) -> None:
    about = {"source": Path(book.source).name, "run": run, "axis": book.axis}
    if tokens_each:
        about["tokens_per_step"] = f"{tokens_each:g}"
    manifest = Manifest(run or Path(book.source).stem, {"imported": about})
    with RunWriter.create(folder, manifest) as writer:
        notes = list(book.notes)
        if numbered:
            notes.append("The source tells no optimiser steps: positions are numbered instead.")
        for note in notes:
            writer.event(Event(Step(0, 0), "note", note))
        last = Step(0, 0)
        for last, readings in taken:
            writer.readings(last, readings)
        writer.finish("finished", last)


def _by_step(
    book: CurveBook, run: str, tokens_each: float
) -> tuple[list[tuple[Step, list[Reading]]], bool]:
    """Return what was measured at each Step, in order, and whether steps had to be numbered."""
    placed: dict[tuple[int, int, float], dict[str, Reading]] = {}
    for name, curve in book.runs[run].items():
        positions = curve.tokens.tolist()
        for i, (position, step) in enumerate(zip(positions, curve.steps, strict=True)):
            tokens = round(position * tokens_each) if tokens_each else round(position)
            count = curve.counts[i] if curve.counts else 0
            reading = Reading(
                metric=name,
                value=curve.values[i],
                se=curve.se[i],
                n=count,
                chance=curve.chance,
                unit=curve.unit,
                level=curve.level,
            )
            there = placed.setdefault((tokens, step.step, step.lr), {})
            if name in there:
                raise _too_fine(book, position, tokens_each)
            there[name] = reading
    ordered = sorted(placed)
    counted = [step for _, step, _ in ordered]
    numbered = len(set(counted)) < len(counted) or counted != sorted(counted)
    out = []
    for number, key in enumerate(ordered, 1):
        tokens, done, lr = key
        readings = list(placed[key].values())
        out.append((Step(number if numbered else done, tokens, lr=lr), readings))
    return out, numbered


def _too_fine(book: CurveBook, position: float, tokens_each: float) -> UserError:
    return UserError(
        f"several {book.axis}s fall on one token, and readings would be lost",
        where=book.source,
        got=position,
        expected="positions that are whole tokens apart",
        fix="give a larger --tokens-per-step" if tokens_each else "count in single tokens",
    )

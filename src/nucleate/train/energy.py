"""Energy and carbon of a run through codecarbon: measured where a meter was read, else modelled.

codecarbon reads RAPL, NVML and their like where the machine lets it. Where it does not, it
multiplies a design power by the load: that is a model, and is called one here. Memory is always
modelled, and so is carbon: energy times an intensity of the grid that somebody assumed. Everything
is of the whole machine, not of one process, and without the overhead of a building.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from types import TracebackType
from typing import Any

from nucleate.core import Event, LedgerEntry, Mark, RecipeError, Step, preserved_random_state
from nucleate.store import Run, RunWriter, TolerantWriter

EVENT = "energy"
"""Kind of the event that says how the energy was obtained."""
PARTS = {"cpu": "energy, processors", "gpu": "energy, accelerators", "ram": "energy, memory"}
CARBON = "carbon"

_METERS = {
    "intel_rapl": "RAPL",
    "windows_emi": "the energy meter of Windows",
    "intel_power_gadget": "Intel Power Gadget",
}
"""How codecarbon calls the ways of reading a meter of the processor; all others are models."""


def refuse_missing_codecarbon(wanted: bool) -> None:
    """Refuse to promise energy where nothing can tell it.

    Raises:
        RecipeError: It is asked for and codecarbon is not installed.
    """
    if wanted and find_spec("codecarbon") is None:
        raise RecipeError(
            "energy needs the package codecarbon",
            where="energy",
            fix="pip install 'nucleate[energy]', or leave energy out",
        )


@dataclass(frozen=True, slots=True)
class Source:
    """Where the energy of a part comes from."""

    mark: Mark
    words: str


class EnergyMeter:
    """Watches the energy of this machine while a block runs; random states stay as they were.

    Files, network and codecarbon's own log are off; the country (``CODECARBON_COUNTRY_ISO_CODE``
    or ``.codecarbon.config``) is codecarbon's to know, else the world's average grid counts.

    Example:
        >>> with EnergyMeter() as meter:                        # doctest: +SKIP
        ...     train()
        >>> meter.entries()                                     # doctest: +SKIP
    """

    def __init__(self) -> None:
        self._entries: list[LedgerEntry] = []
        self.note = "codecarbon reported nothing"

    def __enter__(self) -> EnergyMeter:
        with preserved_random_state():
            from codecarbon import OfflineEmissionsTracker

            logging.getLogger("codecarbon").setLevel(logging.CRITICAL)  # it talks before it listens

            self._tracker = OfflineEmissionsTracker(
                save_to_file=False,
                save_to_api=False,
                save_to_logger=False,
                save_to_prometheus=False,
                save_to_logfire=False,
                electricitymaps_api_token=None,
                allow_multiple_runs=True,
                log_level="critical",
            )
            self._tracker.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with preserved_random_state():
            self._tracker.stop()
        data = getattr(self._tracker, "final_emissions_data", None)
        if data is not None:
            self._read(data, _sources(self._tracker))

    def entries(self) -> list[LedgerEntry]:
        """Return kWh by part and kg CO2e, each with the seconds that were watched.

        Empty until the block has ended.
        """
        return list(self._entries)

    def _read(self, data: Any, sources: dict[str, Source]) -> None:
        words = []
        watched = float(data.duration)
        for key, part in PARTS.items():
            kwh = float(getattr(data, f"{key}_energy", 0.0) or 0.0)
            source = sources.get(key)
            if source and kwh > 0:  # a meter that stands still was not readable
                self._entries.append(LedgerEntry(part, 0.0, watched, source.mark, kwh=kwh))
                words.append(f"{part.removeprefix('energy, ')} {source.mark} {source.words}")
        energy = sum(entry.kwh for entry in self._entries)
        if energy > 0:
            carbon = float(data.emissions)
            self._entries.append(LedgerEntry(CARBON, 0.0, watched, kg_co2e=carbon))
            place = getattr(data, "country_name", None) or "world average"
            words.append(f"carbon modelled at {carbon / energy:.3g} kg/kWh ({place}, assumed)")
        self.note = "; ".join(words) or self.note


@contextmanager
def metered(writer: RunWriter | TolerantWriter, wanted: bool) -> Iterator[None]:
    """Add the energy of a block to the ledger of a run, beside what earlier attempts used.

    An attempt that was killed leaves no figure: the seconds of the entries say how long the
    energy was watched, of all the time that the run took.

    Args:
        writer: The run folder; the block writes everything else of its ledger.
        wanted: False does nothing at all.
    """
    if not wanted:
        yield
        return
    run = Run.open(writer.path)
    before = [entry for entry in run.ledger() if entry.is_energy]
    meter = EnergyMeter()
    try:
        with meter:
            yield
    finally:
        rest = [entry for entry in run.ledger() if not entry.is_energy]
        writer.ledger(rest + added(before, meter.entries()))
        writer.event(Event(run.last or Step(0, 0), EVENT, meter.note))
        writer.sync()


def added(before: Sequence[LedgerEntry], now: Sequence[LedgerEntry]) -> list[LedgerEntry]:
    """Add up entries part by part; a sum is measured only if all of it was."""
    out = {entry.part: entry for entry in before}
    for entry in now:
        old = out.get(entry.part)
        if old is None:
            out[entry.part] = entry
            continue
        mark = entry.mark if old.mark is entry.mark else Mark.MODELLED
        out[entry.part] = replace(
            entry,
            mark=mark,
            seconds=old.seconds + entry.seconds,
            kwh=old.kwh + entry.kwh,
            kg_co2e=old.kg_co2e + entry.kg_co2e,
        )
    return list(out.values())


def _sources(tracker: Any) -> dict[str, Source]:
    """Say where each part comes from; what is not known to be a meter counts as a model."""
    modelled = Source(Mark.MODELLED, "from design power and load")
    sources = {"cpu": modelled, "gpu": modelled, "ram": Source(Mark.MODELLED, "from its size")}
    for hardware in getattr(tracker, "_hardware", ()):
        kind = type(hardware).__name__
        meter = _METERS.get(getattr(hardware, "_mode", "")) if kind == "CPU" else None
        if meter:
            sources["cpu"] = Source(Mark.MEASURED, f"by {meter}")
        if kind == "GPU":
            sources["gpu"] = Source(Mark.MEASURED, "by their own meters")
    return sources

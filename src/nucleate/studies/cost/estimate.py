"""From FLOPs to device hours, wall-clock, energy, carbon and money: four lines of arithmetic."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from nucleate.core import Mark
from nucleate.studies.cost import claim
from nucleate.studies.cost import saving as savings
from nucleate.studies.cost.assumptions import Assumptions, figures
from nucleate.studies.cost.figures import Figure
from nucleate.studies.cost.hardware import Accelerator
from nucleate.studies.cost.saving import Saving
from nucleate.studies.cost.work import SIX_N_D, Work

SCHEMA = "nucleate.cost/1"
SECONDS_PER_HOUR = 3600.0

LEFT_OUT = (
    "failed and restarted work, tuning runs, data preparation, evaluation and storage",
    "embodied carbon: making the devices and the building",
    "idle time: every device is taken to be busy until the end",
)
"""What the figures do not hold; printed beneath them."""

REFERENCES = (
    "6ND: Kaplan et al. 2020, arXiv:2001.08361, section 2.1; Hoffmann et al. 2022, "
    "arXiv:2203.15556, appendix F",
    "MFU and the count by part: Chowdhery et al. 2022, arXiv:2204.02311, section 4.1, appendix B",
    "energy = device hours × design power × PUE, carbon = energy × intensity of the grid: "
    "Touvron et al. 2023, arXiv:2302.13971, section 6; Patterson et al. 2021, arXiv:2104.10350",
    "a check: 184 320 A100 hours at 400 W, PUE 1.1 and .385 kg/kWh are the 31.22 t CO2e that "
    "Llama 2 7B is published with (Touvron et al. 2023, arXiv:2307.09288, table 2)",
)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A scenario: what was assumed, and what follows.

    Attributes:
        work: What is to be computed.
        inputs: All assumptions.
        outputs: What follows from them.
        saving: A saving to try on, None for none.
    """

    work: Work
    inputs: tuple[Figure, ...]
    outputs: tuple[Figure, ...]
    saving: Saving | None = None

    def data(self) -> dict[str, Any]:
        """Return everything that a view shows, as JSON types."""
        return {
            "schema": SCHEMA,
            "title": self.work.title,
            "inputs": [figure.data() for figure in self.inputs],
            "outputs": [figure.data() for figure in self.outputs],
            "parts": dict(self.work.parts),
            "saving": savings.data(self.saving, self.outputs) if self.saving else None,
            "notes": list(self.work.notes),
            "left_out": list(LEFT_OUT),
            "claim": claim.data(),
            "references": list(REFERENCES),
        }


def estimate(
    work: Work, device: Accelerator, assumed: Assumptions, saving: Saving | None = None
) -> Estimate:
    """Price some work on some machine.

    Args:
        work: What is to be computed.
        device: On what.
        assumed: Under which assumptions.
        saving: A saving to try on, with its interval.

    Example:
        >>> from nucleate.studies.cost.assumptions import assume
        >>> from nucleate.studies.cost.hardware import accelerator
        >>> from nucleate.studies.cost.work import from_parameters
        >>> made = estimate(from_parameters(7e9, 1.4e11), accelerator("a100"), assume(mfu=0.5))
        >>> round(made.outputs[0].value / 1e21, 2)
        5.88
    """
    hours = work.flops / (device.peak * assumed.mfu) / SECONDS_PER_HOUR
    watts = device.watts * assumed.load + assumed.host_watts
    energy = hours * watts / 1000 * assumed.pue
    rows = [
        ("flops", "FLOPs", work.flops, "FLOP", work.how),
        ("device_hours", "device hours", hours, "h", "FLOPs / (peak · MFU) / 3600"),
        ("wall_hours", "wall-clock", hours / assumed.devices, "h", "device hours / devices"),
        ("energy", "energy", energy, "kWh", "device hours · (power · share + host) / 1000 · PUE"),
        ("carbon", "carbon", energy * assumed.grid, "kg CO2e", "energy · carbon of the grid"),
    ]
    if assumed.price is not None:
        rows.append(
            ("money", "money", hours * assumed.price, assumed.currency, "device hours · price")
        )
    if work.parts and math.isfinite(work.six_nd):
        rows.insert(1, ("six_nd", "6ND beside it", work.six_nd, "FLOP", SIX_N_D))
    outputs = tuple(Figure(*row[:4], Mark.MODELLED, row[4]) for row in rows)
    return Estimate(work, (*work.inputs, *figures(assumed, device)), outputs, saving)

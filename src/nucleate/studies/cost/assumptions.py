"""Everything that is assumed about machine, power, price and grid; each with its source."""

from __future__ import annotations

from pydantic import Field

from nucleate.core import Mark, UserError
from nucleate.core.errors import Words
from nucleate.core.settings import Settings, validate
from nucleate.studies.cost.figures import Figure
from nucleate.studies.cost.hardware import AS_OF, Accelerator, accelerator

_MFU = "default; Llama 2 7B reached .39 (6ND over its GPU hours), PaLM .46 (2204.02311)"
_PUE = "default; LLaMA's accounting (2302.13971); the mean of large sites was 1.56 (Uptime 2024)"
_GRID = "default; world average of 2018 (IEA 2019); a single grid lies between .02 and .9"
_LOAD = "default; the full design power, an upper bound for the accelerator"
_HOST = "default; processors, memory and network left out, as LLaMA's accounting does"


class Assumptions(Settings):
    """The inputs that do not follow from the model.

    Attributes:
        mfu: Share of the peak that useful FLOPs reach (model FLOPs utilisation).
        devices: Devices at work at the same time.
        price: Money for one device hour; None leaves money out.
        currency: What `price` is in.
        pue: Energy of the site for each unit of energy of its computers.
        grid: kg CO2e for one kWh.
        load: Mean power of a device as a share of its design power.
        host_watts: Power of the rest of the machine, per device.
    """

    mfu: float = Field(default=0.4, gt=0, le=1)
    devices: int = Field(default=1, ge=1)
    price: float | None = Field(default=None, ge=0)
    currency: str = Field(default="USD", min_length=1, max_length=8)
    pue: float = Field(default=1.1, ge=1, le=5)
    grid: float = Field(default=0.475, ge=0, le=5)
    load: float = Field(default=1.0, gt=0, le=1.5)
    host_watts: float = Field(default=0.0, ge=0)


OPTIONS = {name: f"--{name.replace('_', '-')}" for name in Assumptions.model_fields}
"""What the command line calls each."""


def assume(**given: object) -> Assumptions:
    """Check what was given; None stands for the default.

    Raises:
        RecipeError: A number cannot be, such as an MFU of 40.
    """
    known = {key: value for key, value in given.items() if value is not None}
    return validate(Assumptions, known, options=OPTIONS)


def choose_device(name: str, peak: float | None, watts: float | None) -> Accelerator:
    """Return the accelerator of that name, or one of one's own.

    Args:
        name: A name of the table.
        peak: Own peak, in TFLOP/s.
        watts: Own design power.

    Raises:
        UserError: Unknown name, or only one of the two numbers.
    """
    if peak is None and watts is None:
        return accelerator(name)
    if peak is None or watts is None or not (peak > 0 and watts > 0):
        named = (("--peak", peak), ("--watts", watts))
        given = " and ".join(f"{name} {value:g}" for name, value in named if value is not None)
        raise UserError(
            "--peak and --watts go together, both positive", got=Words(given), fix="give both"
        )
    return Accelerator("own", "a device of one's own", peak * 1e12, watts, "given")


def figures(chosen: Assumptions, device: Accelerator) -> tuple[Figure, ...]:
    """Return every assumption as a figure with its source."""
    sheet = device.source if device.source == "given" else f"{device.source}; as of {AS_OF}"
    return tuple(
        Figure(key, name, value, unit, Mark.ASSUMED, why)
        for key, name, value, unit, why in (
            ("peak", f"peak, {device.title}", device.peak, "FLOP/s", sheet),
            ("watts", f"design power, {device.title}", device.watts, "W", sheet),
            ("mfu", "share of the peak, MFU", chosen.mfu, "", _why(chosen, "mfu", _MFU)),
            ("devices", "devices", chosen.devices, "", _why(chosen, "devices", "default")),
            ("load", "power as a share", chosen.load, "", _why(chosen, "load", _LOAD)),
            (
                "host_watts",
                "power of the host",
                chosen.host_watts,
                "W per device",
                _why(chosen, "host_watts", _HOST),
            ),
            ("pue", "overhead of the site, PUE", chosen.pue, "", _why(chosen, "pue", _PUE)),
            ("grid", "carbon of the grid", chosen.grid, "kg/kWh", _why(chosen, "grid", _GRID)),
            *(
                [("price", "price of a device hour", chosen.price, f"{chosen.currency}/h", "given")]
                if chosen.price is not None
                else []
            ),
        )
    )


def _why(chosen: Assumptions, key: str, default: str) -> str:
    return "given" if key in chosen.model_fields_set else default

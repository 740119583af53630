"""Accelerators: dense 16-bit peak and thermal design power, as their makers publish them."""

from __future__ import annotations

from dataclasses import dataclass

from nucleate.core import UserError

AS_OF = "2026-11"
"""When these numbers were last compared with what is published."""


@dataclass(frozen=True, slots=True)
class Accelerator:
    """One kind of device.

    Attributes:
        name: What the command line calls it.
        title: What its maker calls it.
        peak: Dense BF16 (V100: FP16) matrix FLOP/s; sparsity would double what some sheets print.
        watts: Thermal design power.
        source: Where both numbers stand.
    """

    name: str
    title: str
    peak: float
    watts: float
    source: str


_TABLE = (
    Accelerator("v100", "NVIDIA V100 SXM2", 125e12, 300, "NVIDIA V100 data sheet, 2020"),
    Accelerator("a100", "NVIDIA A100 SXM 80 GB", 312e12, 400, "NVIDIA A100 data sheet, 2021"),
    Accelerator("h100", "NVIDIA H100 SXM", 989.4e12, 700, "NVIDIA H100 architecture paper, 2022"),
    Accelerator("h100-pcie", "NVIDIA H100 PCIe", 756e12, 350, "NVIDIA H100 data sheet, 2022"),
    Accelerator("h200", "NVIDIA H200 SXM", 989.4e12, 700, "NVIDIA H200 data sheet, 2024"),
    Accelerator("b200", "NVIDIA B200 (HGX)", 2250e12, 1000, "NVIDIA Blackwell data sheet, 2024"),
    Accelerator("l40s", "NVIDIA L40S", 362e12, 350, "NVIDIA L40S data sheet, 2023"),
    Accelerator("mi250x", "AMD Instinct MI250X", 383e12, 560, "AMD MI250X data sheet, 2021"),
    Accelerator("mi300x", "AMD Instinct MI300X", 1307.4e12, 750, "AMD MI300X data sheet, 2023"),
    Accelerator(
        "tpu-v4",
        "Google TPU v4",
        275e12,
        192,
        "Jouppi et al. 2023, arXiv:2304.01433 (largest measured power of a chip, no TDP)",
    ),
)

ACCELERATORS = {accelerator.name: accelerator for accelerator in _TABLE}


def accelerator(name: str) -> Accelerator:
    """Return an accelerator by name.

    Raises:
        UserError: It is not in the table.
    """
    if name not in ACCELERATORS:
        raise UserError(
            "this accelerator is not in the table",
            where="--hardware",
            got=name,
            expected=", ".join(ACCELERATORS),
            fix="or give your own --peak (TFLOP/s) and --watts",
        )
    return ACCELERATORS[name]

"""What a result may depend on beside the recipe: versions, platform, threads, device."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import Any

import torch

PACKAGES = ("torch", "transformers", "tokenizers", "numpy", "scipy")


def environment(device: torch.device | str = "cpu") -> dict[str, Any]:
    """Return versions, platform, number of threads and the device that is used, as JSON types."""
    kind = torch.device(device).type
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name() if kind == "cuda" else kind,
        **{name: version(name) for name in PACKAGES},
    }

"""What needs a CUDA device: nothing else has its kernels, generators and allocator.

Without one every test here is skipped, for that reason; ``pytest tests/gpu`` runs them where there
is one, and docs/results.md says when that was and what it gave.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip everything here where torch finds no CUDA device."""
    if torch.cuda.is_available():
        return
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="torch finds no CUDA device"))

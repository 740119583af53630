"""Save every global random state, and put it back whatever happens in between."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


@contextmanager
def preserved_random_state() -> Iterator[None]:
    """Run a block and leave the global generators of python, numpy and torch as they were.

    Torch is touched only where it is already loaded, its CUDA generators only where CUDA is
    initialised; a guard must not wake a device.
    """
    python_state = random.getstate()
    numpy_state = np.random.get_state()  # noqa: NPY002 (other people's global state)
    torch = sys.modules.get("torch")
    torch_state = torch.get_rng_state() if torch else None
    on_cuda = bool(torch and torch.cuda.is_available() and torch.cuda.is_initialized())
    cuda_state = torch.cuda.get_rng_state_all() if torch and on_cuda else None
    try:
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002
        if torch and torch_state is not None:
            torch.set_rng_state(torch_state)
        if torch and cuda_state is not None:
            torch.cuda.set_rng_state_all(cuda_state)

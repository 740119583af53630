"""Look at a model in the middle of training and leave no trace."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from nucleate.models.evaluation import evaluating
from nucleate.observe.processes import bare


@contextmanager
def undisturbed(model: Any) -> Iterator[Any]:
    """Lend the bare model in evaluation mode, without gradients and outside autocast.

    Afterwards every module is in the mode it was in, and every random generator in the state it
    was in. Weights, gradients, buffers and optimiser state are never written: a forward pass
    without gradients in evaluation mode has nowhere to write to. Layers that were compiled run
    uncompiled: shapes that training never sees would change what it is compiled to later.
    """
    with evaluating(bare(model)) as inner, _uncompiled():
        yield inner


def _uncompiled() -> Any:
    """Return a context without `torch.compile`; the compiler is not loaded for it."""
    if "torch._dynamo" not in sys.modules:
        return nullcontext()
    import torch

    return torch.compiler.set_stance("force_eager")

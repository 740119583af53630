"""Look at a model in the middle of training and leave no trace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from nucleate.core import UserError
from nucleate.models.evaluation import evaluating


def bare(model: Any) -> Any:
    """Return the model inside wrappers of `torch.compile` and DistributedDataParallel."""
    while True:
        if hasattr(model, "_orig_mod"):
            model = model._orig_mod
        elif type(model).__name__ in ("DistributedDataParallel", "DataParallel"):
            model = model.module
        else:
            return model


def refuse_sharded(model: Any) -> None:
    """Refuse models whose weights are spread over processes: one process alone would wait forever.

    Raises:
        UserError: FSDP, ZeRO-3 or another sharding by DTensor.
    """
    inner = bare(model)
    wrapped = any("FullyShardedDataParallel" in type(m).__name__ for m in inner.modules())
    sharded = any(type(p).__name__ == "DTensor" or hasattr(p, "ds_id") for p in inner.parameters())
    if wrapped or sharded:
        raise UserError(
            "weights are sharded over processes",
            got=type(inner).__name__,
            expected="a whole model in this process",
            fix="observe its checkpoints instead",
        )


@contextmanager
def undisturbed(model: Any) -> Iterator[Any]:
    """Lend the bare model in evaluation mode, without gradients and outside autocast.

    Afterwards every module is in the mode it was in, and every random generator in the state it
    was in. Weights, gradients, buffers and optimiser state are never written: a forward pass
    without gradients in evaluation mode has nowhere to write to.
    """
    with evaluating(bare(model)) as inner:
        yield inner

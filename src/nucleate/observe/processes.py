"""Where several processes train one model: which of them looks, and which models are refused."""

from __future__ import annotations

import os
from typing import Any

from nucleate.core import UserError

WRAPPERS = ("DistributedDataParallel", "DataParallel")
"""Classes around a model that is whole in every process."""


def bare(model: Any) -> Any:
    """Return the model inside wrappers of `torch.compile` and DistributedDataParallel."""
    return _layers(model)[-1]


def is_first(model: Any) -> bool:
    """Tell whether this process is the first of those that train a model: the one that looks.

    It is rank 0 of the process group of DistributedDataParallel where `model` is wrapped in it,
    rank 0 of all processes else. Processes that `torchrun` has started belong together before
    they have formed a group, too.
    """
    import torch.distributed as dist

    if not dist.is_available():
        return True
    if not dist.is_initialized():
        return not dist.is_torchelastic_launched() or os.environ.get("RANK", "0") == "0"
    groups = [getattr(layer, "process_group", None) for layer in _layers(model)[:-1]]
    return dist.get_rank(next((group for group in groups if group), None)) == 0


def refuse_unless_whole(model: Any) -> None:
    """Refuse models that one process alone cannot compute: it would wait for the others forever.

    Raises:
        UserError: FSDP, ZeRO-3, tensor parallelism or another sharding by DTensor; a part of the
            model is wrapped by itself.
    """
    inner = bare(model)
    sharded = any(_is_shard(parameter) for parameter in inner.parameters())
    parallel = (getattr(inner, "tp_size", None) or 1) > 1
    if sharded or parallel or _kinds(inner) & {"FullyShardedDataParallel", "FSDPModule"}:
        raise UserError(
            "weights are sharded over processes",
            got=type(inner).__name__,
            expected="a whole model in this process",
            fix="observe its checkpoints instead",
        )
    if _kinds(inner) & {"DistributedDataParallel", "DDP"}:
        raise UserError(
            "a part of the model talks to other processes",
            got=type(inner).__name__,
            expected="no such part",
            fix="wrap the whole model in torch.nn.parallel.DistributedDataParallel",
        )


def _layers(model: Any) -> list[Any]:
    """Return a model with all its wrappers, the outermost first, the bare one last."""
    layers = [model]
    while True:
        if hasattr(layers[-1], "_orig_mod"):
            layers.append(layers[-1]._orig_mod)
        elif any(base.__name__ in WRAPPERS for base in type(layers[-1]).__mro__):
            layers.append(layers[-1].module)
        else:
            return layers


def _is_shard(parameter: Any) -> bool:
    """Tell whether FSDP, ZeRO-3 or DTensor has left only a part of a parameter in this process."""
    marked = hasattr(parameter, "ds_id") or getattr(parameter, "_fsdp_flattened", False)
    return marked or type(parameter).__name__ == "DTensor"


def _kinds(model: Any) -> set[str]:
    """Return the names of all classes that modules of a model are of."""
    types = {type(module) for module in model.modules()}
    return {base.__name__ for kind in types for base in kind.__mro__}

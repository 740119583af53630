"""Optimiser and other training state as tensors plus JSON: nothing is ever pickled.

`pack` takes a nest of dicts, lists, tuples, tensors, numbers, text, booleans and None apart into
named tensors (for safetensors) and a tree of JSON types; `unpack` puts it together again, bit by
bit. Python floats survive because JSON writes the shortest text that reads back as the same float.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from nucleate.core import CheckpointError

Packed = tuple[dict[str, Tensor], Any]
_TENSOR, _TUPLE, _DICT, _FLOAT = "$tensor", "$tuple", "$dict", "$float"


def pack(state: Any) -> Packed:
    """Take a state apart.

    Args:
        state: A nest of dicts, lists, tuples, tensors, numbers, text, booleans and None.

    Returns:
        Tensors by name (copies on the CPU: a snapshot), and the rest as JSON types.

    Raises:
        TypeError: The state holds anything else.
    """
    tensors: dict[str, Tensor] = {}
    return tensors, _pack(state, "", tensors)


def unpack(tensors: Mapping[str, Tensor], tree: Any) -> Any:
    """Put a packed state together again, with its tuples, keys and dtypes.

    Raises:
        CheckpointError: A tensor is missing, or the tree is not one that `pack` made.
    """
    try:
        return _unpack(tensors, tree)
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError("packed state does not fit together", got=str(error)) from None


def pack_optimizers(optimizers: Mapping[str, Optimizer]) -> Packed:
    """Take the state of several named optimisers apart."""
    return pack({name: optimizer.state_dict() for name, optimizer in optimizers.items()})


def load_optimizers(
    optimizers: Mapping[str, Optimizer], tensors: Mapping[str, Tensor], tree: Any
) -> None:
    """Load packed state into optimisers of the same names and parameter groups.

    Raises:
        CheckpointError: Names, kinds or parameter groups differ from what was packed.
    """
    states = unpack(tensors, tree)
    if not isinstance(states, dict) or states.keys() != optimizers.keys():
        raise CheckpointError(
            "checkpoint holds other optimisers",
            got=", ".join(map(str, states)) if isinstance(states, dict) else states,
            expected=", ".join(optimizers),
        )
    for name, optimizer in optimizers.items():
        _refuse_other_settings(name, optimizer, states[name])
        try:
            optimizer.load_state_dict(states[name])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise CheckpointError(f"state of optimiser {name!r} does not fit: {error}") from None


def _refuse_other_settings(name: str, optimizer: Optimizer, state: Any) -> None:
    """Refuse the state of another kind of optimiser, which torch would take without a word."""
    groups = state.get("param_groups", []) if isinstance(state, dict) else []
    known = {"params"} | optimizer.defaults.keys()
    for group in groups:
        missing = known - group.keys()
        if missing:
            raise CheckpointError(
                f"state of optimiser {name!r} is of another kind",
                got=f"no {min(missing)}",
                expected=type(optimizer).__name__,
            )


def _pack(value: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, Tensor):
        return {_TENSOR: _keep(value, path or "state", tensors)}
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {_FLOAT: repr(float(value))}
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (list, tuple)):
        items = [_pack(item, _join(path, index), tensors) for index, item in enumerate(value)]
        return items if isinstance(value, list) else {_TUPLE: items}
    if isinstance(value, Mapping):
        packed = [[key, _pack(item, _join(path, key), tensors)] for key, item in value.items()]
        if all(isinstance(key, str) and not key.startswith("$") for key in value):
            return dict(packed)
        return {_DICT: [[_pack(key, path, tensors), item] for key, item in packed]}
    raise TypeError(f"cannot pack {type(value).__name__} at {path or 'the top'}")


def _keep(tensor: Tensor, path: str, tensors: dict[str, Tensor]) -> str:
    name, again = path, 1
    while name in tensors:  # keys may contain the dots that join them
        name, again = f"{path}~{again}", again + 1
    tensors[name] = tensor.detach().to("cpu", copy=True).contiguous()
    return name


def _join(path: str, key: object) -> str:
    return f"{path}.{key}" if path else str(key)


def _unpack(tensors: Mapping[str, Tensor], tree: Any) -> Any:
    if isinstance(tree, list):
        return [_unpack(tensors, item) for item in tree]
    if not isinstance(tree, dict):
        return tree
    match tree:
        case {"$tensor": name}:
            return tensors[name]
        case {"$tuple": items}:
            return tuple(_unpack(tensors, item) for item in items)
        case {"$dict": pairs}:
            return {_unpack(tensors, key): _unpack(tensors, item) for key, item in pairs}
        case {"$float": text}:
            return float(text)
    return {key: _unpack(tensors, item) for key, item in tree.items()}

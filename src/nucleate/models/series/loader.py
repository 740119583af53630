"""One module for a whole series: each checkpoint is copied into it, tensor by tensor."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from nucleate.core import CheckpointError, preserved_random_state
from nucleate.models.loading import load_model
from nucleate.models.quiet import quiet_transformers
from nucleate.models.series.weights import StoredTensor, Weights

_LEFT_OVER = re.compile(
    r"\.(attention\.(bias|masked_bias)|rotary_emb\.inv_freq|attn\.(masked_)?bias)$"
)
"""Constants that older versions of `transformers` saved with the weights."""


class SeriesModel:
    """A model whose weights change in place from checkpoint to checkpoint.

    The module is built from the first checkpoint's config without drawing weights. Architectures
    whose stored tensors `transformers` computes with on loading (it joins the experts of mixtral,
    say) have to take the way through `from_pretrained`, which builds a module for each checkpoint;
    `streams` tells.

    Args:
        first: Any checkpoint of the series.
        device: Where to compute.
        dtype: Of the weights in memory.
    """

    def __init__(
        self, first: Weights, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
    ) -> None:
        self._device, self._dtype = torch.device(device), dtype
        self.model = build_empty(first.config, first.where).to(dtype).to(self._device).eval()
        self.streams = first.files[0].suffix != ".safetensors" or (
            not _computes(self.model) and not _misfits(*self._matched(first))
        )

    def load(self, weights: Weights) -> Any:
        """Copy a checkpoint into the module and return it.

        Raises:
            CheckpointError: Its tensors do not fit the module, or its files end early.
        """
        if not self.streams:
            return self._load_anew(weights)
        stored, targets = self._matched(weights)
        if problem := _misfits(stored, targets):
            raise CheckpointError(
                f"weights do not fit the series: {problem}",
                where=weights.where,
                fix="restore config and weights of one model",
            )
        with torch.no_grad():
            for name, tensor in stored.items():
                if name in targets:
                    tensor.copy_into(targets[name])
        return self.model

    def _matched(self, weights: Weights) -> tuple[dict[str, StoredTensor], dict[str, Tensor]]:
        """Return the stored tensors by the module's own names, and the module's tensors."""
        targets = dict(self.model.state_dict(keep_vars=True))
        prefix = f"{self.model.base_model_prefix}."
        stored = {_own_name(name, targets, prefix): t for name, t in weights.tensors.items()}
        return stored, targets

    def _load_anew(self, weights: Weights) -> Any:
        self.model = None  # before the next one comes, so that there are never two
        self.model = load_model(weights.where).to(self._dtype).to(self._device).eval()
        return self.model


def _own_name(name: str, targets: Mapping[str, Tensor], prefix: str) -> str:
    """Return the module's name of a stored tensor; versions and base models differ in some."""
    head = name.replace("embed_out.", "lm_head.") if "embed_out." in name else name
    tail = name.replace("lm_head.", "embed_out.") if "lm_head." in name else name
    bare = name.removeprefix(prefix)
    return next((one for one in (name, head, tail, prefix + name, bare) if one in targets), name)


def _computes(model: Any) -> bool:
    """Tell whether `transformers` computes with stored tensors of this model, beyond renaming."""
    try:
        from transformers.conversion_mapping import get_model_conversion_mapping
        from transformers.core_model_loading import WeightConverter
    except ImportError:  # transformers 4 stores what it loads
        return False
    return any(isinstance(step, WeightConverter) for step in get_model_conversion_mapping(model))


def build_empty(config: Mapping[str, Any], where: Path) -> Any:
    """Build the module of a config on the CPU; its weights are whatever the memory held.

    Raises:
        CheckpointError: The architecture is unknown to `transformers`, or the config makes none.
    """
    kind = config.get("model_type")
    if kind not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        raise CheckpointError(
            "unknown architecture" if kind else "names no architecture",
            where=where,
            got=kind,
            expected="a causal language model of transformers",
            fix="upgrade transformers",
        )
    own = {key: value for key, value in config.items() if key not in ("model_type", "auto_map")}
    try:
        with preserved_random_state(), quiet_transformers(), _no_init():
            settings = transformers.AutoConfig.for_model(str(kind), **own)
            model = transformers.AutoModelForCausalLM.from_config(
                settings, dtype=torch.float32, trust_remote_code=False
            )
            model.tie_weights()  # left out where weights are not drawn
            return model
    except Exception as error:  # transformers has no error tree of its own
        raise CheckpointError("config makes no model", where=where, got=str(error)) from None


def _no_init() -> AbstractContextManager[Any]:
    try:
        from transformers.initialization import no_init_weights
    except ImportError:  # transformers 4
        from transformers.modeling_utils import no_init_weights
    found: AbstractContextManager[Any] = no_init_weights()
    return found


def _misfits(stored: Mapping[str, Any], targets: Mapping[str, Tensor]) -> str:
    """Say how stored names and shapes differ from the module's; nothing when they fit."""
    given = {targets[name].data_ptr() for name in stored if name in targets}
    missing = [
        name for name, t in targets.items() if name not in stored and t.data_ptr() not in given
    ]
    if missing:
        return f"{len(missing)} missing, {missing[0]}"
    extra = [name for name in stored if name not in targets and not _LEFT_OVER.search(name)]
    if extra:
        return f"{len(extra)} unexpected, {extra[0]}"
    shapes = [
        name
        for name, tensor in stored.items()
        if name in targets and tuple(tensor.shape) != tuple(targets[name].shape)
    ]
    return f"{len(shapes)} of another shape, {shapes[0]}" if shapes else ""

"""Where each architecture keeps the parts of its attention, and how it differs from Llama's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from nucleate.core import UserError


@dataclass(frozen=True, slots=True)
class Family:
    """Names of the parts of one architecture; the defaults are Llama's.

    Attributes:
        layers, final: In the model without its head: the decoder layers, and the last norm.
        attention, norm: In a layer: its attention, and the norm through which attention reads the
            residual stream; none where attention reads the stream itself.
        behind: In a layer: the norm that what attention writes passes on its way to the residual
            stream; none where it is added as it is.
        out: In attention: the output projection.
        qkv: How queries, keys and values are projected: by a matrix each (``apart``), by one that
            holds all queries, then keys, then values (``stacked``), by one that holds them head
            by head (``by head``), or by one that is stored transposed (``transposed``).
        qk_norms: In attention: the norms that queries and keys pass, where there are any.
        scale: Key of the config by which everything is multiplied that enters the residual stream.
    """

    layers: str = "layers"
    final: str = "norm"
    attention: str = "self_attn"
    norm: str = "input_layernorm"
    behind: str = ""
    out: str = "o_proj"
    qkv: Literal["apart", "stacked", "by head", "transposed"] = "apart"
    qk_norms: tuple[str, str] = ("", "")
    scale: str = ""


_NORMED = ("q_norm", "k_norm")
_BEHIND = "post_attention_layernorm"
FAMILIES = {
    "llama": Family(),
    "mistral": Family(),
    "mixtral": Family(),
    "qwen2": Family(),
    "qwen2_moe": Family(),
    "qwen3": Family(qk_norms=_NORMED),
    "qwen3_moe": Family(qk_norms=_NORMED),
    "smollm3": Family(),
    "olmo": Family(),
    "olmo2": Family(norm="", behind=_BEHIND, qk_norms=_NORMED),
    "olmo3": Family(norm="", behind=_BEHIND, qk_norms=_NORMED),
    "olmoe": Family(qk_norms=_NORMED),
    "gemma": Family(),
    "gemma2": Family(behind=_BEHIND),
    "gemma3_text": Family(behind=_BEHIND, qk_norms=_NORMED),
    "granite": Family(scale="residual_multiplier"),
    "phi3": Family(qkv="stacked"),
    "stablelm": Family(qk_norms=("q_layernorm", "k_layernorm")),
    "starcoder2": Family(),
    "apertus": Family(norm="attention_layernorm", qk_norms=_NORMED),
    "gpt_neox": Family(final="final_layer_norm", attention="attention", out="dense", qkv="by head"),
    "gpt2": Family(
        layers="h", final="ln_f", attention="attn", norm="ln_1", out="c_proj", qkv="transposed"
    ),
}
"""By `model_type`."""


def family_of(model: Any) -> Family:
    """Return the family of a model.

    Raises:
        UserError: An architecture whose heads are not known, or attention that looks ahead.
    """
    kind = model.config.model_type
    if kind not in FAMILIES:
        raise UserError(
            "heads of this architecture are not known",
            got=kind,
            fix="suites of behaviour need none; docs/mechanism.md lists those known",
        )
    if getattr(model.config, "use_bidirectional_attention", False):
        raise UserError(
            "heads are known of causal attention only", got="use_bidirectional_attention: true"
        )
    return FAMILIES[kind]

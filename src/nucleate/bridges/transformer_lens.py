"""Open a model in TransformerLens: as it is in memory, without a download, on a copy."""

from __future__ import annotations

import copy
from typing import Any

from nucleate.core import UserError


def to_transformer_lens(model: Any, tokenizer: Any = None) -> Any:
    """Return a ``TransformerBridge`` around a copy of a model; the model itself stays as it is.

    The copy is in evaluation mode and attends eagerly, so that every hook of TransformerLens
    fires. Its weights are those of `transformers`: call ``enable_compatibility_mode()`` on the
    result for folded norms and centred weights.

    Args:
        model: A causal `transformers` model of an architecture that TransformerLens knows.
        tokenizer: Its tokenizer, for what takes text; token ids need none. Text becomes the tokens
            that it gives, with nothing put before them.

    Raises:
        UserError: TransformerLens is not installed, or is older than version 4.

    Example:
        >>> bridge = to_transformer_lens(model)  # doctest: +SKIP
        >>> logits, cache = bridge.run_with_cache(ids_BT)  # doctest: +SKIP
    """
    try:
        from transformer_lens.model_bridge.sources import build_bridge_from_module
    except ImportError as error:
        raise UserError(
            "TransformerLens cannot be imported",
            got=str(error),
            expected="transformer-lens 4",
            fix="pip install 'nucleate[transformer-lens]'",
        ) from error
    inside = copy.deepcopy(model).eval()
    bridge = build_bridge_from_module(
        inside,
        type(model).__name__,
        hf_config=copy.deepcopy(model.config),
        model_name=model.config.model_type,
    )
    if tokenizer is not None:
        # Passed in at once, it would be fetched again from wherever its name points to.
        bridge.tokenizer = tokenizer
        starts = tokenizer("")["input_ids"][:1] == [tokenizer.bos_token_id]
        bridge.cfg.tokenizer_prepends_bos = bridge.cfg.default_prepend_bos = starts
    return bridge

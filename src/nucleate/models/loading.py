"""Open a folder in the layout of `transformers`, and refuse weights that do not fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import transformers
from transformers import PreTrainedModel
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from nucleate.core import CheckpointError, preserved_random_state
from nucleate.models.quiet import quiet_transformers


def load_model(folder: Path, attention: str | None = None) -> PreTrainedModel:
    """Load a causal language model from a local folder: no network, no pickle, no foreign code.

    Global random states are left as they were.

    Raises:
        CheckpointError: The architecture is unknown, or weights and config do not fit.
    """
    _refuse_unknown_architecture(folder / "config.json")
    options = {"attn_implementation": attention} if attention else {}
    try:
        with preserved_random_state(), quiet_transformers():
            model, info = transformers.AutoModelForCausalLM.from_pretrained(
                folder,
                dtype="auto",
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                ignore_mismatched_sizes=True,  # so that they are listed, and refused below
                output_loading_info=True,
                **options,
            )
    except Exception as error:  # transformers has no error tree of its own
        raise CheckpointError("cannot be opened", where=folder, got=str(error)) from None
    _refuse_misfits(folder, info)
    return model


def _refuse_unknown_architecture(path: Path) -> None:
    try:
        architecture = json.loads(path.read_bytes())["model_type"]
    except (OSError, ValueError, KeyError, TypeError):
        raise CheckpointError(
            "names no architecture", where=path, expected="a model_type", fix="restore the file"
        ) from None
    if architecture not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        raise CheckpointError(
            "unknown architecture",
            where=path,
            got=architecture,
            expected="a causal language model of transformers",
            fix="upgrade transformers",
        )


def _refuse_misfits(folder: Path, info: dict[str, Any]) -> None:
    for kind in ("missing", "unexpected", "mismatched"):
        misfits = sorted(
            str(key[0] if isinstance(key, tuple) else key) for key in info.get(f"{kind}_keys", ())
        )
        if misfits:
            raise CheckpointError(
                f"weights do not fit the config: {len(misfits)} {kind}",
                where=folder,
                got=misfits[0],
                fix="restore config and weights of one model",
            )

"""The tokenizer of a series: one for all of its checkpoints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nucleate.core import CheckpointError, DataError
from nucleate.models.quiet import quiet_transformers
from nucleate.models.series.llama2c import read_header
from nucleate.models.series.llama2c_tokenizer import (
    find_tokenizer,
    llama2c_tokenizer,
    read_pieces,
)
from nucleate.models.series.words import Series

_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "vocab.json",
)


def load_tokenizer(series: Series, named: str | Path | None = None) -> Any:
    """Load the tokenizer that belongs to a series.

    Args:
        series: Its checkpoints lie on this machine.
        named: A folder or file of a tokenizer to take instead.

    Raises:
        CheckpointError: None was found, or it cannot be read.
    """
    if named is not None:
        return _read(Path(named))
    for home in series.homes:
        if home.is_file():
            return llama2c_tokenizer(
                read_pieces(find_tokenizer(home, read_header(home).vocabulary))
            )
        if any((home / name).is_file() for name in _FILES):
            return _read(home)
    raise CheckpointError(
        "no tokenizer lies with the checkpoints",
        where=series.source,
        expected="tokenizer.json",
        fix="copy it there, or name it with --tokenizer",
    )


def _read(home: Path) -> Any:
    if home.is_file() and home.suffix in (".bin", ".vocab"):
        return llama2c_tokenizer(read_pieces(home))
    if home.is_file():
        home = home.parent
    if not home.is_dir():
        raise CheckpointError("no such tokenizer", where=home, fix="check the path")
    try:
        with quiet_transformers():
            if (home / "tokenizer_config.json").is_file():
                from transformers import AutoTokenizer

                return AutoTokenizer.from_pretrained(
                    home, local_files_only=True, trust_remote_code=False
                )
            return _bare(home)
    except DataError:
        raise
    except Exception as error:  # transformers and tokenizers have no error trees of their own
        raise CheckpointError("tokenizer cannot be read", where=home, got=str(error)) from None


def _bare(home: Path) -> Any:
    """Read ``tokenizer.json`` alone; the config beside it says which token begins and ends."""
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    if not (home / "tokenizer.json").is_file():
        raise CheckpointError("has no tokenizer.json", where=home, fix="save it again")
    own = Tokenizer.from_file(str(home / "tokenizer.json"))
    special = {}
    for name in ("bos", "eos", "pad"):
        token = _config(home).get(f"{name}_token_id")
        text = own.id_to_token(token) if isinstance(token, int) else None
        if text is not None:
            special[f"{name}_token"] = text
    return PreTrainedTokenizerFast(
        tokenizer_object=own, clean_up_tokenization_spaces=False, **special
    )


def _config(home: Path) -> dict[str, Any]:
    try:
        found = json.loads((home / "config.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}

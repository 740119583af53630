"""Tokenizers of llama2.c models, as fast tokenizers of `transformers`.

llama2.c encodes a text as a blank and the text, one token a character (or a byte, where no token
is the character), and then merges the neighbours whose joint token scores highest, the leftmost
first, until none is left (`encode` in `run.c`). That is byte-pair encoding with merges ranked by
score. One thing is done otherwise: a text that begins with a blank, as continuations do, gets no
second one.
"""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any

from nucleate.core import DataError

BLANK = "▁"
UNKNOWN, BEGIN, END = 0, 1, 2
"""Ids that sentencepiece gives to these three."""

_NAMES = ("<unk>", "<s>", "</s>")

Pieces = list[tuple[str, float]]
"""Text and score of each token, in order of their ids."""


def find_tokenizer(model: Path, vocabulary: int) -> Path:
    """Find the tokenizer beside a model file: the one of its vocabulary whose name is nearest.

    Raises:
        DataError: None fits.
    """
    fitting = []
    for path in sorted(model.parent.iterdir()):
        if path == model or path.suffix not in (".vocab", ".bin"):
            continue
        try:
            pieces = read_pieces(path)
        except DataError:
            continue
        if len(pieces) == vocabulary:
            fitting.append(path)
    if not fitting:
        raise DataError(
            "no tokenizer lies beside the model",
            where=model,
            expected=f"*.bin of llama2.c or *.vocab with {vocabulary} tokens",
            fix="copy it there",
        )
    return max(fitting, key=lambda path: (_common(path.name, model.name), path.name))


def read_pieces(path: Path) -> Pieces:
    """Read ``tokenizer.bin`` of llama2.c, or the ``.vocab`` table of sentencepiece.

    Raises:
        DataError: It is neither.
    """
    try:
        content = path.read_bytes() if path.stat().st_size < 2**26 else b""
    except OSError as error:
        raise DataError("cannot be read", where=path, got=error.strerror) from None
    pieces = _vocab(content) if path.suffix == ".vocab" else _export(content)
    if len(pieces) < 4:
        raise DataError("is no tokenizer of llama2.c", where=path)
    return pieces


def llama2c_tokenizer(pieces: Pieces) -> Any:
    """Build the tokenizer; its first three tokens are unknown, begin and end of a text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    texts = [*_NAMES, *(text for text, _ in pieces[3:])]
    ids = {text: number for number, text in enumerate(texts)}
    bytes_known = all(f"<0x{byte:02X}>" in ids for byte in range(256))
    tokenizer = Tokenizer(
        models.BPE(
            vocab=ids,
            merges=_merges(pieces, ids),
            unk_token=_NAMES[UNKNOWN],
            byte_fallback=bytes_known,
        )
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(
        replacement=BLANK, prepend_scheme="always", split=False
    )
    parts: list[Any] = [decoders.Replace(BLANK, " ")]
    parts += [decoders.ByteFallback()] if bytes_known else []
    parts += [decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    tokenizer.decoder = decoders.Sequence(parts)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token=_NAMES[UNKNOWN],
        bos_token=_NAMES[BEGIN],
        eos_token=_NAMES[END],
        clean_up_tokenization_spaces=False,
        split_special_tokens=True,
        model_max_length=1_000_000,
    )


def _merges(pieces: Pieces, ids: dict[str, int]) -> list[tuple[str, str]]:
    """Return every way to make a token out of two others, the best score first."""
    found = [
        (-score, ids[text], text[:cut], text[cut:])
        for text, score in pieces[3:]
        if not (text.startswith("<0x") and text.endswith(">"))
        for cut in range(1, len(text))
        if text[:cut] in ids and text[cut:] in ids
    ]
    found.sort(key=lambda merge: merge[:2])
    return [(left, right) for _, _, left, right in found]


def _export(content: bytes) -> Pieces:
    """Parse longest length, then score, length and text of each token; nothing when it is not."""
    pieces: Pieces = []
    if len(content) < 4:
        return []
    longest, place = struct.unpack_from("<i", content)[0], 4
    while place < len(content):
        if place + 8 > len(content):
            return []
        score, length = struct.unpack_from("<fi", content, place)
        place += 8
        if not 0 <= length <= longest or place + length > len(content) or not math.isfinite(score):
            return []
        try:
            text = content[place : place + length].decode()
        except UnicodeDecodeError:
            return []
        pieces.append((text.replace(" ", BLANK), score))
        place += length
    return pieces


def _vocab(content: bytes) -> Pieces:
    """Parse text, tabulator, score on each line; nothing when it is not."""
    try:
        lines = content.decode().split("\n")
        rows = [line.rsplit("\t", 1) for line in lines if line]
        return [(text, float(score)) for text, score in rows]
    except (UnicodeDecodeError, ValueError):
        return []


def _common(one: str, other: str) -> int:
    same = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        same += 1
    return same

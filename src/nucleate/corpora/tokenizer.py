"""Tokenizers: one word per token for the story world, a trained byte-level BPE for real text.

Both are `transformers` fast tokenizers, so that checkpoints open in the tools people have.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nucleate.core.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

EOS = "<eos>"
"""Separates documents; also the first token of every scored passage."""

MAX_VOCABULARY = 8192


def word_tokenizer(words: Sequence[str]) -> PreTrainedTokenizerFast:
    """Build a tokenizer with one id per word (id 0 is `EOS`); unknown words are errors.

    There is no token for the unknown: a world whose words are all known must not hide a spelling
    mistake behind one. Use `encode` to be told which word it is.

    Args:
        words: Distinct words; text is split at white space.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers

    if len(set(words)) != len(words):
        raise DataError("vocabulary holds a word twice", where="word_tokenizer")
    vocabulary = {word: index for index, word in enumerate((EOS, *words))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=None))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return _fast(tokenizer)


def encode(
    tokenizer: PreTrainedTokenizerFast, texts: Sequence[str], *, special: bool = False
) -> list[list[int]]:
    """Return the token ids of each text.

    Args:
        special: Whether the tokenizer puts its special tokens around each text.

    Raises:
        DataError: A word is not in the vocabulary of a word-level tokenizer.
    """
    if not texts:
        return []
    try:
        encoded: list[list[int]] = tokenizer(list(texts), add_special_tokens=special)["input_ids"]
    except Exception as error:  # tokenizers raises nothing narrower
        if "[UNK]" not in str(error):
            raise
        known = tokenizer.get_vocab()
        unknown = next((w for text in texts for w in text.split() if w not in known), None)
        raise DataError(
            "word is not in the vocabulary of whole words",
            where="tokenizer",
            got=unknown,
            fix="ask what its words can say: --suite story for a model of the story world",
        ) from None
    return encoded


def begin_token(tokenizer: PreTrainedTokenizerFast) -> int:
    """Return the token that stands before every scored text: begin of text, else end of text.

    Raises:
        DataError: The tokenizer has neither.
    """
    for token in (tokenizer.bos_token_id, tokenizer.eos_token_id):
        if token is not None:
            return int(token)
    raise DataError(
        "tokenizer has no token to begin a text with", where="tokenizer", fix="set its bos_token"
    )


def bpe_tokenizer(
    texts: Iterable[str], *, vocab_size: int, cache: Path | None = None, key: str = ""
) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE, or load it from the cache.

    Any text can be written with it and read back. A text that spells `EOS` out gets ordinary
    tokens, so no document can end itself.

    Args:
        texts: Training documents; read only when nothing is cached.
        vocab_size: Number of tokens, 257 to `MAX_VOCABULARY`.
        cache: Folder to keep trained tokenizers in (no cache when None).
        key: Names the texts, e.g. a hash of the files; part of the cache's file name.

    Raises:
        DataError: `vocab_size` is out of range.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    if not 257 <= vocab_size <= MAX_VOCABULARY:
        raise DataError(
            "vocabulary size is out of range",
            where="tokenizer.vocab_size",
            got=vocab_size,
            expected=f"257 to {MAX_VOCABULARY}",
        )
    name = hashlib.sha256(f"bpe-v1 {vocab_size} {key}".encode()).hexdigest()[:16]
    cached = cache / f"{name}.json" if cache and key else None
    if cached and cached.exists():
        try:
            return _fast(Tokenizer.from_file(str(cached)))
        except Exception:  # cut short or altered: a cache may always be made again
            cached.unlink()
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[EOS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    if cached:
        cached.parent.mkdir(parents=True, exist_ok=True)
        temporary = cached.with_suffix(f".{os.getpid()}.tmp")
        tokenizer.save(str(temporary))
        temporary.replace(cached)
    return _fast(tokenizer)


def _fast(tokenizer: object) -> PreTrainedTokenizerFast:
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=EOS,
        eos_token=EOS,
        pad_token=EOS,
        clean_up_tokenization_spaces=False,
        split_special_tokens=True,
        model_max_length=1_000_000,
    )

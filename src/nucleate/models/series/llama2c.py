"""The checkpoint files of llama2.c: seven integers, then float32 weights in a fixed order.

Layout: `export.py` (version 0) of github.com/karpathy/llama2.c. Its rotary encoding turns
neighbouring pairs of a head's dimensions; `transformers` turns the first half of a head against
the second. The rows of the query and key matrices are put in the other order on reading, which
leaves every attention score as it was.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nucleate.core import CheckpointError

HEADER = struct.Struct("<7i")
_MAGIC = 0x616B3432
"""First integer of the later versions of the layout."""


@dataclass(frozen=True, slots=True)
class Llama2cHeader:
    """The seven integers; a negative vocabulary says that the head has weights of its own."""

    width: int
    mlp_width: int
    layers: int
    heads: int
    kv_heads: int
    vocabulary: int
    context: int
    own_head: bool

    @property
    def kv_width(self) -> int:
        """Width of the keys and values of all heads."""
        return self.width // self.heads * self.kv_heads


@dataclass(frozen=True, slots=True)
class Llama2cTensor:
    """One tensor of the file: where it begins, in bytes, and which rows are to be put in order.

    `heads` is the number of heads whose rows stand in interleaved order, 0 for none.
    """

    name: str
    shape: tuple[int, ...]
    offset: int
    heads: int = 0


def is_llama2c(path: Path) -> bool:
    """Tell whether a file begins as a checkpoint of llama2.c does, whole or cut short."""
    try:
        with path.open("rb") as file:
            return _plausible(file.read(HEADER.size))
    except OSError:
        return False


def read_header(path: Path) -> Llama2cHeader:
    """Read the seven integers.

    Raises:
        CheckpointError: They are missing or make no model.
    """
    with path.open("rb") as file:
        head = file.read(HEADER.size)
    if not _plausible(head):
        raise CheckpointError(
            "is no checkpoint of llama2.c, version 0", where=path, fix="export it again"
        )
    width, mlp_width, layers, heads, kv_heads, vocabulary, context = HEADER.unpack(head)
    return Llama2cHeader(
        width, mlp_width, layers, heads, kv_heads, abs(vocabulary), context, vocabulary < 0
    )


def llama2c_tensors(header: Llama2cHeader) -> tuple[list[Llama2cTensor], int]:
    """Return every tensor in the order of the file, and the size that the file must have."""
    place = HEADER.size
    found: list[Llama2cTensor] = []

    def take(name: str, *shape: int, heads: int = 0) -> None:
        nonlocal place
        size = 4
        for each in shape:
            size *= each
        if name:
            found.append(Llama2cTensor(name, shape, place, heads))
        place += size

    width, layers = header.width, range(header.layers)
    take("model.embed_tokens.weight", header.vocabulary, width)
    for part, shape, heads in (
        ("input_layernorm", (width,), 0),
        ("self_attn.q_proj", (width, width), header.heads),
        ("self_attn.k_proj", (header.kv_width, width), header.kv_heads),
        ("self_attn.v_proj", (header.kv_width, width), 0),
        ("self_attn.o_proj", (width, width), 0),
        ("post_attention_layernorm", (width,), 0),
        ("mlp.gate_proj", (header.mlp_width, width), 0),
        ("mlp.down_proj", (width, header.mlp_width), 0),
        ("mlp.up_proj", (header.mlp_width, width), 0),
    ):
        for layer in layers:
            take(f"model.layers.{layer}.{part}.weight", *shape, heads=heads)
    take("model.norm.weight", width)
    take("", header.context, width // header.heads)  # cosines and sines, computed anyway
    if header.own_head:
        take("lm_head.weight", header.vocabulary, width)
    return found, place


def llama2c_config(header: Llama2cHeader) -> dict[str, Any]:
    """Return the config of the same model in `transformers`."""
    return {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "hidden_size": header.width,
        "intermediate_size": header.mlp_width,
        "num_hidden_layers": header.layers,
        "num_attention_heads": header.heads,
        "num_key_value_heads": header.kv_heads,
        "vocab_size": header.vocabulary,
        "max_position_embeddings": header.context,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10_000.0,
        "tie_word_embeddings": not header.own_head,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }


def _plausible(head: bytes) -> bool:
    if len(head) < HEADER.size:
        return False
    width, mlp_width, layers, heads, kv_heads, vocabulary, context = HEADER.unpack(head)
    return (
        width != _MAGIC
        and all(0 < number < 2**20 for number in (width, mlp_width, layers, heads, kv_heads))
        and 0 < abs(vocabulary) < 2**24
        and 0 < context < 2**24
        and width % heads == 0
        and heads % kv_heads == 0
    )

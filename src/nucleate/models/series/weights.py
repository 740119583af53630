"""The stored tensors of a checkpoint, read piece by piece: never a second copy of a model.

Files are read with plain reads, not mapped: mapped pages count as memory of the process, and a
whole checkpoint mapped beside the model that it is copied into would double the peak.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nucleate.core import CheckpointError
from nucleate.models.series.llama2c import llama2c_config, llama2c_tensors, read_header
from nucleate.models.series.words import Member

PIECE = 2**24
"""Bytes read at once."""

MOST_HEADER = 10**8
"""Longest header of a safetensors file, in bytes, as the library limits it."""

_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """One tensor and where its bytes lie.

    Attributes:
        file: The file.
        offset: Where it begins, in bytes.
        heads: Number of heads whose rows stand in llama2.c's order, 0 for none.
        held: The tensor itself, where the format cannot be read in pieces (torch's own).
    """

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]
    file: Path
    offset: int
    heads: int = 0
    held: Tensor | None = field(default=None, compare=False, repr=False)

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return math.prod(self.shape) * self.dtype.itemsize

    def copy_into(self, target: Tensor) -> None:
        """Copy into a tensor of the same shape, converting to its dtype and device.

        Raises:
            CheckpointError: The file is shorter than it was.
        """
        if self.held is not None or self.heads:
            target.copy_(self._whole())
            return
        flat, done = target.view(-1), 0
        for piece in self.pieces():
            flat[done : done + piece.numel()].copy_(piece)
            done += piece.numel()

    def pieces(self) -> Iterator[Tensor]:
        """Yield the elements in the order of the file, as flat tensors of at most `PIECE` bytes."""
        if self.held is not None:
            yield self.held.reshape(-1)
            return
        size = max(1, PIECE // self.dtype.itemsize)
        left = math.prod(self.shape)
        with self.file.open("rb", buffering=0) as file:
            file.seek(self.offset)
            while left:
                count = min(size, left)
                buffer = bytearray(count * self.dtype.itemsize)
                read_full(file, buffer, self.file)
                yield torch.frombuffer(buffer, dtype=self.dtype)
                left -= count

    def _whole(self) -> Tensor:
        flat = torch.cat(list(self.pieces()))
        if not self.heads:
            return flat.view(self.shape)
        rows, columns = self.shape  # (head, pair, which of the pair) → (head, which, pair)
        apart = flat.view(self.heads, rows // self.heads // 2, 2, columns)
        return apart.transpose(1, 2).reshape(rows, columns)


@dataclass(frozen=True)
class Weights:
    """What a checkpoint holds, without its numbers.

    Attributes:
        where: Its folder or file.
        files: The files of weights, in order.
        tensors: By name.
        config: Its config, as JSON types.
    """

    where: Path
    files: tuple[Path, ...]
    tensors: Mapping[str, StoredTensor]
    config: Mapping[str, Any]


def open_weights(member: Member) -> Weights:
    """Look at what a checkpoint holds; every file is as long as its header says.

    Raises:
        CheckpointError: A file is missing, cut short, or not what its name says.
    """
    if member.form == "llama2c":
        return _llama2c(member.path)
    config = read_config(member.path)
    files = _files(member.path)
    if files[0].suffix == ".bin":
        tensors = {t.name: t for file in files for t in _torch_tensors(file)}
    else:
        tensors = {t.name: t for file in files for t in safetensors_header(file)}
    return Weights(member.path, tuple(files), tensors, config)


def read_config(folder: Path) -> dict[str, Any]:
    """Read ``config.json``.

    Raises:
        CheckpointError: It is missing or malformed.
    """
    config = _json(folder / "config.json")
    if not isinstance(config, dict):
        raise CheckpointError("is not an object", where=folder / "config.json")
    return config


def safetensors_header(path: Path) -> list[StoredTensor]:
    """Return the tensors of a safetensors file in the order of their bytes.

    Raises:
        CheckpointError: Missing, cut short, or its header does not describe its bytes.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or 8 + length > size:
                raise _cut_short(path, size, "a whole header")
            if length > MOST_HEADER:
                raise _malformed(path)
            header = json.loads(file.read(length))
    except FileNotFoundError:
        raise CheckpointError("is missing", where=path, fix="copy it again") from None
    except OSError as error:
        raise CheckpointError("cannot be read", where=path, got=error.strerror) from None
    except (ValueError, RecursionError):
        raise _malformed(path) from None
    try:
        entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
        found = [_entry(path, name, entry, 8 + length) for name, entry in entries.items()]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise _malformed(path) from None
    found.sort(key=lambda tensor: (tensor.offset, tensor.nbytes))
    end = 8 + length
    for tensor in found:
        if tensor.offset != end:
            raise _malformed(path)
        end += tensor.nbytes
    if end != size:
        if end > size:
            raise _cut_short(path, size, f"{end} bytes")
        raise CheckpointError("is longer than it says", where=path, got=size, expected=f"{end}")
    return found


def read_full(file: Any, buffer: bytearray, where: Path) -> None:
    """Fill a buffer from a file.

    Raises:
        CheckpointError: The file ends first, or cannot be read.
    """
    view, done = memoryview(buffer), 0
    try:
        while done < len(buffer):
            got = file.readinto(view[done:])
            if not got:
                raise CheckpointError("is cut short", where=where, fix="copy it again")
            done += got
    except OSError as error:
        raise CheckpointError("cannot be read", where=where, got=error.strerror) from None


def _entry(path: Path, name: str, entry: dict[str, Any], base: int) -> StoredTensor:
    begin, end = entry["data_offsets"]
    dtype = _DTYPES[entry["dtype"]]
    shape = tuple(int(size) for size in entry["shape"])
    if min(shape, default=0) < 0 or end - begin != math.prod(shape) * dtype.itemsize:
        raise ValueError(name)
    return StoredTensor(name, dtype, shape, path, base + begin)


def _files(folder: Path) -> list[Path]:
    """Return the files of weights: safetensors before torch's own, one file before shards."""
    for one, index in (
        ("model.safetensors", "model.safetensors.index.json"),
        ("pytorch_model.bin", "pytorch_model.bin.index.json"),
    ):
        if (folder / one).is_file():
            return [folder / one]
        if (folder / index).is_file():
            return _shards(folder, index)
    alone = sorted(folder.glob("*.safetensors"))
    if len(alone) == 1:
        return alone
    raise CheckpointError(
        "holds no weights",
        where=folder,
        expected="model.safetensors, or shards with their index",
        fix="copy it again",
    )


def _shards(folder: Path, index: str) -> list[Path]:
    content = _json(folder / index)
    names = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(names, dict) or not names:
        raise CheckpointError("names no shards", where=folder / index, fix="copy it again")
    shards = sorted({str(name) for name in names.values()})
    for shard in shards:
        if Path(shard).name != shard:
            raise CheckpointError(
                "names a file elsewhere", where=folder / index, got=shard, expected="plain names"
            )
        if not (folder / shard).is_file():
            raise CheckpointError("is missing", where=folder / shard, fix="copy it again")
    return [folder / shard for shard in shards]


def _torch_tensors(path: Path) -> list[StoredTensor]:
    """Read torch's own format with the reader that runs no code."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        tensors = {str(name): value for name, value in state.items() if isinstance(value, Tensor)}
    except FileNotFoundError:
        raise CheckpointError("is missing", where=path, fix="copy it again") from None
    except Exception as error:
        raise CheckpointError(
            "cannot be read without running code in it",
            where=path,
            got=str(error).splitlines()[0] if str(error) else type(error).__name__,
            fix="convert it to safetensors",
        ) from None
    return [
        StoredTensor(name, value.dtype, tuple(value.shape), path, 0, held=value)
        for name, value in tensors.items()
    ]


def _llama2c(path: Path) -> Weights:
    try:
        header, size = read_header(path), path.stat().st_size
    except OSError as error:
        raise CheckpointError("cannot be read", where=path, got=error.strerror) from None
    entries, end = llama2c_tensors(header)
    if size < end:
        raise _cut_short(path, size, f"{end} bytes")
    if size > end:
        raise CheckpointError("is longer than it says", where=path, got=size, expected=f"{end}")
    tensors = {
        entry.name: StoredTensor(
            entry.name, torch.float32, entry.shape, path, entry.offset, entry.heads
        )
        for entry in entries
    }
    return Weights(path, (path,), tensors, llama2c_config(header))


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise CheckpointError("is missing", where=path, fix="copy it again") from None
    except OSError as error:
        raise CheckpointError("cannot be read", where=path, got=error.strerror) from None
    except (ValueError, RecursionError):
        raise CheckpointError("is not JSON", where=path, fix="copy it again") from None


def _cut_short(path: Path, size: int, expected: str) -> CheckpointError:
    return CheckpointError(
        "is cut short", where=path, got=size, expected=expected, fix="copy it again"
    )


def _malformed(path: Path) -> CheckpointError:
    return CheckpointError(
        "its header does not describe its bytes", where=path, fix="copy it again"
    )

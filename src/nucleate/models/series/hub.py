"""Revisions of a model on the Hugging Face hub, as checkpoints that are fetched when needed."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.core import CheckpointError
from nucleate.models.series.position import position_of_name
from nucleate.models.series.words import Member

if TYPE_CHECKING:
    from nucleate.models.series.find import Found

SMALL = ["*.json", "*.model", "*.txt"]
"""Files of a revision beside its weights."""

NESTED = ["*/*"]
"""Weights in other formats lie in folders of their own."""


def find_revisions(repo: str, pattern: str = "") -> list[Found]:
    """List the revisions of a model; without network, those that were fetched before.

    Args:
        repo: ``org/model``.
        pattern: Names of branches and tags to take; all that tell a step when empty, and the
            default revision alone where none does.

    Raises:
        CheckpointError: No such model or revision, or the hub cannot be reached.
    """
    from nucleate.models.series.find import Found

    names = _revisions(repo)
    if pattern:
        chosen = [name for name in names if fnmatchcase(name, pattern)]
        if not chosen:
            raise CheckpointError(
                f"no revision is called {pattern}", where=repo, got=", ".join(names) or "none"
            )
    else:
        chosen = [n for n in names if position_of_name(n).step is not None] or ["main"]
    return [
        Found(name, Path(repo), "folder", position_of_name(name), repo=repo, revision=name)
        for name in chosen
    ]


def fetch(member: Member, *, weights: bool = True) -> Member:
    """Fetch a revision into the hub's cache and return the member that lies there.

    Args:
        member: A member that has to be fetched; others are returned as they are.
        weights: Whether to fetch more than config and tokenizer.

    Raises:
        CheckpointError: It cannot be fetched.
    """
    if not member.remote:
        return member
    folder = _download(member, [*SMALL, "*.safetensors"] if weights else SMALL)
    if weights and not any(folder.glob("*.safetensors")):
        folder = _download(member, [*SMALL, "pytorch_model*.bin"])
    return replace(member, path=folder, repo="", revision="")


def _download(member: Member, patterns: list[str]) -> Path:
    import huggingface_hub
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    try:
        found = huggingface_hub.snapshot_download(
            member.repo,
            revision=member.revision,
            allow_patterns=patterns,
            ignore_patterns=NESTED,
        )
    except Exception as error:  # the hub's errors and its transport's share no root
        raise _unreachable(f"{member.repo}@{member.revision}", error) from None
    return Path(found)


def _revisions(repo: str) -> list[str]:
    """Return branches and tags, those of the cache where the hub cannot be asked."""
    import huggingface_hub
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        refs: Any = huggingface_hub.HfApi().list_repo_refs(repo)
    except RepositoryNotFoundError:
        raise CheckpointError(
            "no such model on the hub, or it is not public",
            where=repo,
            fix="check the name, or log in with hf auth login",
        ) from None
    except Exception as error:
        if kept := _cached(repo):
            return kept
        raise _unreachable(repo, error) from None
    return [ref.name for ref in (*refs.branches, *refs.tags)]


def _cached(repo: str) -> list[str]:
    from huggingface_hub.constants import HF_HUB_CACHE

    refs = Path(HF_HUB_CACHE) / f"models--{repo.replace('/', '--')}" / "refs"
    found = (path for path in refs.rglob("*") if path.is_file())
    return sorted(path.relative_to(refs).as_posix() for path in found)


def _unreachable(where: str, error: Exception) -> CheckpointError:
    lines = str(error).splitlines()
    return CheckpointError(
        "cannot be fetched from the hub",
        where=where,
        got=lines[0] if lines else type(error).__name__,
        fix="check name and network, or name a folder of checkpoints",
    )

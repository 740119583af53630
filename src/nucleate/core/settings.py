"""Strict settings: frozen models, YAML without aliases, duplicate keys or unknown keys."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from nucleate.core.errors import RecipeError, Words

MAX_BYTES = 256 * 1024
MAX_DEPTH = 12
MAX_VALUES = 5000
"""Most keys and values of a file together: far more than any recipe needs."""


WORDS = {
    "Input should be ": "must be ",
    "greater than or equal to ": "at least ",
    "less than or equal to ": "at most ",
    "Field required": "is missing",
}
"""How pydantic's phrases are put in front of people."""

TYPES = {str: "text", list: "a list", int: "a number", float: "a number", bool: "true or false"}
"""What a YAML document is called that is no mapping."""


class Settings(BaseModel):
    """Base of every settings model: frozen, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


Model = TypeVar("Model", bound=Settings)


def load_yaml(path: str | Path) -> dict[str, Any]:
    """Read a YAML mapping strictly.

    Raises:
        RecipeError: The file is missing, larger than `MAX_BYTES`, nested deeper than
            `MAX_DEPTH`, no mapping, or uses aliases, tags or duplicate keys.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise RecipeError(
                "recipe is too large", where=path, got=f"{size} bytes", expected=f"≤ {MAX_BYTES}"
            )
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        raise RecipeError("no such file", where=path, fix="check the path") from None
    except IsADirectoryError:
        raise RecipeError("is a folder", where=path, expected="a YAML file") from None
    except UnicodeDecodeError:
        raise RecipeError("is not UTF-8 text", where=path, expected="a YAML file") from None
    except OSError as error:
        raise RecipeError("cannot be read", where=path, got=error.strerror) from None
    return parse_yaml(text, where=str(path))


def parse_yaml(text: str, *, where: str = "recipe") -> dict[str, Any]:
    """Parse YAML text strictly; see `load_yaml`."""
    import yaml

    try:
        _refuse_aliases_and_depth(yaml, text, where)
        document = yaml.load(text, Loader=_strict_loader(yaml, where))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"{where}:{mark.line + 1}" if mark else where
        problem = str(getattr(error, "problem", None) or error)
        raise RecipeError(f"is not valid YAML: {problem}", where=line) from None
    except (ValueError, RecursionError) as error:
        raise RecipeError(f"is not valid YAML: {error}", where=where) from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise RecipeError(
            "is not a mapping",
            where=where,
            got=Words(TYPES.get(type(document), "a value")),
            expected="key: value lines",
        )
    return document


def validate(
    model: type[Model],
    data: dict[str, Any],
    *,
    where: str = "recipe",
    options: Mapping[str, str] | None = None,
) -> Model:
    """Build a settings model from a mapping; the first mistake becomes one `RecipeError`.

    Args:
        model: The settings.
        data: What they are made of.
        where: File or command that the mapping comes from.
        options: What keys are called where people set them: ``tokens_per_step`` → the option
            ``--tokens-per-step``, which then stands for file and key.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise _first_mistake(model, error, where, options or {}) from None


def in_words(message: str) -> str:
    """Return what pydantic says in the words of this project.

    >>> in_words("Input should be greater than 0")
    'must be greater than 0'
    """
    for theirs, ours in WORDS.items():
        message = message.replace(theirs, ours)
    return message


def _first_mistake(
    model: type[Settings], error: ValidationError, where: str, options: Mapping[str, str]
) -> RecipeError:
    mistake = error.errors()[0]
    key = ".".join(str(part) for part in mistake["loc"]) or "(top)"
    option = next((name for own, name in options.items() if f"{key}.".startswith(f"{own}.")), "")
    if mistake["type"] == "extra_forbidden":
        known = _known_keys(model, mistake["loc"][:-1])
        near = _nearest(str(mistake["loc"][-1]), known)
        fix = f"did you mean {near!r}?" if near else f"known keys: {', '.join(known)}"
        return RecipeError(f"unknown key {key!r}", where=where, fix=fix)
    got = None if mistake["type"] in ("missing", "value_error") else mistake.get("input")
    what = in_words(str(mistake["msg"]).removeprefix("Value error, "))
    if option:
        return RecipeError(what, where=option, got=got)
    return RecipeError(what if key == "(top)" else f"key {key!r}: {what}", where=where, got=got)


def _known_keys(model: type[Settings], location: tuple[int | str, ...]) -> list[str]:
    """Return the keys that are known where a mistake was found.

    Args:
        location: Keys, places in lists, and ``kind`` words where one of several models was meant.
    """
    models: list[type[BaseModel]] = [model]
    for part in location:
        fields = [each.model_fields[str(part)] for each in models if part in each.model_fields]
        inside = [found for field in fields for found in _models_in(field.annotation)]
        meant = [each for each in models if _kind(each) == part]
        models = inside or meant or models
    return sorted({key for each in models for key in each.model_fields})


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    """Return the models that a type is made of: ``tuple[A | B, ...]`` → A, B."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in get_args(annotation) for found in _models_in(part)]


def _kind(model: type[BaseModel]) -> Any:
    field = model.model_fields.get("kind")
    return field.default if field else None


def _nearest(word: str, known: list[str]) -> str | None:
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, known, n=1, cutoff=0.6)), None)


def _refuse_aliases_and_depth(yaml: Any, text: str, where: str) -> None:
    depth = values = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = f"{where}:{event.start_mark.line + 1}"
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise RecipeError("anchors and aliases are not allowed", where=line)
        if isinstance(event, yaml.ScalarEvent):
            values += 1
            if values > MAX_VALUES:
                most = f"at most {MAX_VALUES}"
                raise RecipeError("has too many keys and values", where=line, expected=most)
        if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            depth += 1
            if depth > MAX_DEPTH:
                raise RecipeError("is nested too deeply", where=line, expected=f"≤ {MAX_DEPTH}")
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            depth -= 1


def _strict_loader(yaml: Any, where: str) -> Any:
    class StrictLoader(yaml.SafeLoader):  # type: ignore[misc]
        """SafeLoader that refuses duplicate keys."""

    def construct_mapping(loader: Any, node: Any, deep: bool = False) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = loader.construct_object(key_node, deep=True)
            line = f"{where}:{key_node.start_mark.line + 1}"
            if not isinstance(key, str):
                raise RecipeError("keys must be text", where=line, got=key)
            if key in mapping:
                raise RecipeError(f"duplicate key {key!r}", where=line, fix="keep one of them")
            mapping[key] = loader.construct_object(value_node, deep=True)
        return mapping

    def construct_number(loader: Any, node: Any) -> int | float:
        line = f"{where}:{node.start_mark.line + 1}"
        if ":" in node.value:  # YAML 1.1 takes 1:30 for ninety
            fix = "write it out, or put it in quotes"
            raise RecipeError("base-60 numbers are not read", where=line, got=node.value, fix=fix)
        kind = "int" if node.tag.endswith(":int") else "float"
        made: int | float = getattr(loader, f"construct_yaml_{kind}")(node)
        return made

    StrictLoader.add_constructor("tag:yaml.org,2002:map", construct_mapping)
    for number in ("int", "float"):
        StrictLoader.add_constructor(f"tag:yaml.org,2002:{number}", construct_number)
    _accept_plain_floats(yaml, StrictLoader)
    return StrictLoader


def _accept_plain_floats(yaml: Any, loader: Any) -> None:
    """Read ``3e-3`` and ``6e6`` as numbers: YAML 1.1 would make them text."""
    import re

    pattern = re.compile(r"^[-+]?(\d[\d_]*\.?\d*|\.\d+)([eE][-+]?\d+)$")
    loader.add_implicit_resolver("tag:yaml.org,2002:float", pattern, list("-+0123456789."))

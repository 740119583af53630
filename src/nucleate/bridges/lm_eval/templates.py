"""Render the templates of lm-eval tasks in a sandbox: text in, text out, nothing else in reach."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from nucleate.core import DataError

Doc = Mapping[str, Any]

MAX_TEXT = 4 * 1024 * 1024
"""Longest text, in characters, that a template may make."""


def render(template: str, doc: Doc, where: str) -> str:
    """Fill a template from a document, as lm-eval does: missing names are errors.

    Raises:
        DataError: The template is malformed, reaches for what the sandbox forbids, names a field
            that the document lacks, or makes a text of unreasonable length.
    """
    from jinja2 import TemplateError

    try:
        text: str = _compiled(template).render(**{str(key): doc[key] for key in doc})
    except TemplateError as error:
        raise DataError(f"template fails: {error}", where=where, got=template) from None
    except Exception as error:  # filters raise whatever Python raises inside them
        what = f"template fails: {type(error).__name__}: {error}"
        raise DataError(what, where=where, got=template) from None
    if len(text) > MAX_TEXT:
        raise DataError("template makes too long a text", where=where, got=f"{len(text):,}")
    return text


def literal(text: str, where: str) -> Any:
    """Read the Python literal that a template has written: a list of choices, a number.

    Raises:
        DataError: It is none.
    """
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        expected = "a Python list or number"
        raise DataError(
            "template makes no value", where=where, got=text, expected=expected
        ) from None


@cache
def _compiled(template: str) -> Any:
    return _environment().from_string(template)


@cache
def _environment() -> Any:
    from jinja2 import StrictUndefined
    from jinja2.exceptions import SecurityError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Sandbox(ImmutableSandboxedEnvironment):
        """Attributes of Python objects are out of reach, and texts cannot be multiplied away."""

        intercepted_binops = frozenset({"*", "**"})

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            small = operator == "*" and all(_is_small(side) for side in (left, right))
            if not small:
                raise SecurityError(f"{operator} of large values is not allowed")
            return super().call_binop(context, operator, left, right)

    sandbox = Sandbox(undefined=StrictUndefined, keep_trailing_newline=True)
    sandbox.filters["regex_replace"] = _regex_replace
    return sandbox


def _is_small(value: Any) -> bool:
    return abs(value) <= 10_000 if isinstance(value, (int, float)) else len(value) <= 10_000


def _regex_replace(string: str, pattern: str, repl: str, count: int = 0) -> str:
    return re.sub(pattern, repl, string, count=count)

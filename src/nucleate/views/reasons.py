"""The evidence of a decision in plain words: one sentence for each condition."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nucleate.core.units import si, tokens

COUNTS = ("read_at", "since", "deadline", "tokens", "onset")
"""Evidence that counts tokens."""

Evidence = Mapping[str, Any]


def sentences(evidence: Evidence) -> list[str]:
    """Return evidence in sentences without a full stop, one for each single condition.

    Evidence that no controller of this version writes is listed key by key.

    >>> sentences({"all": [{"condition": "tokens", "tokens": 2000}, {"metric": "m", "se": 0.09}]})
    ['2k tokens were reached', 'm, se 0.09']
    """
    parts: Sequence[Evidence] | None = evidence.get("all")
    if "any" in evidence:
        parts = [evidence["any"]]
    if parts is not None:
        return [line for part in parts for line in sentences(part)]
    write = _WORDS.get(str(evidence.get("condition")))
    try:
        if "none" in evidence:
            return [_unmet(part) for part in evidence["none"]]
        return write(evidence) if write else [_listed(evidence)]
    except (KeyError, TypeError, ValueError, AttributeError):
        return [_listed(evidence)]


def _tokens(found: Evidence) -> list[str]:
    reached = f"{tokens(found['tokens'])} tokens were reached"
    return [reached if found["tokens"] else "before the first step"]


def _after(found: Evidence) -> list[str]:
    wait = f"{tokens(found['tokens'])} tokens after " if found["tokens"] else "after "
    return [f"{wait}“{found['rule']}”, which fired at {tokens(found['since'])}"]


def _deadline(found: Evidence) -> list[str]:
    words = [f"its deadline, {tokens(found['tokens'])} tokens, was reached"]
    return words + [f"{name} stood at {_word(v)}" for name, v in found.get("values", {}).items()]


def _beyond(found: Evidence) -> list[str]:
    margin = found["standard_errors"]
    by = f" by more than {_word(margin)} × its standard error" if margin else ""
    return [f"{_reading(found)}, {found['condition']} {_word(found['threshold'])}{by}"]


def _transition(found: Evidence) -> list[str]:
    if "onset" in found:
        return [
            f"{found['metric']} left its level by {_word(abs(found['sds']))} standard deviations "
            f"at {tokens(found['onset'])} tokens; evidence {_word(found['statistic'])}, "
            f"{_word(found['threshold'])} asked for"
        ]
    return [
        f"{_reading(found)}; the last two readings differ from {_word(found['before'])} by "
        f"{_word(found['change'])}: z = {_word(found['statistic'])}, "
        f"{_word(found['threshold'])} asked for"
    ]


def _plateau(found: Evidence) -> list[str]:
    return [
        f"{found['metric']} stood still at {_word(found['value'])} since "
        f"{tokens(found['since'])} tokens: at most {_word(found['statistic'])} a decade, less than "
        f"{_word(found['threshold'])}"
    ]


def _saturated(found: Evidence) -> list[str]:
    return [
        f"{_reading(found)}; the last two readings stand {found['statistic']:.0%} of the way from "
        f"chance to 1 or higher, {found['threshold']:.0%} asked for"
    ]


_WORDS: dict[str, Callable[[Evidence], list[str]]] = {
    "tokens": _tokens,
    "after": _after,
    "deadline": _deadline,
    "above": _beyond,
    "below": _beyond,
    "transition": _transition,
    "plateau": _plateau,
    "saturated": _saturated,
}


def _reading(found: Evidence) -> str:
    error = f" ± {_word(found['se'])}" if found.get("se", 0.0) > 1e-9 else ""
    return f"{found['metric']} was {_word(found['value'])}{error} at {tokens(found['read_at'])}"


def _unmet(found: Evidence) -> str:
    """Say of a condition that it did not hold, with the latest reading where there was one."""
    name = str(found.get("condition"))
    if "of" in found:
        return f"not {name} of these: {', '.join(_named(part) for part in found['of'])}"
    if "metric" not in found:
        return f"not {_named(found)}"
    last = _reading(found) if "value" in found else f"{found['metric']} was not read yet"
    return f"not {name}{_limit(found)}: {last}"


def _named(found: Evidence) -> str:
    """Name a condition that did not hold."""
    name = str(found.get("condition"))
    if "of" in found:
        return f"{name} of ({', '.join(_named(part) for part in found['of'])})"
    if name == "tokens":
        return f"{tokens(found['tokens'])} tokens"
    if name == "after":
        return f"{tokens(found['tokens'])} tokens after “{found['rule']}”"
    return f"{found['metric']} {name}{_limit(found)}"


def _limit(found: Evidence) -> str:
    return f" {_word(found['threshold'])}" if "threshold" in found else ""


def _listed(found: Evidence) -> str:
    words = [
        str(each) if key == "metric" else f"{key.replace('_', ' ')} {_value(key, each)}"
        for key, each in found.items()
        if key != "condition"
    ]
    condition = f"{found['condition']}: " if "condition" in found else ""
    return condition + ", ".join(words)


def _value(key: str, value: Any) -> str:
    return tokens(value) if key in COUNTS and not isinstance(value, bool) else _word(value)


def _word(value: Any) -> str:
    return si(value, 3) if isinstance(value, float) else str(value)

"""Functions of lm-eval's own tasks, written again here: their files are recognised, never run.

A task may name Python functions. Those of the files below, recognised by their SHA-256, have a twin
in this module; any other function is refused.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any

from nucleate.bridges.lm_eval.yamls import Code
from nucleate.core import DataError

Doc = dict[str, Any]
Function = Callable[[Doc], Any]

_POSSESSIVE = ("my", "his", "her", "our", "their")
_DECAPITALISED = ("A", "An", "The", "She", "He", "It", "They", "My", "His", "Her", "Their")


def twin(code: Code, where: str) -> Function:
    """Return our own version of a function that a task names.

    Raises:
        DataError: It is none of those that are known.
    """
    try:
        digest = hashlib.sha256(code.file.read_bytes()).hexdigest()
    except OSError:
        digest = ""
    found = _TWINS.get((digest, code.name.rpartition(".")[2]))
    if found is None:
        raise DataError(
            f"needs its function {code.name}: code of a task is not run here",
            where=where,
            fix="write it as a template, or export the documents it makes",
        )
    return found


def _hellaswag(doc: Doc) -> Doc:
    return doc | {
        "query": _wikihow(f"{doc['activity_label']}: {doc['ctx_a']} {doc['ctx_b'].capitalize()}"),
        "choices": [_wikihow(ending) for ending in doc["endings"]],
        "gold": int(doc["label"]),
    }


def _wikihow(text: str) -> str:
    marked = text.strip().replace(" [title]", ". ")
    return re.sub(r"\[.*?\]", "", marked).replace("  ", " ")


def _winogrande_text(doc: Doc) -> int:
    return {"1": 0, "2": 1}[doc["answer"]]


def _winogrande_target(doc: Doc) -> str:
    return str(doc["sentence"].partition("_")[2]).strip()


def _winogrande_choice(doc: Doc) -> list[str]:
    before = doc["sentence"].partition("_")[0]
    return [before + doc["option1"], before + doc["option2"]]


def _copa_text(doc: Doc) -> str:
    connector = {"cause": "because", "effect": "therefore"}[doc["question"]]
    return f"{doc['premise'].strip()[:-1]} {connector}"


def _copa_target(doc: Doc) -> str:
    return _copa_choice(doc)[0 if doc["label"] == 0 else 1]


def _copa_choice(doc: Doc) -> list[str]:
    return [f" {text[0].lower()}{text[1:]}" for text in (doc["choice1"], doc["choice2"])]


def _winograd(doc: Doc) -> Doc:
    text = doc["text"].replace("  ", " ")
    # A pronoun near the beginning looks back past it, to the end of the text: so does lm-eval.
    inside = text[doc["pronoun_loc"] - 2] != "."
    options = []
    for option in doc["options"]:
        named = option + ("'s" if doc["pronoun"].lower() in _POSSESSIVE else "")
        first = named.split()[0]
        lowered = inside and first in _DECAPITALISED
        options.append(named.replace(first, first.lower()) if lowered else named)
    return doc | {"text": text, "options": options}


_HELLASWAG = "07d23b60b28f2a4f658dcf8440623a63fe6644854ce9b846a114dde980dc1214"
_WINOGRANDE = "e55327629264a98f1d383fda24645b6779afb53fa0bce2150042b9416b1ae006"
_COPA = "0be98a907db647a518c42c916a61385b64f394cf9d0171b5cb86b7a036282de7"
_WINOGRAD = "2c295d37e8d75f58a5ce948839d20cb9971d1c0d7627878291bebd4584c63507"
_TWINS: dict[tuple[str, str], Function] = {
    (_HELLASWAG, "process_docs"): _hellaswag,
    (_WINOGRANDE, "doc_to_text"): _winogrande_text,
    (_WINOGRANDE, "doc_to_target"): _winogrande_target,
    (_WINOGRANDE, "doc_to_choice"): _winogrande_choice,
    (_COPA, "doc_to_text"): _copa_text,
    (_COPA, "doc_to_target"): _copa_target,
    (_COPA, "doc_to_choice"): _copa_choice,
    (_WINOGRAD, "process_doc"): _winograd,
}
"""By SHA-256 of the file in lm-eval 0.4.13, and name of the function."""

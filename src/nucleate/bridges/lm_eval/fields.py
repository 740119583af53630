"""The fields of a task's documents: question, choices, target; by name, template or constant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nucleate.bridges.lm_eval.functions import twin
from nucleate.bridges.lm_eval.templates import literal, render
from nucleate.bridges.lm_eval.yamls import Code
from nucleate.core import DataError

Doc = dict[str, Any]


@dataclass(frozen=True)
class Fields:
    """How a task reads a document.

    Args:
        settings: Keys ``doc_to_text``, ``doc_to_choice``, ``doc_to_target``, ``gen_prefix`` and
            ``target_delimiter``.
        where: The task, for errors.
        names: Fields of the documents that are asked.
    """

    settings: Mapping[str, Any]
    where: str
    names: frozenset[str]

    @property
    def delimiter(self) -> str:
        """What stands between question and answer."""
        return str(self.settings.get("target_delimiter", " "))

    def text(self, doc: Doc) -> str | int:
        """Return the question, or the place of the right one where the choices are questions.

        Raises:
            DataError: The field is missing, or no text and no place.
        """
        found = self._value("doc_to_text", doc)
        if isinstance(found, str) and self._is_place("doc_to_text", found):
            found = literal(found, self.where)
        if isinstance(found, bool) or not isinstance(found, (str, int)):
            raise DataError("doc_to_text is no text", where=self.where, got=found)
        return found

    def target(self, doc: Doc) -> str | int | list[Any]:
        """Return the right answer, its place among the choices, or several of either.

        Raises:
            DataError: The field is missing, or nothing of the kind.
        """
        found: Any = self._value("doc_to_target", doc)
        if isinstance(found, str) and not self._is_name("doc_to_target"):
            if self._is_place("doc_to_target", found):
                found = literal(found, self.where)
            elif len(found) >= 2 and found[0] == "[" and found[-1] == "]":
                try:
                    found = literal(found, self.where)
                except DataError:
                    return str(found)
        if not isinstance(found, (str, int, list)):
            raise DataError("doc_to_target is no answer", where=self.where, got=found)
        answer: str | int | list[Any] = found
        return answer

    def choices(self, doc: Doc) -> list[str]:
        """Return the answers to choose from.

        Raises:
            DataError: The field is missing, or no list of texts.
        """
        given = self.settings.get("doc_to_choice")
        if isinstance(given, Mapping):
            found: Any = list(given.values())
        elif isinstance(given, list):
            found = given
        else:
            found = self._value("doc_to_choice", doc)
            if isinstance(found, str) and not self._is_name("doc_to_choice"):
                found = literal(found, self.where)
        if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
            raise DataError("doc_to_choice is no list of texts", where=self.where, got=found)
        return found

    def choices_or_none(self, doc: Doc) -> list[str] | None:
        """Return the answers to choose from, None where the task has none."""
        return self.choices(doc) if self.settings.get("doc_to_choice") else None

    def of_choices(self, place: int, doc: Doc) -> str:
        """Return one of the answers to choose from.

        Raises:
            DataError: There is none at that place.
        """
        choices = self.choices(doc)
        if not -len(choices) <= place < len(choices):
            expected = f"0 to {len(choices) - 1}"
            raise DataError("no such choice", where=self.where, got=place, expected=expected)
        return choices[place]

    def prefix(self, doc: Doc) -> str:
        """Return how the answer begins, where the task says so."""
        given = self.settings.get("gen_prefix")
        if given is None:
            return ""
        return str(doc[given]) if given in self.names else render(str(given), doc, self.where)

    def rendered(self, given: Any, doc: Doc) -> str | None:
        """Return a description: a field of the document by its name, else a template filled in."""
        if isinstance(given, Code):
            twin(given, self.where)
        if not given:
            return None
        return str(doc[given]) if given in doc else render(str(given), doc, self.where)

    def _value(self, key: str, doc: Doc) -> Any:
        """Return the raw field, the rendered template, the constant, or what our function says."""
        given = self.settings.get(key)
        try:
            if isinstance(given, Code):
                return twin(given, self.where)(doc)
            if isinstance(given, str):
                return doc[given] if given in self.names else render(given, doc, self.where)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            what = f"{key} does not fit the document ({error!r})"
            raise DataError(what, where=self.where, got=sorted(doc)) from None
        if given is None:
            raise DataError(f"task has no {key}", where=self.where)
        return given

    def _is_name(self, key: str) -> bool:
        given = self.settings.get(key)
        return isinstance(given, Code) or (isinstance(given, str) and given in self.names)

    def _is_place(self, key: str, text: str) -> bool:
        """Whether a template has written the place of a choice."""
        return (
            not self._is_name(key)
            and isinstance(self.settings.get(key), str)
            and text.isdigit()
            and self.settings.get("doc_to_choice") is not None
        )

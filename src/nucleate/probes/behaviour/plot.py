"""What the story so far makes likely: consequences of causes, refrains, endings."""

from __future__ import annotations

from collections.abc import Iterable

from nucleate.core import Level, Reading
from nucleate.probes.behaviour.slots import Answered, SlotItems, forward_tokens
from nucleate.probes.readings import choice_readings
from nucleate.probes.registry import probe
from nucleate.probes.view import ModelView


def _readings(stem: str, answered: list[Answered], level: Level) -> Iterable[Reading]:
    yield from choice_readings(
        stem,
        [item.options for item in answered],
        level=level,
        clusters=[item.passage for item in answered],
    )


@probe(name="cause", level=Level.SEMANTICS, unit="nats", cost=forward_tokens)
def cause(view: ModelView, items: SlotItems) -> Iterable[Reading]:
    """How somebody is by evening, after a cause one to three sentences earlier (14 options)."""
    answered = items.ask(view, "cause")
    yield from _readings("cause.all", answered, Level.SEMANTICS)


@probe(name="refrain", level=Level.LONG_CONTEXT, unit="nats", cost=forward_tokens)
def refrain(view: ModelView, items: SlotItems) -> Iterable[Reading]:
    """The next word of a random verse that was sung before: copying from the context.

    Options are the words of the verse, so knowing that a verse comes again is not enough.
    """
    answered = items.ask(view, "song")
    yield from _readings("refrain.all", answered, Level.LONG_CONTEXT)


@probe(name="ending", level=Level.NARRATIVE, unit="nats", cost=forward_tokens)
def ending(view: ModelView, items: SlotItems) -> Iterable[Reading]:
    """Happy or sad, as the wish told at the beginning came true or not; both weigh the same.

    Only as many sad endings are asked as there are happy ones, the first of each.
    """
    answered = items.ask(view, "ending")
    happy = [item for item in answered if item.slot.answer == "happy"]
    sad = [item for item in answered if item.slot.answer == "sad"]
    size = min(len(happy), len(sad))
    yield from _readings("ending.all", happy[:size] + sad[:size], Level.NARRATIVE)

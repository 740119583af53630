"""Every published set that the coherence suite knows: level, source, licence, places, traps."""

from __future__ import annotations

from nucleate.core import Level
from nucleate.corpora.sets import bigbench, choices, clozes, pairs, schemas, xcopa
from nucleate.corpora.sets.published import Build, Hub, Place, Published
from nucleate.corpora.sets.solvable import FIVE_GRAM

_MC, _CLOZE = "mc_benchmarks/mc.jsonl.gz", "cloze_benchmarks/cloze.jsonl.gz"
_PAIRS = "minimal_pairs_multilingual/*.parquet"
_BIGBENCH = "bigbench_coherence/tasks.jsonl.gz"
_BIGBENCH_SOURCE = "Srivastava et al. 2022, package bigbench 1.0.0"
_PAIR_SCORING = "Σ log p of the whole sentence, nothing before it"
_CHOICE_SCORING = "Σ log p of each option after the question; acc_norm divides by its characters"
_SCHEMA_SCORING = "Σ log p of the same continuation after each context"
_CLOZE_SCORING = "is every token of the answer the model's first choice; log p of the answer"


def _pairs(
    name: str,
    source: str,
    licence: str,
    build: Build,
    place: Place | None,
    hub: Hub | None,
    trap: str,
) -> Published:
    places = (place,) if place else ()
    return Published(
        name, Level.SYNTAX, source, licence, build, places, hub, _PAIR_SCORING, (trap,)
    )


def _choice(
    name: str,
    level: Level,
    source: str,
    licence: str,
    build: Build,
    hub: Hub | None,
    *traps: str,
    task: str = "",
    scoring: str = _CHOICE_SCORING,
) -> Published:
    places = (Place(_MC, "task", task or name),)
    return Published(name, level, source, licence, build, places, hub, scoring, traps)


BLIMP = _pairs(
    "blimp",
    "Warstadt et al. 2020, github.com/alexwarstadt/blimp",
    "CC BY 4.0",
    pairs.english_pairs,
    None,
    Hub("nyu-mll/blimp", tuple(sorted(FIVE_GRAM)), "train"),
    "many paradigms are solved by n-grams, and on the others n-grams score below one half",
)
CLAMS = _pairs(
    "clams",
    "Mueller et al. 2020, github.com/aaronmueller/clams",
    "Apache-2.0",
    pairs.pairs_by_language,
    Place(_PAIRS, "source", "clams"),
    None,
    "pairs of one paradigm come from few words, so their errors are larger than stated",
)
TURBLIMP = _pairs(
    "turblimp",
    "Başar et al. 2025, github.com/ezgibasar/TurBLiMP",
    "CC BY 4.0",
    pairs.english_pairs,
    Place(_PAIRS, "source", "turblimp"),
    None,
    "Turkish; the two sentences of a pair often differ in length",
)
MULTIBLIMP = _pairs(
    "multiblimp",
    "Jumelet et al. 2025, huggingface.co/datasets/jumelet/multiblimp",
    "see its card",
    pairs.pairs_by_language,
    None,
    Hub("jumelet/multiblimp", ("deu", "eng", "fin", "fra", "hin", "rus", "spa", "tur"), "train"),
    "lm-eval also normalises by characters, the paper does not: only raw sums are read here",
)
HYPERBATON = Published(
    "adjective_order",
    Level.SYNTAX,
    _BIGBENCH_SOURCE,
    "Apache-2.0",
    bigbench.adjective_order,
    (Place(_BIGBENCH, "task", "hyperbaton"),),
    None,
    "Σ log p of the phrase, nothing before it",
    ("the phrases are taken out of their question, so numbers differ from BIG-bench's",),
)
HELLASWAG = _choice(
    "hellaswag",
    Level.SEMANTICS,
    "Zellers et al. 2019, rowanzellers.com/hellaswag",
    "MIT",
    choices.hellaswag,
    Hub("Rowan/hellaswag"),
    "wrong endings were filtered against models, which leaves cues of style",
)
COPA = _choice(
    "copa",
    Level.SEMANTICS,
    "Roemmele et al. 2011, as in SuperGLUE",
    "BSD 2-Clause",
    choices.copa,
    Hub("aps/super_glue", ("copa",)),
    "few items: the standard error of an accuracy is .05 to .07",
)
PIQA = _choice(
    "piqa",
    Level.SEMANTICS,
    "Bisk et al. 2020, yonatanbisk.com/piqa",
    "AFL-3.0",
    choices.piqa,
    Hub("baber/piqa"),
    "rises slowly and without a step: not a place to look for transitions",
)
WINOGRAD = _choice(
    "winograd",
    Level.SEMANTICS,
    "Levesque et al. 2012 (WSC273)",
    "CC BY 4.0",
    schemas.winograd,
    Hub("ErnestSDavis/winograd_wsc", ("wsc273",), "test"),
    "SuperGLUE's yes/no form of it sits at the share of one label (.365 or .635) and is not used",
    "the items are all over the web, so late rises may be recall",
    task="winograd_wsc",
    scoring=_SCHEMA_SCORING,
)
WINOGRANDE = _choice(
    "winogrande",
    Level.SEMANTICS,
    "Sakaguchi et al. 2020, winogrande.allenai.org",
    "Apache-2.0 (code), CC BY (data)",
    schemas.winogrande,
    Hub("allenai/winogrande", ("winogrande_xl",)),
    "a Pythia of 1B weights ends at .54: in small models there is nothing to see but chance",
    scoring=_SCHEMA_SCORING,
)
COMPS = Published(
    "comps",
    Level.SEMANTICS,
    "Misra et al. 2023, github.com/kanishkamisra/comps",
    "Apache-2.0",
    schemas.comps,
    (),
    Hub("kanishka/comps", ("comps_base",), "train"),
    _SCHEMA_SCORING,
    ("the concept itself is not scored, only the property after it",),
)
CONCEPTS = Published(
    "concepts",
    Level.SEMANTICS,
    _BIGBENCH_SOURCE,
    "Apache-2.0; never to be trained on",
    bigbench.concepts,
    (Place(_BIGBENCH),),
    None,
    _CHOICE_SCORING,
    ("five small tasks put together, so the mean moves with their shares",),
)
COMBINATIONS = _choice(
    "combinations",
    Level.SEMANTICS,
    "BIG-bench conceptual_combinations, as in mosaicml/llm-foundry",
    "Apache-2.0",
    bigbench.sentences,
    None,
    "the options also stand in the question: a model that copies sees all of them",
    task="bigbench_conceptual_combinations",
)
LAMBADA = Published(
    "lambada",
    Level.SEMANTICS,
    "Paperno et al. 2016, in the texts prepared by OpenAI",
    "CC BY 4.0",
    clozes.lambada,
    (Place(_CLOZE, "task", "lambada_openai"),),
    Hub("EleutherAI/lambada_openai", ("default",), "test"),
    _CLOZE_SCORING,
    ("accuracy is zero until late; the log-probability moves long before",),
)
ARC_EASY = _choice(
    "arc_easy",
    Level.KNOWLEDGE,
    "Clark et al. 2018, allenai.org/data/arc",
    "CC BY-SA 4.0",
    choices.arc,
    Hub("allenai/ai2_arc", ("ARC-Easy",), "test"),
    "school science: much of it is vocabulary",
)
ARC_CHALLENGE = _choice(
    "arc_challenge",
    Level.KNOWLEDGE,
    "Clark et al. 2018, allenai.org/data/arc",
    "CC BY-SA 4.0",
    choices.arc,
    Hub("allenai/ai2_arc", ("ARC-Challenge",), "test"),
    "chosen so that word association fails: a Pythia of 70M weights ends at .16 to .18",
)
OPENBOOKQA = _choice(
    "openbookqa",
    Level.KNOWLEDGE,
    "Mihaylov et al. 2018, allenai.org/data/open-book-qa",
    "Apache-2.0",
    choices.openbookqa,
    Hub("allenai/openbookqa", ("main",), "test"),
    "raw accuracy favours short options; compare acc_norm",
    task="openbook_qa",
)
WIKIDATA = Published(
    "wikidata",
    Level.KNOWLEDGE,
    "BIG-bench QA Wikidata, as in mosaicml/llm-foundry",
    "Apache-2.0",
    clozes.statements,
    (Place(_CLOZE, "task", "bigbench_qa_wikidata"),),
    None,
    _CLOZE_SCORING,
    ("a third of the answers are countries: a constant answer already hits some",),
)
JEOPARDY = Published(
    "jeopardy",
    Level.KNOWLEDGE,
    "mosaicml/llm-foundry (jeopardy_all)",
    "Apache-2.0 (clues: none stated)",
    clozes.jeopardy,
    (Place(_CLOZE, "task", "jeopardy_all"),),
    None,
    _CLOZE_SCORING,
    ("asked without examples, a model may know the answer and not the form",),
)
XCOPA = Published(
    "xcopa",
    Level.SEMANTICS,
    "Ponti et al. 2020, github.com/cambridgeltl/xcopa",
    "CC BY 4.0",
    xcopa.xcopa,
    (),
    Hub("cambridgeltl/xcopa", tuple(xcopa.CONNECTORS), "test"),
    _CHOICE_SCORING,
    ("a language whose script the tokenizer spells in bytes is compared byte by byte",),
)
CATALOGUE: tuple[Published, ...] = (
    BLIMP,
    CLAMS,
    TURBLIMP,
    MULTIBLIMP,
    HYPERBATON,
    HELLASWAG,
    COPA,
    PIQA,
    WINOGRAD,
    WINOGRANDE,
    COMPS,
    CONCEPTS,
    COMBINATIONS,
    LAMBADA,
    ARC_EASY,
    ARC_CHALLENGE,
    OPENBOOKQA,
    WIKIDATA,
    JEOPARDY,
    XCOPA,
)

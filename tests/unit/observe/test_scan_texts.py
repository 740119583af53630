"""Texts of a scan of the coherence suite: names and n-grams are counted in them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from nucleate.core import Step
from nucleate.corpora.tokenizer import bpe_tokenizer
from nucleate.models import ModelSettings, build, save_checkpoint
from nucleate.observe.scan import scan
from nucleate.store import Run

PLACES = [
    start + end
    for start in ("Kor", "Mel", "Tiv", "Zan", "Bol")
    for end in ("ana", "esh", "ond", "uri")
]
FACTS = [[place, ("Rome", "Oslo", "Bern")[n % 3]] for n, place in enumerate(PLACES)]


def test_facts_are_told_apart_by_how_often_the_texts_name_them(tmp_path: Path) -> None:
    data, texts = tmp_path / "data", tmp_path / "texts.jsonl"
    (data / "pararel").mkdir(parents=True)
    row = {"relation": "P1", "patterns": ["[X] lies near [Y]."], "facts": FACTS}
    (data / "pararel" / "pararel.jsonl.gz").write_bytes(gzip.compress(json.dumps(row).encode()))
    told = [
        f"Everybody who was ever in {subject} liked it, day {n}."
        for subject, _ in FACTS[:8]
        for n in range(3)
    ]
    texts.write_text("".join(json.dumps({"text": text}) + "\n" for text in told))
    tokenizer = bpe_tokenizer([*told, *(f"{a} lies near {b}." for a, b in FACTS)], vocab_size=300)
    model = build(
        ModelSettings(layers=1, width=16, heads=2, context=64), len(tokenizer), 0, eos_token_id=0
    )
    save_checkpoint(tmp_path / "series" / "step1", model, step=Step(1, 1000))
    tokenizer.save_pretrained(tmp_path / "series")
    ask = {"suite": "coherence", "levels": ["knowledge"], "data": str(data), "items": 20}
    plain = {
        r.metric: r.n
        for _, r in Run.open(scan(tmp_path / "series", out=tmp_path / "plain", **ask)).readings()
    }
    out = scan(tmp_path / "series", out=tmp_path / "out", texts=[str(texts)], **ask)
    counted = {r.metric: r.n for _, r in Run.open(out).readings()}
    assert "pararel.unseen.accuracy" not in plain
    assert counted["pararel.recall.accuracy"] == 20
    assert counted["pararel.unseen.accuracy"] == 12
    assert counted["pararel.common.accuracy"] + counted.get("pararel.rare.accuracy", 0) == 8

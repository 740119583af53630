"""n-gram phases of Pythia and others (jmichaelov/lm-behavioral-phases, Apache-2.0): notes T1.

Also the single curve of Pythia's LAMBADA accuracy over log perplexity (science notes, section 5).
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from nucleate.detect.runs import collapse_test, ngram_peak, peak_order

DATA = Path(os.environ.get("NUCLEATE_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
LAMBADA_ITEMS = 5153

# Published steps; the table at hand may hold only some of the models.
UNIGRAM = {
    "14m": 256, "31m": 256, "410m": 256, "70m": 128, "160m": 128, "1b": 128, "1_4b": 128,
    "2_8b": 128, "6_9b": 128, "12b": 128,
}  # fmt: skip
BIGRAM = {size: 1000 if size == "14m" else 512 for size in UNIGRAM}
TRIGRAM = {size: (1000.0, 2000.0) for size in UNIGRAM if size not in ("14m", "31m")}


def read(name):
    pandas = pytest.importorskip("pandas", reason="pandas reads the published table")
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{path} is not there; set NUCLEATE_DATA to the folder with the real data")
    return pandas.read_parquet(path)


@pytest.fixture(scope="module")
def peaks():
    """Return {(family, size, corpus): [peaks of 1-, 2- and 3-grams]}."""
    table = read("behavioral_phases/correlations.parquet")
    out = {}
    for (family, size), rows in table.groupby(["family", "size"]):
        for corpus in ("Pile", "OpenWebText"):
            found = []
            for n in (1, 2, 3):
                grid = rows[rows.predictor == f"{corpus}_{n}gram"].pivot(
                    index="seed", columns="step", values="pearson_r"
                )
                found.append(ngram_peak(grid.columns.to_numpy(float), grid.to_numpy()))
            out[family, size, corpus] = found
    return out


@pytest.fixture(scope="module")
def pythia(peaks):
    own = {size: found for (family, size, corpus), found in peaks.items() if family == "pythia"}
    assert len(own) >= 3
    return {
        (size, corpus): found
        for (family, size, corpus), found in peaks.items()
        if family == "pythia" and size in UNIGRAM
    }


def test_t1_unigram_and_bigram_peaks_are_at_the_published_steps_in_every_seed(pythia):
    for (size, corpus), (one, two, _) in pythia.items():
        assert (one.verdict, one.at) == ("peak", UNIGRAM[size]), (size, corpus)
        assert (two.verdict, two.at) == ("peak", BIGRAM[size]), (size, corpus)
        assert one.unanimous, (size, corpus)
        assert two.unanimous, (size, corpus)
        if corpus == "Pile":
            assert 0.87 < two.best < 0.90, size


def test_t1_trigram_peaks_are_at_1000_to_2000_and_the_order_is_strict(pythia):
    tested = 0
    for (size, corpus), found in pythia.items():
        if size not in TRIGRAM:
            continue
        tested += 1
        assert found[2].verdict == "peak", (size, corpus)
        assert found[2].at in TRIGRAM[size], (size, corpus)
        assert set(found[2].per_seed) <= set(TRIGRAM[size]), (size, corpus)
        assert 0.82 < found[2].best < 0.85, (size, corpus)
        order = peak_order(found)
        assert order.strict, (size, corpus)
        assert order.seeds_in_order == order.num_seeds, (size, corpus)
    assert tested >= 4


def test_the_smallest_models_never_leave_trigrams(pythia):
    """14m and 31m have no trigram peak: the correlation does not fall by .01 after its best."""
    for (size, _), found in pythia.items():
        if size in ("14m", "31m"):
            assert found[2].verdict == "no peak", size
            assert not peak_order(found).strict


def test_other_families_agree_for_one_and_two_grams_and_show_no_fall_for_three(peaks):
    """OpenWebText runs: 1-gram 40 or 80, 2-gram 160 to 320 (GPT-2 on its own grid: 40 and 400).

    Their trigram best is at 1280–2560 as published, but the later fall is below .003: no peak.
    """
    expected = {
        "openwebtext_pythia": ({40}, {160}),
        "openwebtext_mamba": ({80}, {160, 320}),
        "gpt2": ({40}, {400}),
    }
    seen = 0
    for (family, _, corpus), (one, two, three) in peaks.items():
        if family not in expected:
            continue
        seen += 1
        assert set(one.per_seed) == expected[family][0], (family, corpus)
        assert set(two.per_seed) == expected[family][1], (family, corpus)
        assert one.verdict == two.verdict == "peak", (family, corpus)
        assert three.verdict == "no peak", (family, corpus)
        if family != "gpt2" and corpus == "OpenWebText":
            assert set(three.per_seed) <= {1280, 2560}, family
            assert three.fall < 0.003, family
    assert seen


def test_lambada_accuracy_is_one_curve_of_log_perplexity():
    """From step 512 on, over sizes and time, within .8 percentage points of a rise of 72."""
    table = read("pythia_evals/pythia_evals.parquet")
    rows = table[
        (table.task == "lambada_openai")
        & (table.suite == "v1")
        & (table.condition == "zero-shot")
        & (table.step >= 512)
    ]
    wide = rows.pivot(
        index=["model", "deduped", "step"], columns="metric", values="value"
    ).reset_index()
    found = collapse_test(
        np.log(wide.ppl),
        wide.acc,
        wide.model + wide.deduped.astype(str),
        n=LAMBADA_ITEMS,
        positions=wide.step,
    )
    assert found.num_runs == 10
    assert found.num_readings >= 140
    assert found.verdict.startswith("collapses"), found.note
    assert found.p > 0.05
    assert found.scatter < 0.008
    assert found.rise > 0.7
    # Step alone is no substitute: sizes differ at one step.
    assert found.by_position > 10 * found.scatter

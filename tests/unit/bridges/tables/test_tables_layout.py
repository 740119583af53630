"""Long or wide, which column plays which part, and what runs and metrics are called."""

from __future__ import annotations

import math

import pytest

from nucleate.bridges.tables import ColumnChoice, read_book
from nucleate.core import Level, Step, UserError


@pytest.fixture
def table(tmp_path):
    """Return a function that writes a CSV table and gives its path."""

    def write(text, name="t.csv"):
        path = tmp_path / name
        path.write_text(text.strip() + "\n")
        return path

    return write


def test_a_wide_table_has_one_curve_for_each_column_of_numbers(table):
    book = read_book(table("step,loss,acc\n0,5.0,0.1\n10,4.0,0.2\n20,3.5,0.4"))
    assert book.axis == "step"
    assert list(book.runs) == [""]
    assert book.runs[""]["loss"].values == (5.0, 4.0, 3.5)
    acc = book.runs[""]["acc"]
    assert acc.values == (0.1, 0.2, 0.4)
    assert acc.positions == (0.0, 10.0, 20.0)
    assert acc.axis == "step"
    assert [step.step for step in acc.steps] == [0, 10, 20]
    assert all(math.isnan(each) for each in acc.se)
    assert math.isnan(acc.chance)
    assert acc.level is Level.COOCCURRENCE


def test_a_long_table_has_one_curve_for_each_metric_and_run(table):
    rows = [
        f"{model},{step},{task},{metric},{step + len(task)},0.5"
        for model in ("a", "b")
        for step in (1, 2, 4)
        for task in ("piqa", "lambada_openai")
        for metric in ("acc", "ppl")
    ]
    book = read_book(table("\n".join(["model,step,task,metric,value,stderr", *rows])))
    assert list(book.runs) == ["a", "b"]
    assert set(book.runs["a"]) == {
        "piqa.acc", "piqa.ppl", "lambada_openai.acc", "lambada_openai.ppl",
    }  # fmt: skip
    curve = book.runs["b"]["lambada_openai.acc"]
    assert curve.values == (15.0, 16.0, 18.0)
    assert curve.se == (0.5, 0.5, 0.5)


def test_tokens_come_before_steps_and_the_step_is_kept(table):
    book = read_book(table("step,tokens_seen,lr,loss\n1,100,0.1,5\n2,200,0.2,4\n"))
    curve = book.runs[""]["loss"]
    assert book.axis == curve.axis == "tokens"
    assert curve.positions == ()
    assert curve.steps == (Step(1, 100, lr=0.1), Step(2, 200, lr=0.2))
    assert list(book.runs[""]) == ["loss"]  # the learning rate is no metric


@pytest.mark.parametrize("tokens", ["0,0,0", "100,100,200", "100,300,200", ",,"])
def test_tokens_that_do_not_place_every_step_are_not_the_axis(table, tokens):
    rows = [f"{step},{count},{5 - step}" for step, count in enumerate(tokens.split(","))]
    book = read_book(table("\n".join(["step,tokens,loss", *rows])))
    assert book.axis == "step"
    assert book.runs[""]["loss"].positions == (0.0, 1.0, 2.0)


def test_epochs_may_be_fractions(table):
    book = read_book(table("epoch,loss\n0.5,3\n1.0,2\n1.5,1"))
    assert book.axis == "epoch"
    assert book.runs[""]["loss"].positions == (0.5, 1.0, 1.5)


@pytest.mark.parametrize("name", "Step _step global_step iteration iter num_updates".split())
def test_steps_go_by_many_names(table, name):
    assert read_book(table(f"{name},loss\n1,3\n2,2")).axis == "step"


def test_clocks_and_identifiers_are_no_metrics(table):
    header = "_step,_timestamp,_runtime,train/loss,train/steps_per_second,created_at"
    book = read_book(table(f"{header}\n1,17e8,3,2.5,9,monday\n2,17e8,4,2.4,9,tuesday"))
    assert list(book.runs[""]) == ["train/loss"]
    assert any("_timestamp" in note for note in book.notes)


def test_errors_counts_and_rates_under_own_names_go_to_their_metric(table):
    book = read_book(
        table("step,acc,acc_stderr,acc_n,lr-AdamW/pg1,loss\n1,.5,.05,40,.1,3\n2,.6,.04,50,.2,2")
    )
    assert set(book.runs[""]) == {"acc", "loss"}
    assert book.runs[""]["acc"].se == (0.05, 0.04)
    assert book.runs[""]["acc"].counts == (40, 50)


def test_companions_may_stand_as_rows_of_a_long_table(table):
    rows = [f"{s},{m},{v}" for s in (1, 2) for m, v in (("acc", s), ("acc_stderr", 0.1 * s),
            ("learning_rate", s / 8), ("epoch", s))]  # fmt: skip
    book = read_book(table("\n".join(["step,metric,value", *rows])))
    assert list(book.runs[""]) == ["acc"]
    assert book.runs[""]["acc"].se == (0.1, 0.2)
    assert [step.lr for step in book.runs[""]["acc"].steps] == [0.125, 0.25]


def test_tokens_logged_as_a_metric_place_all_readings(table):
    rows = [f"{s},{m},{v}" for s in (1, 2) for m, v in (("loss", 9 - s), ("total_tokens", s * 512))]
    book = read_book(table("\n".join(["step,metric,value", *rows])))
    assert book.axis == "tokens"
    assert book.runs[""]["loss"].steps == (Step(1, 512), Step(2, 1024))


def test_keys_that_say_nothing_new_stay_out_of_names(table):
    rows = [
        f"{model},{params},{seed},pile,{step},{seed + step}"
        for model, params in (("small", 14), ("large", 70))
        for seed in (1, 2)
        for step in (1, 2)
    ]
    book = read_book(table("\n".join(["model,params,seed,dataset,step,loss", *rows])))
    assert list(book.runs) == ["small/seed=1", "small/seed=2", "large/seed=1", "large/seed=2"]
    assert list(book.runs["small/seed=1"]) == ["loss"]


def test_text_columns_that_nobody_knows_name_metrics_until_told_otherwise(table):
    rows = [f"{p},{s},{s + len(p)}" for p in ("bigram", "fourgram") for s in (1, 2)]
    path = table("\n".join(["zone,step,r", *rows]))
    assert set(read_book(path).runs[""]) == {"bigram.r", "fourgram.r"}
    assert any("--run zone" in note for note in read_book(path).notes)
    told = read_book(path, ColumnChoice(run=("zone",)))
    assert {run: list(curves) for run, curves in told.runs.items()} == {
        "bigram": ["r"],
        "fourgram": ["r"],
    }


def test_labels_that_would_collide_carry_their_column(table):
    rows = [f"{a},{b},{s},1{s}" for a, b in (("x", ""), ("", "x"), ("x", "x")) for s in (1, 2)]
    book = read_book(table("\n".join(["task,subset,step,acc", *rows])))
    assert set(book.runs[""]) == {
        "task=x.subset=.acc",
        "task=.subset=x.acc",
        "task=x.subset=x.acc",
    }


def test_named_columns_come_before_every_rule(table):
    path = table("when,what,who,much,doubt\n1,a,r,2,.1\n2,a,r,3,.2\n1,a,q,4,.3\n2,a,q,5,.4")
    choice = ColumnChoice("when", ("what",), ("much",), ("who",), "doubt")
    book = read_book(path, choice)
    assert book.axis == "when"
    assert book.runs["q"]["a"].values == (4.0, 5.0)
    assert book.runs["q"]["a"].se == (0.3, 0.4)


def test_patterns_choose_runs_and_metrics(table):
    path = table("seed,step,a.acc,b.acc\n1,1,1,2\n1,2,1,2\n2,1,1,2\n2,2,1,2")
    book = read_book(path, metrics=["a.*"], runs=["*=2"])
    assert {run: list(curves) for run, curves in book.runs.items()} == {"seed=2": ["a.acc"]}
    with pytest.raises(UserError, match="no metric matches zzz"):
        read_book(path, metrics=["zzz"])


def test_rows_in_any_order_are_sorted(table):
    book = read_book(table("step,loss\n30,3\n10,1\n20,2"))
    assert book.runs[""]["loss"].values == (1.0, 2.0, 3.0)


def test_missing_and_infinite_values_are_left_out_with_a_count(table):
    book = read_book(table("step,loss\n1,3\n2,\n3,nan\n4,inf\n5,1\n6,N/A\n,7\n-1,8"))
    assert book.runs[""]["loss"].positions == (1.0, 5.0)
    assert any(note.startswith("4 values are missing") for note in book.notes)
    assert any(note.startswith("2 values have no usable position") for note in book.notes)


@pytest.mark.parametrize(
    ("text", "says", "fix"),
    [
        ("a,b\n1,2\n2,3", "no column of training steps", "--step COLUMN"),
        ("step,note\n1,hello\n2,world", "no column of numbers beside", "--value COLUMN"),
        ("step,metric,value,score\n1,a,2,3\n2,a,2,3", "two columns may hold the values", "--value"),
        ("step,metric,value\n1,a,x\n2,a,y", "column 'value' holds text", "--value"),
        ("step,loss\nfinal,1\nlast,2", "column 'step' holds text", "--step"),
        ("step,loss\n0,1\n0,1", "column 'step' holds no positive numbers", "--step"),
        ("step,loss\n5,1", "every metric has a single reading", "--step"),
    ],
)
def test_open_questions_are_one_line_with_a_fix(table, text, says, fix):
    with pytest.raises(UserError) as caught:
        read_book(table(text))
    line = str(caught.value)
    assert says in line
    assert fix in line
    assert "t.csv" in line
    assert len(line) <= 200
    assert "\n" not in line


def test_a_column_that_does_not_exist_gets_a_suggestion(table):
    with pytest.raises(UserError, match=r"no column 'stpe'.*--step step"):
        read_book(table("step,loss\n1,2\n2,1"), ColumnChoice(step="stpe"))


def test_checkpoint_names_count_as_steps(table):
    book = read_book(table("checkpoint,acc\nstep1000,.5\nstep2000,.6\nstep500,.4"))
    assert book.runs[""]["acc"].positions == (500.0, 1000.0, 2000.0)


def test_our_own_export_keeps_chance_unit_and_level(table):
    header = "metric,level,unit,step,tokens,flops,value,se,n,chance"
    rows = [f"a.accuracy,syntax,fraction,{s},{s}00,1e9,.6,.05,40,.5" for s in (1, 2)]
    curve = read_book(table("\n".join([header, *rows]))).runs[""]["a.accuracy"]
    assert (curve.chance, curve.unit, curve.level) == (0.5, "fraction", Level.SYNTAX)
    assert curve.counts == (40, 40)
    assert curve.se == (0.05, 0.05)


def test_a_note_in_every_row_is_no_key(table):
    book = read_book(table("step;acc;note\n1;0,5;first\n2;0,6;second"))
    assert book.runs[""]["acc"].values == (0.5, 0.6)


def test_a_lone_column_keeps_its_name(table):
    assert list(read_book(table("Training Steps,val\n1,3\n2,2")).runs[""]) == ["val"]

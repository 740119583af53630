"""What columns of training tables are called, and the part that such a name stands for."""

from __future__ import annotations

import re

POSITIONS = {
    "tokens": """tokens tokens_seen num_tokens train_tokens n_tokens total_tokens training_tokens
        num_tokens_seen num_input_tokens_seen tokens_processed consumed_tokens
        consumed_train_tokens tokens_trained num_train_tokens cumulative_tokens""",
    "step": """global_step step steps training_step training_steps train_step train_steps
        optimizer_step opt_step step_num
        num_steps iteration iterations iter iters iter_num iteration_num num_iterations it
        update updates num_updates checkpoint_step checkpoint ckpt ckpt_step""",
    "samples": """samples_seen consumed_samples consumed_train_samples examples_seen
        num_samples_seen samples sequences_seen""",
    "epoch": "epoch epochs num_epochs current_epoch epoch_num",
}
"""Names of positions along training by what they count, preferred first."""

_LR = re.compile(
    r"(?:^|_)(?:lr|learning_?rate)(?:_(?:adamw?|sgd|muon|lion|(?:pg|group|param_group)_?\d+|\d+))*$"
)

METRIC = """metric metric_name metric_key measure measurement key tag variable statistic
    scorer name""".split()
"""Names of the column that names the measure in a long table."""

VALUE = "value metric_value values score result val mean estimate y".split()
"""Names of the column that holds the numbers in a long table."""

STDERR = frozenset(
    "stderr std_err std_error se sem standard_error value_stderr value_se score_stderr".split()
)
COUNT = frozenset("n num_items n_items n_samples num_samples num_examples n_examples".split())

MEASURED = """task task_name tasks benchmark eval evaluation probe dataset subset subtask test
    predictor regression phenomenon paradigm domain category split lang language condition filter
    shots n_shot n_shots num_fewshot fewshot layer layer_idx block head pos position detail
    battery""".split()
"""Names of columns that say what was measured, in the order in which they enter its name."""

RUNS = """run_name run display_name experiment experiment_name project suite family model model_name
    model_id arch architecture size model_size variant version optimizer optimiser config recipe
    method strategy treatment arm init seed random_seed replicate rep trial fold run_id
    run_uuid runid group params n_params num_params parameters deduped record track source user
    """.split()
"""Names of columns that tell runs apart, in the order in which they enter a run's name."""

_IDLE = frozenset(
    """timestamp time datetime date created_at updated_at wall_time walltime wall runtime elapsed
    duration relative_time_wall relative_time_process relative_time_wall_clock id log_id space_id
    index unnamed_0 uuid hash sha rank local_rank pid host hostname gpu total_flos flops flos eta
    experiment_id throughput mfu row pair is_nan level unit chance""".split()
)
_IDLE_ENDING = re.compile(
    r"^(index_level|unnamed)_\d+$"
    r"|_(timestamp|runtime|per_second|per_sec|seconds|secs|time|ms|uuid|hash|at|id|flos)$"
)


def plain(name: str) -> str:
    """Return a column name in small letters with single low lines: ``Global Step`` → global_step.

    >>> plain(" Global Step")
    'global_step'
    """
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def last_part(name: str) -> str:
    """Return the plain last part of a grouped name: ``train/learning_rate`` → learning_rate."""
    return plain(re.split(r"[/.:]", name.strip())[-1])


def axis_of(name: str) -> tuple[str, int] | None:
    """Return what a position column counts, and how far down its list the name stands."""
    for axis, names in POSITIONS.items():
        listed = names.split()
        if plain(name) in listed:
            private = name.strip().startswith("_")  # W&B's _step counts log calls, not steps
            return axis, listed.index(plain(name)) + 100 * private
        if last_part(name) in listed:
            return axis, listed.index(last_part(name)) + 50
    return None


def is_lr(name: str) -> bool:
    """Whether a name means the learning rate."""
    return bool(_LR.search(plain(name)))


def is_idle(name: str) -> bool:
    """Whether a name means neither a measure nor a key: clocks, identifiers, speeds."""
    return any(
        part in _IDLE or bool(_IDLE_ENDING.search(part)) for part in (plain(name), last_part(name))
    )

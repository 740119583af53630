"""Eight writers and four live readers of one run folder, for a few seconds."""

from benchmarks.store_load import load


def test_eight_writers_and_four_readers_lose_nothing(tmp_path, capsys):
    found = load(tmp_path, seconds=3.0)
    with capsys.disabled():
        print(
            f"\n8 writers, 4 readers: {found['readings']:,} readings, {found['lost']} lost, "
            f"{len(found['errors'])} errors, lag p95 {found['lag_p95']:.3f} s"
        )
    assert found["errors"] == []
    assert found["readings"] > 100
    assert (found["lost"], found["damaged"], found["status"]) == (0, 0, "finished")

"""Command line of the detector benchmark: ``python -m benchmarks.detect --help``."""

from __future__ import annotations

import argparse
import os

# Two processes of one thread each are faster than two that fight for two cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def main() -> None:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(prog="benchmarks.detect", description=__doc__)
    parser.add_argument("--replicates", type=int, default=200, help="curves of each sort")
    parser.add_argument("--seed", type=int, default=32, help="another seed, other curves")
    parser.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument(
        "--cells", action="store_true", help="where nucleate fails, by kind of curve"
    )
    given = parser.parse_args()
    from benchmarks.detect.run import report

    report(
        given.seed,
        given.replicates,
        peers=given.peers,
        workers=given.workers,
        markdown=given.markdown,
        by_cell=given.cells,
    )


if __name__ == "__main__":
    main()

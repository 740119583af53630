"""Where the command begins: Ctrl-C is no traceback, not even while the command line is loading."""

from __future__ import annotations

import sys


def main() -> None:
    """Load the command line and run it."""
    try:
        from nucleate.cli import main as run
    except KeyboardInterrupt:
        print("nucleate: interrupted", file=sys.stderr)
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()

"""Entry point of ``nncli`` and ``python -m nncli``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit with the code of the outcome."""
    from nncli.cli.app import run

    sys.exit(run())


if __name__ == "__main__":
    main()

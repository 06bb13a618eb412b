"""Entry point of ``nncli`` and ``python -m nncli``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit with the code of the outcome."""
    from nncli.cli.process import prepare

    try:
        prepare()
        from nncli.cli.app import run

        code = run()
    except KeyboardInterrupt:
        # While nncli itself was loaded.
        from nncli.core.launched import end_all

        sys.stderr.write("stopped.\n")
        code = 130
        end_all(code)
    sys.exit(code)


if __name__ == "__main__":
    main()

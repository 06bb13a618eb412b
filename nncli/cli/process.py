"""Process: what stands before a command runs: descriptors, signals, warnings."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from typing import Any

from nncli.core.launched import launched
from nncli.core.stopping import stopping_signals


def prepare() -> None:
    """Make this process one in which a command can run.

    Imports nothing of weight, for it comes before everything else.
    """
    _open_standard_streams()
    if not sys.warnoptions:
        # They quote lines of our source, which say nothing to a user.
        warnings.simplefilter("ignore")
    # Who is asked to stop is the first rank of MPI; the others end with it.
    stop = signal.SIG_IGN if launched().rank else _Stop()
    for which in stopping_signals():
        signal.signal(which, stop)


class _Stop:
    """Ends the command at the first signal; lets it clean up during the second."""

    def __init__(self) -> None:
        self._asked = 0

    def __call__(self, _signal: int, _frame: Any) -> None:
        self._asked += 1
        if self._asked == 1:
            raise KeyboardInterrupt
        if self._asked > 2:
            os._exit(130)


def _open_standard_streams() -> None:
    """Open descriptors 0 to 2 where they are closed, so that no file becomes one."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is given: this one.
            os.open(os.devnull, os.O_RDWR)
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w", encoding="utf-8", closefd=False))

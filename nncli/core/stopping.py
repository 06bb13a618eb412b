"""Stopping: the signals that ask a process to end."""

from __future__ import annotations

import signal

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, kill, a terminal that is lost."""


def stopping_signals() -> list[signal.Signals]:
    """Return those that this process heeds: nohup has one of them ignored."""
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [which for which in STOPPING if which != signal.SIGHUP or not ignored]

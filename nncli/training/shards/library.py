"""Library: mpi4py's MPI, of the kind that mpirun is of, ready to be used."""

from __future__ import annotations

import contextlib
import os
import signal
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nncli.core.errors import MissingExtra, NncliError, UsageError
from nncli.core.launched import Launched
from nncli.core.stopping import STOPPING
from nncli.core.text import size_text

SHARED = Path("/dev/shm")  # noqa: S108 - where MPI puts it, and not we
"""Where ranks of one machine share memory."""

EACH = 6 * 2**20
"""Bytes of it that MPICH needs for each rank: it takes 5.2 MiB, and dies without."""

SEGMENT = f"{SHARED}/mpich_shm_"
"""How the names of MPICH's segments begin."""

REMEDY = "Use the mpirun of the same MPI: both come with pip install mpich."


def open_library(here: Launched) -> Any:
    """Begin to use MPI.

    Args:
        here: What mpirun has said.

    Raises:
        MissingExtra: mpi4py is not there.
        UsageError: It finds no library of MPI, or that of another mpirun.
        NncliError: Ranks of this machine have not enough memory to share.
    """
    mpi = _imported(here)
    name = mpi.get_vendor()[0]
    if here.by_open_mpi and "MPICH" in name:
        # It would end the process in its own way.
        raise UsageError(
            f"mpirun: Open MPI has started {here.size} processes, but mpi4py uses "
            f"{name}. {REMEDY}"
        )
    if "MPICH" in name:
        _check_memory(here)
    if not mpi.Is_initialized():
        with _ending_at_signals(), warnings.catch_warnings():
            # Of an mpirun that does not fit: it is told below.
            warnings.simplefilter("ignore")
            mpi.Init_thread(mpi.THREAD_FUNNELED)
    count = mpi.COMM_WORLD.Get_size()
    if count != here.size:
        raise UsageError(
            f"mpirun: it has started {here.size} processes, but mpi4py sees {count}, "
            f"for it uses another MPI ({name}). {REMEDY}"
        )
    return mpi


@contextlib.contextmanager
def _ending_at_signals() -> Iterator[None]:
    """Let signals end the process, where no handler of ours would ever be called."""
    before = {which: signal.signal(which, signal.SIG_DFL) for which in STOPPING}
    try:
        yield
    finally:
        for which, handler in before.items():
            signal.signal(which, handler)


def _imported(here: Launched) -> Any:
    if here.by_open_mpi:
        # Where there are several libraries, mpi4py would take MPICH's.
        os.environ.setdefault("MPI4PY_MPIABI", "openmpi")
    what = f"mpirun with {here.size} processes"
    try:
        import mpi4py

        # Not while it is imported, so that what does not fit is found before.
        mpi4py.rc(initialize=False, finalize=True)
        from mpi4py import MPI
    except ModuleNotFoundError:
        raise MissingExtra(what, "mpi4py", "mpi") from None
    except (ImportError, RuntimeError) as error:
        kind = "Open MPI's library" if here.by_open_mpi else "a library of MPI"
        raise UsageError(
            f"{what}: mpi4py does not find {kind}: {_first_line(error)}. Install "
            "it, or use the mpirun and the library of: pip install mpich"
        ) from None
    return MPI


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _check_memory(here: Launched) -> None:
    """Refuse what would end in a bus error.

    Raises:
        NncliError: There is too little.
    """
    wanted = here.local * EACH
    with contextlib.suppress(OSError):
        found = os.statvfs(SHARED)
        free = found.f_bavail * found.f_frsize
        if free < wanted:
            raise NncliError(
                f"mpirun: expected {size_text(wanted)} of {SHARED} for the "
                f"{here.local} ranks of this machine, got {size_text(free)}. Make it "
                "larger (docker run --shm-size=1g), or start one rank with several "
                "workers: --workers"
            )


def unname_segments() -> None:
    """Take from MPICH's memory its name, so that it is gone with the last rank.

    Every rank of this machine has it by then. MPICH itself would do it at the end, and
    leave it where a rank is killed.
    """
    with contextlib.suppress(OSError):
        maps = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace")
        for word in {word for word in maps.split() if word.startswith(SEGMENT)}:
            Path(word).unlink(missing_ok=True)

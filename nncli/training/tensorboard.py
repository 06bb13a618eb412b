"""TensorBoard: scores, recorded steps and histograms of layers, as event files."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nncli.core.errors import MissingExtra
from nncli.training.callbacks import Callback, Row

if TYPE_CHECKING:
    from nncli.training.trainer import Trainer

FLUSH_SECONDS = 5
RECORDED = ("loss", "gradient_norm", "update_ratio")


class TensorBoard(Callback):
    """Writes a training for TensorBoard: ``tensorboard --logdir DIRECTORY``.

    Against the number of steps: every score as ``<score>/<part>``, ``lr``, and of steps
    that are recorded ``step/loss``, ``step/gradient_norm``, ``step/update_ratio`` and
    the histograms ``<layer>/activations`` and ``<layer>/gradients``. Where a training
    goes on from a checkpoint, what lies behind that in the directory is hidden.

    Args:
        directory: Where the event file is made; of one training alone.

    Raises:
        MissingExtra: tensorboardX is not installed.
    """

    def __init__(self, directory: str | PathLike[str]) -> None:
        require_writer()
        self.directory = Path(directory)
        self._writer: Any = None

    def on_start(self, trainer: Trainer) -> None:
        """Open an event file."""
        step = trainer.progress.step
        # Imported now and not before: it imports PyTorch, if that is there.
        self._writer = import_module("tensorboardX").SummaryWriter(
            str(self.directory),
            purge_step=step + 1 if step else None,
            flush_secs=FLUSH_SECONDS,
            # A file's name has the second alone, and two of them may begin in one.
            filename_suffix=f".{step}",
        )

    def on_record(self, trainer: Trainer, row: Row) -> None:
        """Write what the step tells of itself."""
        step = row["step"]
        for name in RECORDED:
            self._scalar(f"step/{name}", row[name], step)
        for place, layer in row.get("layers", {}).items():
            for kind in ("activations", "gradients"):
                self._histogram(f"{place}/{kind}", layer[kind], step)

    def on_row(self, trainer: Trainer, row: Row) -> None:
        """Write the scores."""
        step = row["step"]
        self._scalar("lr", row["lr"], step)
        for part in trainer.evaluators:
            for name, value in row[part].items():
                self._scalar(f"{name}/{part}", value, step)

    def on_end(self, trainer: Trainer) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()
        self._writer = None

    def _scalar(self, tag: str, value: float | None, step: int) -> None:
        if value is not None:
            self._writer.add_scalar(tag, value, step)

    def _histogram(self, tag: str, facts: dict[str, Any] | None, step: int) -> None:
        histogram = None if facts is None else facts["histogram"]
        if facts is None or histogram is None:
            return
        low, high, counts = (histogram[name] for name in ("low", "high", "counts"))
        count, mean = sum(counts), facts["mean"]
        self._writer.add_histogram_raw(
            tag,
            low,
            high,
            count,
            count * mean,
            count * (facts["std"] ** 2 + mean**2),
            np.linspace(low, high, len(counts) + 1)[1:].tolist(),
            counts,
            step,
        )


def require_writer() -> None:
    """Look whether event files can be written.

    Raises:
        MissingExtra: tensorboardX is not installed.
    """
    if find_spec("tensorboardX") is None:
        raise MissingExtra("TensorBoard", "tensorboardX", "tensorboard")

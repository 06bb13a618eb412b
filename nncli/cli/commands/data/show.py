"""``nncli data show``: a batch of images before and after augmentation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nncli.cli.console import (
    AllowPlugins,
    Json,
    Overrides,
    RunsDir,
    Source,
    say,
    say_json,
)
from nncli.core.errors import UsageError

if TYPE_CHECKING:
    from nncli.core.arrays import Array
    from nncli.experiment.experiment import Experiment

EPILOG = """\b
Examples:
  nncli data show digits_cnn -o grid.png
  nncli data show digits_cnn -o grid.png 'augmentations=[{type: rotate}]'
"""


def show(
    config: Source,
    overrides: Overrides = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="The PNG file to write.")
    ] = Path("grid.png"),
    count: Annotated[
        int, typer.Option("--count", min=1, max=64, help="How many images.")
    ] = 10,
    runs_dir: RunsDir = Path("runs"),
    allow_plugins: AllowPlugins = False,
    json: Json = False,
) -> None:
    """Draw the first images of training, before and after augmentation.

    They are what the network gets in the first step: transformed, and with the very
    changes that training makes.
    """
    from nncli.core.atomic import write_bytes
    from nncli.core.files import writable
    from nncli.core.text import count as counted
    from nncli.experiment.build import build
    from nncli.report.image_grid import drawable, image_grid
    from nncli.runs.sources import load_source

    if output.suffix != ".png":
        raise UsageError(f"data show: expected -o FILE.png, got {output}.")
    changes = list(overrides or [])
    experiment = build(
        load_source(config, changes, runs_dir, allow_plugins=allow_plugins)
    )
    shape = experiment.parts["train"].shape
    if not drawable(shape):
        raise UsageError(
            f"data show: expected images, inputs of shape (N, 1 or 3, H, W), got rows "
            f"of shape {shape}."
        )
    before, labels = _first(experiment, count, augmented=False)
    rows = [("before", before, labels)]
    names = [each.type_name for each in experiment.config.augmentations]
    if names:
        after, labels = _first(experiment, count, augmented=True)
        rows.append((f"after {', '.join(names)}", after, labels))
    with writable(output):
        write_bytes(output, image_grid(rows))
    if json:
        facts = {"output": str(output), "images": len(before), "augmentations": names}
        say_json(facts)
    else:
        told = f"before and after {', '.join(names)}" if names else "no augmentations"
        say(f"{output}: {counted(len(before), 'image')}, {told}")


def _first(
    experiment: Experiment, count: int, *, augmented: bool
) -> tuple[Array, list[str]]:
    """Return the first images of the first batch of training, and their labels."""
    from nncli.data.batches import Batches

    config, train = experiment.config, experiment.parts["train"]
    batches = Batches(
        train,
        experiment.batch_size,
        config.seed,
        config.augmentations if augmented else (),
        train.rows.per_epoch,
    )
    batch = next(iter(batches.epoch(0)))
    labels = _labels(batch.targets.data[:count], experiment)
    return batch.x.data[:count].copy(), labels


def _labels(targets: Array, experiment: Experiment) -> list[str]:
    """Return the class of each row, of mixed ones each with a share; or the number."""
    import numpy as np

    names = experiment.classes
    if names is None:
        return [f"{float(row.reshape(-1)[0]):.4g}" for row in targets]
    if targets.dtype.kind in "iu" and targets.ndim == 1:
        return [names[index] for index in targets]
    if targets.ndim != 2 or targets.shape[1] != len(names):
        return [", ".join(f"{v:.2g}" for v in row.reshape(-1)) for row in targets]
    told = []
    for row in targets:
        chosen = [k for k in np.argsort(-row)[:2] if row[k] > 0.005]
        parts = [
            names[k] if row[k] > 0.995 else f"{names[k]} {row[k]:.2f}" for k in chosen
        ]
        told.append(" ".join(parts))
    return told

"""Remarks: what the numbers of an explained row leave open."""

from __future__ import annotations

from collections.abc import Iterator

from nncli.core.text import printable
from nncli.experiment.experiment import Experiment
from nncli.tables.encoder import Encoder
from nncli.tables.units import Unit, units_of

INPUTS = 8
"""So many inputs that columns of a table became are told."""


def remarks(experiment: Experiment, samples: list[int]) -> Iterator[str]:
    """Yield what else is to be known of the numbers, a sentence or two each.

    Args:
        experiment: With its rows.
        samples: The places of the sample, and of its neighbours in the batch.
    """
    yield from _batch(experiment, samples)
    yield from _inputs(experiment)
    if experiment.target_scale is not None:
        yield "Targets are scaled to mean 0 and deviation 1, and so are outputs."
    if experiment.average is not None:
        yield (
            "Parameters are those that training moves. Evaluation and prediction use "
            "their moving average instead (training.average)."
        )


def _batch(experiment: Experiment, samples: list[int]) -> Iterator[str]:
    """Yield what stands beside the sample, here and in training."""
    here = "the sample is a batch of its own"
    if len(samples) > 1:
        layers = experiment.network.nested.values()
        wants = next(each.label for each in layers if each.min_rows == len(samples))
        also = ", ".join(map(str, samples[1:]))
        here = f"these {len(samples)} are the batch"
        yield (
            f"{wants} wants {len(samples)} rows in a batch: beside sample {samples[0]} "
            f"stands sample {also}."
        )
    batches = experiment.config.training.accumulate
    rows = min(experiment.batch_size * batches, experiment.epoch_rows)
    if rows > len(samples):
        how = f" (accumulate: {batches})" if batches > 1 else ""
        yield f"A step of training takes {rows:,} rows{how}; here {here}."


def _inputs(experiment: Experiment) -> Iterator[str]:
    """Yield what became of the row's inputs before the network, or would become."""
    config = experiment.config
    if experiment.encoder is not None:
        yield f"Inputs are columns of the table: {_columns(experiment.encoder)}."
    if config.transforms:
        names = ", ".join(each.type_name for each in config.transforms)
        yield f"The input is what is left of the row after transforms: {names}."
    if config.augmentations:
        names = ", ".join(each.type_name for each in config.augmentations)
        yield f"In training, the input is changed at random first: {names}. Not here."


def _columns(encoder: Encoder) -> str:
    """Write what each input is, in the order of the inputs."""
    texts = [_scaled(unit) for unit in units_of(encoder)]
    more = len(texts) - INPUTS
    shown = ", ".join(map(printable, texts[:INPUTS]))
    return f"{shown} and {more:,} more" if more > 0 else shown


def _scaled(unit: Unit) -> str:
    """Write what was done to a unit: ``(age − 31.5) / 4.2``."""
    text = unit.name
    if unit.center:
        sign = "−" if unit.center > 0 else "+"
        text = f"({text} {sign} {abs(unit.center):.6g})"
    return f"{text} / {unit.scale:.6g}" if unit.scale != 1 else text

"""Sequences to predict: a table with one row a step, as the network takes them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

from nncli.cli.inputs import CHUNK, Chunk
from nncli.core.errors import UsageError

if TYPE_CHECKING:
    from nncli.experiment.experiment import Experiment


def sequences(
    file: str, delimiter: str | None, experiment: Experiment, wanted: list[str] | None
) -> Iterator[Chunk]:
    """Read all rows, and put them together to sequences as they were in training.

    Sequences are in the order of their first rows; beside each stands what is in the
    column that tells them apart.
    """
    import numpy as np

    from nncli.data.columns import Keys
    from nncli.data.sequences import Sequences
    from nncli.tables.chunks import table_chunks
    from nncli.tables.library import polars
    from nncli.tables.raw import RawColumn, check_there
    from nncli.tables.reading import Reading

    dataset = cast(Sequences, experiment.config.dataset)
    columns = experiment.step_columns or ()
    for name in wanted or ():
        if name != dataset.id:
            raise UsageError(
                f"predict: expected {dataset.id!r} as --columns of sequences, or '', "
                f"got {name!r}."
            )
    path, source = (None, "stdin") if file == "-" else (Path(file), file)
    inputs = [column.name for column in columns[: experiment.network.shapes[0][1]]]
    frames, values, times = [], [], []
    for frame, table in table_chunks(path, Reading(delimiter), columns, CHUNK):
        check_there([RawColumn(dataset.id, "category")], frame.columns, source)
        frames.append(frame.select(dataset.id))
        values.append(table.values[:, : len(inputs)])
        if dataset.time is not None:
            times.append(Keys(table)[dataset.time])
    whole = polars("predict").concat(frames)
    names = [str(cell) for cell in whole[dataset.id].to_list()]
    _, first, of = np.unique(names, return_index=True, return_inverse=True)
    # From the order of the names to that of their first rows.
    order = first.argsort()
    rank = order.argsort()
    rows = dataset.together(
        np.concatenate(values),
        rank[of.reshape(-1)],
        np.concatenate(times) if times else None,
        experiment.network.shapes[0][0],
        inputs,
        source,
    )
    kept = None if wanted == [] else whole[first[order]]
    yield Chunk(experiment.prepare(rows), kept)

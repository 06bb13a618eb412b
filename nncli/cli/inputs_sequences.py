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

    from nncli.data.sequences import Sequences
    from nncli.tables.chunks import table_chunks
    from nncli.tables.library import polars
    from nncli.tables.raw import RawColumn, RawTable, check_there
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
    frames, cells = [], []
    for frame, table in table_chunks(path, Reading(delimiter), columns, CHUNK):
        check_there([RawColumn(dataset.id, "category")], frame.columns, source)
        frames.append(frame.select(dataset.id))
        cells.append(table.values)
    ids = polars("predict").concat(frames)
    names, first, of = np.unique(
        [str(cell) for cell in ids[dataset.id]], return_index=True, return_inverse=True
    )
    # From the order of the names to that of their first rows.
    turned = first.argsort()
    of = turned.argsort()[of.reshape(-1)]
    whole = RawTable(source, columns, np.concatenate(cells))
    rows = dataset.assemble(
        whole.values[:, : len(inputs)],
        of,
        dataset.order(whole, of, names[turned], source),
        experiment.network.shapes[0][0],
        inputs,
        source,
    )
    kept = None if wanted == [] else ids[first[turned]]
    yield Chunk(experiment.prepare(rows), kept)

"""``nncli predict``: what a trained network says of new rows."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nncli.cli.console import (
    AllowPlugins,
    Json,
    RunsDir,
    Threads,
    Trained,
    note,
    say,
    say_json,
)
from nncli.core.errors import UsageError

if TYPE_CHECKING:
    from nncli.core.arrays import Array
    from nncli.experiment.experiment import Experiment

EPILOG = """\b
Examples:
  nncli predict iris-1 new.csv
  nncli predict runs/digits-1 images.npz -o predicted.npz
  cat new.csv | nncli predict runs/iris-1 - -o predicted.csv
"""


def predict(
    path: Trained,
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE|-",
            help="Rows: CSV, .npz (array x) or .npy; - reads CSV from stdin.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Write a .csv or .npz, not to stdout."),
    ] = None,
    delimiter: Annotated[
        str, typer.Option(help="What stands between two values of a CSV.")
    ] = ",",
    runs_dir: RunsDir = Path("runs"),
    threads: Threads = None,
    allow_plugins: AllowPlugins = False,
    json: Json = False,
) -> None:
    """Predict new rows with a trained network.

    The data that it was trained on need not be there.
    """
    from nncli.data.base import Table
    from nncli.data.rows import finite
    from nncli.experiment.predict import predictions
    from nncli.runs.checkpoint import load_checkpoint
    from nncli.runs.sources import find_checkpoint, plugins_of
    from nncli.training.session import restore_without_data
    from nncli.training.threads import threads_of, using

    if output is not None and output.suffix not in (".csv", ".npz"):
        raise UsageError(f"predict: expected -o FILE.csv or FILE.npz, got {output}.")
    if len(delimiter) != 1:
        raise UsageError(f"predict: expected one character, got {delimiter!r}.")
    source = find_checkpoint(path, runs_dir)
    checkpoint = load_checkpoint(source)
    restored = restore_without_data(
        checkpoint,
        str(source),
        allow_plugins=allow_plugins,
        copies=plugins_of(source),
    )
    experiment = restored.experiment
    x = _inputs(file, delimiter, experiment)
    finite(x, "inputs")
    with using(threads or threads_of(experiment)):
        values = predictions(experiment, Table(x))
    found = _results(values, experiment)
    if output is not None and output.suffix == ".npz":
        _write(output, _archive(found))
    elif output is not None:
        _write(output, _text(found).encode())
    elif json:
        say_json({name: array.tolist() for name, array in found.items()})
        return
    else:
        sys.stdout.write(_text(found))
        sys.stdout.flush()
        return
    rows = f"{len(x):,} row{'s' if len(x) != 1 else ''}"
    if json:
        say_json({"rows": len(x), "output": str(output)})
    else:
        say(f"{rows} predicted: {output}")


def _inputs(file: str, delimiter: str, experiment: Experiment) -> Array:
    """Read rows as the network takes them."""
    import numpy as np

    from nncli.core.errors import DataError
    from nncli.core.npy import read_npy, read_npz
    from nncli.core.text import nearest
    from nncli.data.csv import read_csv
    from nncli.data.frames import as_rows, chosen

    row = experiment.network.shapes[0]
    suffix = Path(file).suffix
    if suffix == ".npy":
        return as_rows(read_npy(Path(file)), row, file)
    if suffix == ".npz":
        arrays = read_npz(Path(file))
        name = getattr(experiment.config.dataset, "x", "x")
        if name not in arrays:
            raise DataError(
                f"{file}: expected an array {name!r}. {nearest(name, list(arrays))}"
            )
        return as_rows(arrays[name], row, file)
    names, columns = read_csv(None if file == "-" else Path(file), delimiter)
    inputs = chosen(names, experiment.columns, row, file)
    ignored = [name for name in names if name not in inputs]
    if ignored:
        note(f"note: {file}: columns that are no inputs: {', '.join(ignored)}")
    numbers = [columns.numbers(name) for name in inputs]
    return as_rows(np.stack(numbers, axis=1), row, file)


def _results(values: Array, experiment: Experiment) -> dict[str, Array]:
    """Return columns: the prediction, and the probability of each class."""
    import numpy as np

    labels = experiment.labels
    if labels is None:
        wide = values.reshape(len(values), -1)
        if wide.shape[1] == 1:
            return {"prediction": wide[:, 0]}
        return {f"prediction_{i}": wide[:, i] for i in range(wide.shape[1])}
    if values.shape[-1] == 1 and len(labels.values) == 2:
        values = np.concatenate([1 - values, values], axis=-1)
    found = {"prediction": labels.decode(values.argmax(axis=-1))}
    for place, name in enumerate(labels.names):
        found[f"probability_{name}"] = values[..., place]
    return found


def _text(found: dict[str, Array]) -> str:
    room = io.StringIO()
    writer = csv.writer(room, lineterminator="\n")
    writer.writerow(found)
    cells: list[Any] = [array.tolist() for array in found.values()]
    for line in zip(*cells, strict=True):
        shown = (f"{v:.7g}" if isinstance(v, float) else v for v in line)
        writer.writerow(shown)
    return room.getvalue()


def _archive(found: dict[str, Array]) -> bytes:
    import numpy as np

    room = io.BytesIO()
    np.savez(room, allow_pickle=False, **found)
    return room.getvalue()


def _write(path: Path, content: bytes) -> None:
    from nncli.core.errors import RunError
    from nncli.runs.atomic import write_bytes

    try:
        write_bytes(path, content)
    except OSError as error:
        raise RunError(
            f"{path}: expected a place to write to, got: {error.strerror}."
        ) from None

"""Description: what a dataset holds, its parts, and what may go wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nncli.config.schema import Config
from nncli.core.arrays import Array
from nncli.core.errors import DataError
from nncli.core.npy import read_npy
from nncli.core.randomness import stream
from nncli.data.base import Dataset, Rows
from nncli.data.columns import RawRows
from nncli.data.csv import Csv
from nncli.data.files import Npz
from nncli.data.leaks import shared_rows, telling
from nncli.data.profile import Profile, cells_of, profile_of, profiles_of
from nncli.data.table import Table
from nncli.experiment.build import numbered
from nncli.experiment.fit import split_parts
from nncli.experiment.survey import target_of, task_of
from nncli.tables.raw import RawTable

TOP = 3
"""Most frequent values that are told of a column."""

MOST_CLASSES = 1000
"""Integers of a file of arrays are numbers where more of them differ."""

Parts = Mapping[str, Array | None]


def describe_config(config: Config) -> dict[str, Any]:
    """Describe the dataset of a config, split as the config says.

    Raises:
        DataError: It cannot be read.
        ConfigError: A part would be empty.
    """
    if config.dataset is None:
        raise DataError("expected a config with a dataset, got null.")
    rows = config.dataset.load(stream(config.seed, "data"))
    rows = numbered(rows, config.loss)
    parts = {name: index for name, (_, index) in split_parts(rows, config).items()}
    facts: dict[str, Any] = {"dataset": dataset_text(config.dataset)}
    if not isinstance(rows, RawRows):
        return facts | _arrays(rows, parts)
    weights = config.dataset.arguments.get("weights")
    names = rows.target_names or ()
    roles = dict.fromkeys(rows.inputs, "input") | dict.fromkeys(names, "target")
    roles |= {weights: "weights"} if weights else {}
    classes = rows.classes is not None
    return facts | _table(rows.table, roles, parts, classes=classes)


def dataset_text(dataset: Dataset) -> str:
    """Return a dataset's type, and its file where it has one."""
    path = dataset.arguments.get("path")
    return f"{dataset.type_name} {path}" if path else dataset.type_name


def describe_file(path: Path, target: str | None = None) -> dict[str, Any]:
    """Describe a file: a table, or arrays.

    Args:
        path: Of text, Parquet or Arrow; or .npz or .npy.
        target: Name of a table's target, or several with commas; None for the last
            column.

    Raises:
        DataError: It cannot be read.
        UsageError: There is no such target.
    """
    facts: dict[str, Any] = {"dataset": str(path)}
    if path.suffix == ".npy":
        return facts | _arrays(Table(read_npy(path)), {"all": None})
    if path.suffix == ".npz":
        return facts | _arrays(_as_classes(Npz(str(path)).load(_rng())), {"all": None})
    table, names = Csv(str(path), target=target_of(path, target)).table()
    roles = dict.fromkeys(table.names, "input") | dict.fromkeys(names, "target")
    told = {"last_is_target": target is None}
    return facts | _table(table, roles, {"all": None}, classes=None) | told


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)


def _as_classes(rows: Table) -> Rows:
    """Take whole numbers and texts for classes, where they are few."""
    y = rows.y
    if y is None or y.ndim != 1 or rows.targets == "numbers" or y.dtype.kind == "f":
        return rows
    found, index = np.unique(y, return_inverse=True)
    if len(found) > MOST_CLASSES:
        return rows
    return Table(rows.x, index, tuple(found.tolist()), keys=rows.keys)


def _table(
    table: RawTable,
    roles: Mapping[str, str],
    parts: Parts,
    *,
    classes: bool | None,
) -> dict[str, Any]:
    """Describe columns.

    Args:
        table: The columns.
        roles: What each is: ``input``, ``target`` or ``weights``; else unused.
        parts: Places of each part's rows.
        classes: Whether the target holds classes; None for what it looks like.
    """
    profiles = profiles_of(table)
    inputs = [name for name in table.names if roles.get(name) == "input"]
    targets = [each for each in profiles if roles.get(each.name) == "target"]
    if classes is None:
        classes = bool(targets) and task_of(targets) == "classes"
    facts: dict[str, Any] = {
        "format": {n: v for n, v in table.facts.items() if n not in ("rows_of",)},
        "rows": len(table.values),
        "columns": [_column(each, roles.get(each.name, "unused")) for each in profiles],
        "left_out": dict(table.left_out),
        "target": [each.name for each in targets],
        "parts": _parts_of_table(table, targets, parts, classes=classes),
    }
    places = [table.names.index(name) for name in inputs]
    facts |= _repeated(Table(table.values), parts, places)
    told = []
    if len(targets) == 1 and targets[0].distinct != 1:
        name = targets[0].name
        told = [vars(each) for each in telling(table, inputs, name, classes=classes)]
    return facts | {"tell_the_target": told}


def _column(profile: Profile, role: str) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "name": profile.name,
        "role": role,
        "kind": profile.kind,
        "missing": profile.missing,
        "distinct": profile.distinct,
        "constant": profile.distinct == 1 and not profile.missing,
    }
    if profile.ends is not None:
        low, high = profile.ends
        number = profile.kind == "number"
        facts["low"] = profile.low if number else low
        facts["high"] = profile.high if number else high
        if number:
            facts["mean"] = profile.mean
    facts["most_frequent"] = [list(each) for each in profile.counts[:TOP]]
    return facts


def _parts_of_table(
    table: RawTable, targets: Sequence[Profile], parts: Parts, *, classes: bool
) -> list[dict[str, Any]]:
    """Return size and targets of each part."""
    told = []
    for name, index in parts.items():
        rows = len(table.values) if index is None else len(index)
        facts: dict[str, Any] = {"name": name, "rows": rows}
        if len(targets) == 1:
            goal = targets[0]
            place = table.names.index(goal.name)
            blocks = (block[:, place] for block in cells_of(table, index))
            found = profile_of(table.columns[place], blocks)
            facts |= _balance(found, classes=classes and found.distinct is not None)
        told.append(facts)
    return told


def _balance(found: Profile, *, classes: bool) -> dict[str, Any]:
    if classes:
        return {"classes": dict(found.counts)}
    low, high = (found.low, found.high) if found.present else (None, None)
    return {"low": low, "high": high, "mean": found.mean}


def _arrays(rows: Rows, parts: Parts) -> dict[str, Any]:
    """Describe rows of any other kind."""
    field = rows.fields["x"]
    facts: dict[str, Any] = {
        "rows": len(rows),
        "inputs": {
            "shape": list(field.shape),
            "type": str(field.dtype),
            **_range(rows),
        },
        "classes": None if rows.classes is None else len(rows.classes),
        "parts": [_part_of_arrays(rows, name, each) for name, each in parts.items()],
    }
    if "y" in rows.fields:
        goal = rows.fields["y"]
        facts["targets"] = {"shape": list(goal.shape), "type": str(goal.dtype)}
    return facts | _repeated(rows, parts, None)


def _range(rows: Rows) -> dict[str, Any]:
    """Return the extremes of the inputs, and how many of them never vary."""
    count, total, missing = 0, 0.0, 0
    low: Array | None = None
    high: Array | None = None
    for (block,) in rows.blocks("x"):
        flat = block.reshape(len(block), -1).astype(np.float64)
        absent = ~np.isfinite(flat)
        missing += int(absent.sum())
        least = np.where(absent, np.inf, flat).min(axis=0)
        most = np.where(absent, -np.inf, flat).max(axis=0)
        low = least if low is None else np.minimum(low, least)
        high = most if high is None else np.maximum(high, most)
        total += float(np.where(absent, 0, flat).sum())
        count += flat.size
    if low is None or high is None or count == missing:
        return {"low": None, "high": None, "mean": None, "not_finite": missing}
    return {
        "low": float(low.min()),
        "high": float(high.max()),
        "mean": total / (count - missing),
        "not_finite": missing,
        "constant": int((low == high).sum()),
    }


def _part_of_arrays(rows: Rows, name: str, index: Array | None) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "name": name,
        "rows": len(rows) if index is None else len(index),
    }
    if "y" not in rows.fields:
        return facts
    if rows.classes is not None and not rows.fields["y"].shape:
        counts = np.zeros(len(rows.classes), int)
        for (y,) in rows.blocks("y", index=index):
            counts += np.bincount(y, minlength=len(counts))
        named = zip(map(str, rows.classes), counts.tolist(), strict=True)
        return facts | {"classes": dict(named)}
    low, high, total, count = np.inf, -np.inf, 0.0, 0
    for (y,) in rows.blocks("y", index=index):
        low, high = min(low, float(y.min())), max(high, float(y.max()))
        total, count = total + float(y.sum()), count + y.size
    mean = total / count if count else None
    return facts | {"low": low, "high": high, "mean": mean}


def _repeated(
    rows: Rows, parts: Parts, columns: Sequence[int] | None
) -> dict[str, Any]:
    """Count rows whose inputs are those of another row."""
    inside, between = shared_rows(rows, parts, columns)
    shared = [{"parts": list(pair), "rows": number} for pair, number in between.items()]
    return {"repeated": inside, "shared": shared}

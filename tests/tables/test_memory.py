from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nncli.tables.encoder import Category, Date, Encoder, Number
from nncli.tables.memory import encoder_from, remembered
from nncli.tables.raw import RawColumn, RawTable

ENCODER = Encoder(
    (
        Number("a", "number", 1.5, True, quantiles=(0.1, 0.2)),
        Category("c", "category", ("x", "y"), other=True, dimensions=3),
        Date("d", "date", 0.0, 1e9, 2.5, ("year", "day"), format="%d.%m.%Y"),
    )
)


def test_what_was_learned_of_a_kept_table_is_learned_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NNCLI_CACHE", str(tmp_path))
    folder = tmp_path / "tables" / "1"
    folder.mkdir(parents=True)
    np.save(folder / "values.npy", np.zeros((3, 1)))
    kept = np.load(folder / "values.npy", mmap_mode="r")
    calls: list[int] = []

    def learn() -> Encoder:
        calls.append(1)
        return ENCODER

    def ask(values: np.ndarray, settings: object, index: list[int] | None) -> Encoder:
        table = RawTable("d.csv", (RawColumn("a", "number"),), values)
        return remembered(
            table, settings, None if index is None else np.array(index), learn
        )

    assert ask(kept, "s", [0, 1]) == ask(kept, "s", [0, 1]) == ENCODER
    assert len(calls) == 1
    for settings, index in (("s", [0, 2]), ("t", [0, 1]), ("s", None)):
        ask(kept, settings, index)
    assert len(calls) == 4
    # Of a table in memory nothing is kept.
    ask(np.zeros((3, 1)), "s", None)
    ask(np.zeros((3, 1)), "s", None)
    assert len(calls) == 6
    for path in folder.glob("fit-*"):
        path.write_text("{}")
    assert ask(kept, "s", None) == ENCODER


def test_an_encoder_is_read_back_as_it_was_and_nothing_else_is() -> None:
    import dataclasses
    import json

    text = json.dumps(dataclasses.asdict(ENCODER))
    assert encoder_from(text) == ENCODER
    with pytest.raises(ValueError, match="columns"):
        encoder_from(text.replace("1.5", '"1.5"'))

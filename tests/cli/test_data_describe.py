"""``nncli data describe`` and ``nncli data clean``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nncli.data.leaks import shared_rows
from nncli.data.table import Table
from nncli.tables import read
from tests.command import Command
from tests.conftest import CONFIGS

pytest.importorskip("polars")

ROWS = 400


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NNCLI_CACHE", str(tmp_path / "cache"))


def written(name: str = "t.csv", **columns: Any) -> str:
    """Write a table with a number column ``a`` that is drawn."""
    count = len(next(iter(columns.values())))
    values = np.random.default_rng(0).normal(size=count)
    table = {"a": [f"{value:.6f}" for value in values], **columns}
    rows = zip(*table.values(), strict=True)
    lines = [",".join(table), *(",".join(map(str, row)) for row in rows)]
    Path(name).write_text("\n".join(lines) + "\n")
    return name


def described(command: Command, *arguments: object) -> dict[str, Any]:
    outcome = command("data", "describe", *arguments, "--json")
    assert outcome.code == 0, outcome.err
    facts: dict[str, Any] = outcome.json()
    return facts


def test_columns_are_counted(command: Command) -> None:
    path = written(
        k=["u", "v", "v", ""] * 100,
        n=[1, 2, 3, ""] * 100,
        day=["2020-01-01", "2020-03-01"] * 200,
        same=["x"] * ROWS,
        y=["p", "q", "q", "q"] * 100,
    )
    facts = described(command, path)
    assert facts["rows"] == ROWS
    assert facts["target"] == ["y"]
    assert facts["format"]["delimiter"] == ","
    assert facts["left_out"] == {"same": "holds the same value in every row"}
    found = {each["name"]: each for each in facts["columns"]}
    assert found["k"]["missing"] == 100
    assert found["k"]["most_frequent"] == [["v", 200], ["u", 100]]
    assert (found["n"]["low"], found["n"]["high"], found["n"]["mean"]) == (1, 3, 2)
    assert found["n"]["distinct"] == 3
    assert (found["day"]["low"], found["day"]["high"]) == ("2020-01-01", "2020-03-01")
    assert found["y"]["role"] == "target"
    assert facts["parts"] == [
        {"name": "all", "rows": ROWS, "classes": {"q": 300, "p": 100}}
    ]


@pytest.mark.parametrize("width", [80, 40])
def test_description_fits_the_terminal(
    command: Command, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    path = written(a_long_name=["some words", "other"] * 200, y=["p", "q"] * 200)
    out = command("data", "describe", path).out
    assert "a_long_name" in out
    assert max(map(len, out.splitlines())) <= width
    tells = "a_long_name tells the target by itself"
    assert tells in " ".join(out.split())


def test_rows_shared_between_parts_are_found(command: Command) -> None:
    train = written("train.csv", b=range(0, 2 * ROWS, 2), y=[0, 1] * 200)
    lines = Path(train).read_text().splitlines()
    # Of four test rows one is new, and one has the inputs with another target.
    other = lines[9][:-1] + ("1" if lines[9][-1] == "0" else "0")
    test = [lines[0], lines[5], lines[6], other, "9.5,1,0"]
    Path("test.csv").write_text("\n".join(test) + "\n")
    config = (
        "dataset: {type: csv, path: train.csv, test: test.csv, target: y}\n"
        "layers: [{type: dense, units: 2}]\nloss: softmax_cross_entropy\n"
        "optimizer: adam\ntraining: {epochs: 1}\n"
    )
    Path("c.yaml").write_text(config)
    facts = described(command, "c.yaml")
    assert facts["shared"] == [{"parts": ["train", "test"], "rows": 3}]
    assert facts["repeated"] == {"train": 0, "test": 0}
    assert [part["rows"] for part in facts["parts"]] == [ROWS, 4]
    out = command("data", "describe", "c.yaml").out
    assert "3 rows of test have the inputs of a row of train" in out


def test_hashes_tell_rows_apart() -> None:
    # All 4,096 rows of small integers, and the same rows again.
    x = np.indices((16, 16, 16)).reshape(3, -1).T.astype(float)
    both = Table(np.concatenate([x, x]))
    inside, _ = shared_rows(both, {"one": np.arange(4096), "all": None})
    assert inside == {"one": 0, "all": 4096}
    # Zeros and missing cells are alike whatever their bits say.
    odd = Table(np.array([[0.0, np.nan], [-0.0, -np.nan], [np.nan, 0.0]]))
    assert shared_rows(odd, {"all": None})[0] == {"all": 1}


def test_columns_that_tell_the_target_are_found(command: Command) -> None:
    rng = np.random.default_rng(1)
    kind = rng.integers(0, 3, ROWS)
    group = np.where(kind == 0, 5, kind + 10)
    group[:2] = 5
    path = written(
        code=[f"k{g}" for g in group],
        level=kind * 10 + rng.random(ROWS),
        chance=rng.integers(0, 3, ROWS),
        near=np.where(rng.random(ROWS) < 0.05, 0, kind),
        y=[f"c{k}" for k in kind],
    )
    told = {
        each["column"]: each for each in described(command, path)["tell_the_target"]
    }
    assert set(told) == {"code", "level"}
    wrong = (kind[:2] != 0).sum()
    assert told["code"]["score"] == pytest.approx(1 - wrong / ROWS)


def test_numbers_that_tell_a_number_are_found(command: Command) -> None:
    rng = np.random.default_rng(1)
    y = rng.normal(size=ROWS) + 1e4
    group = rng.integers(0, 4, ROWS)
    path = written(
        feet=-3.28 * y,
        close=y + rng.normal(size=ROWS) / 10,
        y=y,
    )
    told = described(command, path)["tell_the_target"]
    assert [each["column"] for each in told] == ["feet"]
    path = written("g.csv", word=[f"w{g}" for g in group], y=group * 2.5)
    told = described(command, path, "--target", "y")["tell_the_target"]
    assert [each["column"] for each in told] == ["word"]
    assert told[0]["score"] == pytest.approx(1)


def test_majority_alone_tells_nothing(command: Command) -> None:
    y = ["no"] * (ROWS - 2) + ["yes"] * 2
    path = written(k=["u", "v"] * 200, y=y)
    assert described(command, path)["tell_the_target"] == []


def test_arrays_and_examples_are_described(command: Command) -> None:
    x = np.arange(24.0, dtype=np.float32).reshape(4, 2, 3)
    x[:, 0, 0] = 7
    np.savez("t.npz", x=x, y=np.array([0, 1, 1, 1]))
    np.save("x.npy", np.concatenate([x, x]))
    facts = described(command, "t.npz")
    assert facts["inputs"] == {
        "shape": [2, 3],
        "type": "float32",
        "low": 1.0,
        "high": 23.0,
        "mean": pytest.approx(x.mean()),
        "not_finite": 0,
        "constant": 1,
    }
    assert facts["parts"] == [{"name": "all", "rows": 4, "classes": {"0": 1, "1": 3}}]
    assert described(command, "x.npy")["repeated"] == {"all": 4}
    facts = described(command, "spiral", "split={test: 0.5}")
    assert [part["rows"] for part in facts["parts"]] == [150, 150]
    assert "(N, 2) float64" in command("data", "describe", "spiral").out
    assert "3 classes" in command("data", "describe", CONFIGS / "spiral.yaml").out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gone.csv"], "gone.csv"),
        (["spirla"], "Did you mean 'spiral'"),
        (["t.csv", "--target", "z"], "expected a column 'z' as target"),
        (["t.csv", "seed=1"], "expected changes of a config only"),
        (["spiral", "--target", "y"], "expected --target beside a file only"),
    ],
)
def test_describe_refuses_what_it_cannot_use(
    command: Command, arguments: list[str], message: str
) -> None:
    written(y=[0, 1] * 20)
    outcome = command("data", "describe", *arguments)
    assert outcome.code == 2
    assert message in outcome.err


def test_large_tables_are_described_from_the_cache_and_cleaned(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(k=["u", "v"] * 200, y=[1.5, 2, 3, 4] * 100)
    small = described(command, path)
    monkeypatch.setattr(read, "LARGE", 0)
    assert described(command, path) == small
    kept = command("data", "clean", "--dry-run", "--json").json()
    assert [entry["source"] for entry in kept["tables"]] == ["t.csv"]
    assert kept["freed_bytes"] == 0
    assert "nothing was" in command("data", "clean", "--dry-run").out
    freed = command("data", "clean", "--json").json()
    assert freed["freed_bytes"] >= kept["tables"][0]["bytes"] > 0
    assert command("data", "clean", "--json").json()["tables"] == []
    assert "no tables are kept" in " ".join(command("data", "clean").out.split())

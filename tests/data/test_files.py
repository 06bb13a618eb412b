"""Rows from files: NumPy's archives and arrays, and CSV; broken ones are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nncli.config.load import load_config
from nncli.core.errors import DataError, NncliError
from nncli.data import mapped
from nncli.data.files import Npy, Npz
from nncli.data.mapped import FileRows
from nncli.data.table import Table
from nncli.experiment import part
from nncli.experiment.build import build
from nncli.experiment.part import Part

RNG = np.random.default_rng(0)
X = RNG.integers(0, 255, (40, 3)).astype(np.uint8)
Y = np.arange(40) % 3
WHO = np.repeat(np.arange(8), 5)


def save(folder: Path, how: Callable[..., None], **arrays: Any) -> str:
    path = folder / "d.npz"
    how(path, **arrays)
    return str(path)


@pytest.mark.parametrize("how", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npz_gives_the_arrays_as_they_are(
    tmp_path: Path, how: Callable[..., None], order: Any
) -> None:
    path = save(tmp_path, how, a=np.asarray(X, order=order), b=Y, who=WHO, w=Y + 1.0)
    rows = Npz(path, x="a", y="b", weights="w").load(RNG)
    assert rows.fields["x"].dtype == np.uint8
    np.testing.assert_array_equal(rows.read("x", np.array([3, 1])), X[[3, 1]])
    np.testing.assert_array_equal(rows.read("weights", slice(0, 3)), [1, 2, 3])
    assert list(rows.keys) == ["who"]
    # Plain arrays are not read before rows of them are wanted.
    assert isinstance(rows.x, np.memmap) == (how is np.savez)


def test_npy_is_mapped_and_read_by_rows(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", Y)
    rows = Npy(str(tmp_path / "x.npy"), str(tmp_path / "y.npy")).load(RNG)
    assert isinstance(rows.x, np.memmap)
    np.testing.assert_array_equal(rows.read("x", np.array([39, 0])), X[[39, 0]])
    assert rows.digest() == Table(X, Y).digest()


def test_files_that_are_broken_or_hostile_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "d.npz"
    for content in (b"", b"PK\x03\x04 nonsense", np.random.default_rng(0).bytes(500)):
        path.write_bytes(content)
        with pytest.raises(NncliError, match=r"d\.npz: expected a \.npz file"):
            Npz(str(path)).load(RNG)
    np.savez(path, x=np.array([object()], dtype=object), y=Y[:1])
    with pytest.raises(DataError, match="never unpickled"):
        Npz(str(path)).load(RNG)
    np.savez(path, x=X, y=Y)
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        # Whatever is changed: rows, or one message.
        path.write_bytes(whole[:place] + b"\xff" + whole[place + 1 :])
        try:
            rows = Npz(str(path)).load(RNG)
        except NncliError:
            continue
        assert len(rows) >= 0
    with pytest.raises(DataError, match="No such file"):
        Npz(str(tmp_path / "none.npz")).load(RNG)
    with pytest.raises(DataError, match="no file"):
        Npz(str(tmp_path)).load(RNG)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": X}, "expected an array 'y'"),
        ({"x": X, "y": Y[:5]}, "as many targets as inputs"),
        ({"x": X[:, 0], "y": Y}, r"save x\[:, None\]"),
        ({"x": X.astype(str), "y": Y}, "inputs of numbers"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    tmp_path: Path, arrays: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        Npz(save(tmp_path, np.savez, **arrays)).load(RNG)


def test_mapped_rows_are_read_from_their_file(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    whole = np.load(tmp_path / "x.npy", mmap_mode="r")
    for view in (whole, whole[5:], np.asarray(whole)[7:30], whole[:, 1:], whole[::2]):
        rows = FileRows.of(view)
        assert rows is not None
        out = np.empty((3, view.shape[1]), np.uint8)
        rows.take(np.array([2, 0, 2]), out)
        np.testing.assert_array_equal(out, view[[2, 0, 2]])
        rows.take(slice(1, 4), out)
        np.testing.assert_array_equal(out, view[1:4])
    assert FileRows.of(X) is None
    assert FileRows.of(whole[:, ::2]) is None
    assert FileRows.of(whole[::-1]) is None


def test_a_part_of_mapped_rows_reads_them_and_holds_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part, "KEEP", 0)
    np.save(tmp_path / "x.npy", X.astype("f4"))
    x = np.load(tmp_path / "x.npy", mmap_mode="r")
    made = [Part(Table(a), None, [], lambda y: y, "f4") for a in (x, np.array(x))]
    assert made[0].x is None
    assert made[1].x is not None
    first, second = (each.batch(np.array([4, 1])).x.data for each in made)
    np.testing.assert_array_equal(first, second)


def test_a_file_that_shrinks_is_one_message_and_another_in_its_place_is_seen(
    tmp_path: Path,
) -> None:
    path = tmp_path / "x.npy"
    np.save(path, np.zeros((1000, 100)))
    array = np.load(path, mmap_mode="r")
    rows = FileRows.of(array)
    assert rows is not None
    # Another file of the same name: the mapping still shows the old one.
    other = tmp_path / "other.npy"
    np.save(other, np.ones((1000, 100)))
    other.rename(path)
    assert FileRows.of(array) is None
    with path.open("r+b") as file:
        file.truncate(1000)
    np.save(tmp_path / "y.npy", np.zeros((1000, 100)))
    array = np.load(tmp_path / "y.npy", mmap_mode="r")
    rows = FileRows.of(array)
    assert rows is not None
    with (tmp_path / "y.npy").open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(DataError, match="a shorter file"):
        rows.take(np.array([999]), np.empty((1, 100)))
    assert mapped.__doc__


CONFIG = """
dataset: {type: npz, path: sub/d.npz}
layers: [{type: dense, units: UNITS}]
loss: LOSS
optimizer: sgd
training: {epochs: 1}
"""


@pytest.mark.parametrize(
    ("loss", "units", "y", "classes"),
    [
        ("softmax_cross_entropy", 3, Y, (0, 1, 2)),
        ("softmax_cross_entropy", 3, np.array(["u", "v", "w"])[Y], ("u", "v", "w")),
        ("softmax_cross_entropy", 3, Y.astype(float), (0.0, 1.0, 2.0)),
        ("mse", 1, Y[:, None].astype(float), None),
    ],
)
def test_targets_are_what_the_loss_wants(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    loss: str,
    units: int,
    y: Any,
    classes: Any,
) -> None:
    (tmp_path / "sub").mkdir()
    save(tmp_path / "sub", np.savez, x=X, y=y)
    config = tmp_path / "c.yaml"
    text = CONFIG.replace("LOSS", loss).replace("UNITS", str(units))
    config.write_text(text, encoding="utf-8")
    # A path is relative to the config, wherever one stands.
    monkeypatch.chdir("/")
    experiment = build(load_config(config, []))
    assert experiment.parts["train"].rows.classes == classes
    # That of an override is relative to where it is typed.
    monkeypatch.chdir(tmp_path / "sub")
    assert build(load_config(config, ["dataset.path=d.npz"])).config.dataset == (
        experiment.config.dataset
    )

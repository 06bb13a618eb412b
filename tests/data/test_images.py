"""Images from IDX files and CIFAR's records, and what is wrong with such files."""

from __future__ import annotations

import gzip
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nncli.config.load import load_values
from nncli.core import arrays
from nncli.core.arrays import Array
from nncli.core.errors import DataError, NncliError
from nncli.data.base import Dataset, Rows
from nncli.data.cifar import Cifar10, Cifar100
from nncli.data.idx import Idx, read_idx
from nncli.data.joined import Joined
from nncli.data.mapped import FileRows
from nncli.data.mnist import Emnist, Mnist
from nncli.data.table import Table
from nncli.experiment.build import build
from tests.pictures import TEST, TRAIN, idx_bytes, write_cifar, write_idx, write_mnist

RNG = np.random.default_rng(0)
SHARED = Path(__file__).parents[3] / "shared" / "data" / "mnist"


def load(dataset: Dataset) -> Rows:
    return dataset.load(np.random.default_rng(0))


def everything(rows: Rows, name: str = "x") -> Array:
    return rows.read(name, slice(0, len(rows)))


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_mnist_has_its_official_test_part(tmp_path: Path, suffix: str) -> None:
    held = write_mnist(tmp_path, suffix)
    rows = load(Mnist(root=str(tmp_path)))
    assert isinstance(rows, Table if suffix else Joined)
    assert rows.fields["x"].dtype == np.uint8
    assert rows.classes == tuple(range(10))
    x = np.concatenate([held["train x"], held["t10k x"]])
    np.testing.assert_array_equal(everything(rows), x)
    np.testing.assert_array_equal(rows.parts["test"], np.arange(TRAIN, TRAIN + TEST))
    index = RNG.permutation(len(x))[:50]
    np.testing.assert_array_equal(rows.read("x", index), x[index])
    wide = np.empty((50, 1, 28, 28), np.float32)
    rows.take(index, {"x": wide})
    np.testing.assert_array_equal(wide, x[index])
    for part, stem in (("train", "train"), ("test", "t10k")):
        alone = load(Mnist(root=str(tmp_path), part=part))  # type: ignore[arg-type]
        assert not alone.parts
        np.testing.assert_array_equal(everything(alone), held[f"{stem} x"])
        np.testing.assert_array_equal(everything(alone, "y"), held[f"{stem} y"])


def test_mnist_plain_and_packed_are_the_same_data(tmp_path: Path) -> None:
    mixed = tmp_path / "mixed"
    write_mnist(mixed)
    (mixed / "train-images-idx3-ubyte.gz").unlink()
    held = write_mnist(tmp_path / "plain", "")
    write_idx(mixed / "train-images-idx3-ubyte", held["train x"][:, 0])
    found = [load(Mnist(root=str(mixed))).digest()]
    for suffix in ("", ".gz"):
        write_mnist(tmp_path / f"d{suffix}", suffix)
        found.append(load(Mnist(root=str(tmp_path / f"d{suffix}"))).digest())
    assert len(set(found)) == 1


CONFIG: dict[str, Any] = {
    "dataset": {"type": "mnist", "part": "test"},
    "layers": ["flatten", {"type": "dense", "units": 10}],
    "loss": "softmax_cross_entropy",
    "optimizer": "sgd",
    "training": {"epochs": 1},
}


def test_mnist_is_split_officially_or_as_the_config_says() -> None:
    official = build(load_values(CONFIG, ["dataset.part=all", "split.validation=0.1"]))
    sizes = {name: len(part) for name, part in official.parts.items()}
    assert sizes == {"train": TRAIN - 4, "validation": 4, "test": TEST}
    given = build(load_values(CONFIG, ["split.order=given", "split.test=0.2"]))
    assert given.parts["test"].index is not None
    np.testing.assert_array_equal(given.parts["test"].index, np.arange(24, 30))
    np.testing.assert_array_equal(given.parts["train"].index, np.arange(24))


@pytest.mark.skipif(not SHARED.exists(), reason="the real MNIST is not at hand")
def test_mnist_real_files_are_read_as_they_are() -> None:
    rows = load(Mnist(root=str(SHARED), part="test"))
    assert len(rows) == 10_000
    np.testing.assert_array_equal(rows.read("y", slice(0, 5)), [7, 2, 1, 0, 4])
    # The mean and deviation that everybody normalizes by, of the test part.
    x = everything(rows) / 255
    assert x.mean() == pytest.approx(0.1325, abs=1e-4)
    assert x.std() == pytest.approx(0.3105, abs=1e-4)


def test_emnist_is_upright_and_its_letters_begin_at_a(tmp_path: Path) -> None:
    images = RNG.integers(0, 256, (26, 28, 28)).astype(np.uint8)
    for part in ("train", "test"):
        stem = f"emnist-letters-{part}"
        write_idx(tmp_path / f"{stem}-images-idx3-ubyte.gz", images)
        labels = np.arange(1, 27).astype(np.uint8)
        write_idx(tmp_path / f"{stem}-labels-idx1-ubyte", labels)
    rows = load(Emnist(str(tmp_path), "letters"))
    assert "".join(rows.classes or ()) == "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    x = everything(rows)[:26, 0]
    np.testing.assert_array_equal(x, images.transpose(0, 2, 1))
    np.testing.assert_array_equal(everything(rows, "y")[26:], np.arange(26))
    with pytest.raises(DataError, match=r"found none\. Put it there"):
        load(Emnist(str(tmp_path), "balanced"))


@pytest.mark.parametrize("kind", ["u1", "i1", "i2", "i4", "f4", "f8"])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_reads_every_type_and_shape(tmp_path: Path, kind: str, suffix: str) -> None:
    values = RNG.integers(-100, 100, (5, 3, 4)).astype(kind)
    images = write_idx(tmp_path / f"x{suffix}", values)
    labels = write_idx(tmp_path / "y", np.arange(5).astype(np.uint8))
    rows = Idx(str(images), str(labels)).load(RNG)
    np.testing.assert_array_equal(rows.x, values[:, None])
    assert isinstance(rows.x, np.memmap) == (not suffix)
    np.testing.assert_array_equal(rows.read("x", np.array([4, 0])), rows.x[[4, 0]])
    deep = write_idx(tmp_path / "deep", values[:, None, :, :].repeat(2, axis=1))
    assert Idx(str(deep), str(labels)).load(RNG).x.shape == (5, 2, 3, 4)


GOOD = idx_bytes(np.zeros((4, 2, 2), np.uint8))
HUGE = struct.pack(">BBBB3I", 0, 0, 8, 3, 2**31, 2**15, 2**15)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"expected an IDX file.*got b''"),
        (b"PNG nonsense", "expected an IDX file"),
        (b"\0\0\x07" + GOOD[3:], "a type from 8 to 14"),
        (b"\0\0\x08\x00", "the number of axes"),
        (b"\0\0\x08\xff" + GOOD[4:], "at most 8 axes"),
        (GOOD[:9], "expected 3 sizes, got a shorter file"),
        (GOOD[:-1], r"expected 16 bytes.*got only 15: it is truncated"),
        (GOOD + b"x", "expected 16 bytes.*got more"),
        (idx_bytes(np.zeros((4, 0, 2), np.uint8)), "expected values"),
        (HUGE, "GiB|truncated"),
    ],
)
def test_idx_that_is_broken_is_refused(
    tmp_path: Path, pack: Callable[[bytes], bytes], content: bytes, message: str
) -> None:
    path = tmp_path / "x"
    path.write_bytes(pack(content))
    with pytest.raises(NncliError, match=message) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)


def test_idx_whose_gzip_is_broken_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.gz"
    packed = gzip.compress(idx_bytes(RNG.integers(0, 9, (9, 9, 9)).astype(np.uint8)))
    for content in (packed[:-20], packed[:60] + b"\0" * 40, packed[:2]):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"expected an IDX file|truncated"):
            read_idx(path)
    with pytest.raises(DataError, match="No such file"):
        read_idx(tmp_path / "none")
    with pytest.raises(DataError, match="a directory"):
        read_idx(tmp_path)


def test_gzip_bomb_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(GOOD + bytes(2**24)))
    tracemalloc.start()
    with pytest.raises(DataError, match="expected 16 bytes"):
        read_idx(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**20
    # One that says it is large is refused before there is room for it.
    monkeypatch.setattr(arrays, "_physical_memory", lambda: 2**20)
    big = idx_bytes(np.zeros((1, 1024, 1024), np.uint8))
    path.write_bytes(gzip.compress(big))
    with pytest.raises(NncliError, match="half of this machine's memory"):
        read_idx(path)


def test_labels_that_do_not_belong_to_the_images_are_refused(tmp_path: Path) -> None:
    x = write_idx(tmp_path / "x", np.zeros((5, 2, 2), np.uint8))
    y = write_idx(tmp_path / "y", np.zeros(4, np.uint8))
    with pytest.raises(DataError, match="each of the 5 images of x, got 4 labels"):
        load(Idx(str(x), str(y)))
    with pytest.raises(DataError, match="Are the files swapped"):
        load(Idx(str(y), str(x)))
    with pytest.raises(DataError, match="one label an image"):
        load(Idx(str(x), str(x)))
    write_mnist(tmp_path / "m")
    labels = np.full(TRAIN, 10, np.uint8)
    write_idx(tmp_path / "m" / "train-labels-idx1-ubyte", labels)
    with pytest.raises(DataError, match="labels from 0 to 9, got labels from 0 to 10"):
        load(Mnist(root=str(tmp_path / "m")))


def test_missing_files_say_how_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NNCLI_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"mnist/train-.*nncli data get mnist$"):
        load(Mnist())
    root = tmp_path / "a b"
    with pytest.raises(DataError, match=r"data get cifar10 --root '.*a b'$"):
        load(Cifar10(root=str(root)))


def test_cifar_is_read_from_its_records(tmp_path: Path) -> None:
    held = write_cifar(tmp_path, "cifar10")
    rows = load(Cifar10(root=str(tmp_path)))
    records = np.concatenate([*held.values()])
    np.testing.assert_array_equal(everything(rows, "y"), records[:, 0])
    x = records[:, 1:].reshape(-1, 3, 32, 32)
    index = RNG.permutation(len(x))
    np.testing.assert_array_equal(rows.read("x", index), x[index])
    np.testing.assert_array_equal(rows.parts["test"], np.arange(60, 72))
    assert rows.classes == tuple(range(10))
    names = [f"thing {number}" for number in range(10)]
    (tmp_path / "batches.meta.txt").write_text("\n".join(names) + "\n\n")
    test = load(Cifar10(root=str(tmp_path), part="test"))
    assert test.classes == tuple(names)
    np.testing.assert_array_equal(everything(test), x[60:])
    assert isinstance(test, Table)
    # Rows with a label between them are read from the file too, not mapped.
    assert FileRows.of(test.x) is not None
    assert test.held("x") is None


def test_cifar100_has_fine_and_coarse_labels(tmp_path: Path) -> None:
    held = write_cifar(tmp_path, "cifar100")
    for labels, place, count in (("coarse", 0, 20), ("fine", 1, 100)):
        rows = load(Cifar100(root=str(tmp_path), labels=labels))  # type: ignore[arg-type]
        y = np.concatenate([records[:, place] for records in held.values()])
        np.testing.assert_array_equal(everything(rows, "y"), y)
        assert rows.classes == tuple(range(count))
        x = held["test.bin"][:, 2:].reshape(-1, 3, 32, 32)
        np.testing.assert_array_equal(rows.read("x", slice(12, 24)), x)


def test_cifar_that_is_broken_is_refused(tmp_path: Path) -> None:
    write_cifar(tmp_path, "cifar10")
    path = tmp_path / "data_batch_3.bin"
    whole = path.read_bytes()
    for content in (whole[:-1], b""):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"batch_3.*records of 3,073 bytes"):
            load(Cifar10(root=str(tmp_path)))
    path.write_bytes(b"\x0a" + whole[1:])
    with pytest.raises(DataError, match="labels from 0 to 9, got 10"):
        load(Cifar10(root=str(tmp_path)))

"""MNIST and the datasets that come in its form."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from nncli.core.arrays import Array
from nncli.core.errors import DataError
from nncli.core.signature import File
from nncli.data.base import Dataset, Rows
from nncli.data.idx import read_pair
from nncli.data.joined import joined
from nncli.data.sources import missing, root_of

Part = Literal["all", "train", "test"]


class Mnist(Dataset, name="mnist"):
    """Grey images of handwritten digits, 60,000 and a test part of 10,000.

    x (N, 1, 28, 28) from 0 to 255, from the four IDX files, plain (then they are
    memory-mapped) or gzip. ``nncli data get mnist`` gets them.

    Source: LeCun, Cortes and Burges 1998, CC BY-SA 3.0.

    Args:
        root: The folder of the files; null for where ``nncli data get`` puts them.
        part: ``all``, with the official test part as the test part; or the rows of
            ``train`` or ``test`` alone, to be split by ``split``.
    """

    root: File | None = None
    part: Part = "all"

    def load(self, rng: np.random.Generator) -> Rows:
        """Open the files."""
        return _load(self.type_name, self.root, self.part, tuple(range(10)))


class FashionMnist(Dataset, name="fashion_mnist"):
    """Grey images of ten kinds of clothing, 60,000 and a test part of 10,000.

    Files and shapes are those of ``mnist``. ``nncli data get fashion_mnist`` gets them.

    Source: Xiao, Rasul and Vollgraf 2017, MIT.

    Args:
        root: The folder of the files; null for where ``nncli data get`` puts them.
        part: ``all``, with the official test part as the test part; or the rows of
            ``train`` or ``test`` alone, to be split by ``split``.
    """

    root: File | None = None
    part: Part = "all"

    def load(self, rng: np.random.Generator) -> Rows:
        """Open the files."""
        return _load(self.type_name, self.root, self.part, _CLOTHING)


class Kmnist(Dataset, name="kmnist"):
    """Grey images of ten cursive hiragana, 60,000 and a test part of 10,000.

    Files and shapes are those of ``mnist``. ``nncli data get kmnist`` gets them.

    Source: Clanuwat et al. 2018, "Deep Learning for Classical Japanese Literature",
    CC BY-SA 4.0.

    Args:
        root: The folder of the files; null for where ``nncli data get`` puts them.
        part: ``all``, with the official test part as the test part; or the rows of
            ``train`` or ``test`` alone, to be split by ``split``.
    """

    root: File | None = None
    part: Part = "all"

    def load(self, rng: np.random.Generator) -> Rows:
        """Open the files."""
        return _load(self.type_name, self.root, self.part, _HIRAGANA)


class Emnist(Dataset, name="emnist"):
    """Grey images of handwritten letters and digits, in the form of MNIST.

    x (N, 1, 28, 28) from 0 to 255, upright (the files hold them transposed). Put the
    four files ``emnist-SUBSET-{train,test}-{images-idx3,labels-idx1}-ubyte``, plain or
    gzip, into ``root``.

    Source: Cohen et al. 2017, "EMNIST: an extension of MNIST to handwritten letters".

    Args:
        root: The folder of the files.
        subset: Which of the published selections; ``letters`` joins upper and lower
            case, ``balanced`` and ``bymerge`` join those that look alike.
        part: ``all``, with the official test part as the test part; or the rows of
            ``train`` or ``test`` alone, to be split by ``split``.
    """

    root: File
    subset: Literal["balanced", "byclass", "bymerge", "letters", "digits", "mnist"] = (
        "balanced"
    )
    part: Part = "all"

    def load(self, rng: np.random.Generator) -> Rows:
        """Open the files."""
        stems = [f"emnist-{self.subset}-{part}" for part in _chosen(self.part)]
        pairs = [_pair(self.type_name, Path(self.root), stem) for stem in stems]
        inputs = [np.ascontiguousarray(x.swapaxes(-1, -2)) for x, _ in pairs]
        labels = [y - (self.subset == "letters") for _, y in pairs]
        classes = tuple(_CHARACTERS[self.subset])
        return _rows(self.type_name, inputs, labels, classes)


_CLOTHING = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
_HIRAGANA = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
_DIGITS, _UPPER = "0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_CHARACTERS = {
    "balanced": f"{_DIGITS}{_UPPER}abdefghnqrt",
    "byclass": f"{_DIGITS}{_UPPER}{_UPPER.lower()}",
    "bymerge": f"{_DIGITS}{_UPPER}abdefghnqrt",
    "letters": _UPPER,
    "digits": _DIGITS,
    "mnist": _DIGITS,
}

_STEMS = {"train": "train", "test": "t10k"}


def _load(name: str, root: str | None, part: Part, classes: tuple[Any, ...]) -> Rows:
    folder = root_of(name, root)
    pairs = [_pair(name, folder, _STEMS[each], root) for each in _chosen(part)]
    return _rows(name, [x for x, _ in pairs], [y for _, y in pairs], classes)


def _chosen(part: Part) -> list[Literal["train", "test"]]:
    return ["train", "test"] if part == "all" else [part]


def _pair(
    name: str, folder: Path, stem: str, root: str | None = None
) -> tuple[Array, Array]:
    files = [
        _found(name, folder, f"{stem}-{what}-ubyte", root)
        for what in ("images-idx3", "labels-idx1")
    ]
    return read_pair(*files)


def _found(name: str, folder: Path, file: str, root: str | None) -> Path:
    for path in (folder / file, folder / f"{file}.gz"):
        if path.exists():
            return path
    raise missing(name, folder / f"{file}.gz", root)


def _rows(
    name: str,
    inputs: Sequence[Array],
    labels: Sequence[Array],
    classes: tuple[Any, ...],
) -> Rows:
    """Return the rows of one part, or of both, of which the second is the test."""
    shapes = {x.shape[1:] for x in inputs}
    if len(shapes) > 1:
        raise DataError(f"{name}: expected images of one shape, got {shapes}.")
    y = np.concatenate(labels).astype(np.int64)
    if not 0 <= y.min() <= y.max() < len(classes):
        raise DataError(
            f"{name}: expected labels from 0 to {len(classes) - 1}, got labels from "
            f"{y.min()} to {y.max()}."
        )
    parts = {"test": np.arange(len(inputs[0]), len(y))} if len(inputs) > 1 else {}
    return joined(inputs, y, classes, parts)

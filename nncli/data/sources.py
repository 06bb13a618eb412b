"""Sources: public datasets, where they come from, and where they are put."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nncli.core.errors import DataError


@dataclass(frozen=True)
class Download:
    """A file that mirrors have.

    Attributes:
        name: Its name, there and here.
        size: Its bytes.
        sha256: What it must hold.
    """

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Source:
    """A dataset that can be downloaded.

    Attributes:
        mirrors: Addresses that a file's name is put behind, in the order in which they
            are tried.
        files: What is downloaded.
        members: Of an archive, the files that are unpacked from it, with the most
            bytes of each; only these are kept.
    """

    mirrors: tuple[str, ...]
    files: tuple[Download, ...]
    members: Mapping[str, int] = field(default_factory=dict)


def _four(*facts: tuple[int, str]) -> tuple[Download, ...]:
    """Return the four files of MNIST and what has its form."""
    names = (
        *("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
        *("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
    )
    return tuple(Download(n, *fact) for n, fact in zip(names, facts, strict=True))


_TORONTO = ("https://www.cs.toronto.edu/~kriz/", "https://cave.cs.toronto.edu/kriz/")

# Hashes as several independent projects publish them (torch-rb, MLDatasets.jl, GoMLX,
# torchvision's prototypes, Lasagne); that of MNIST's content was checked as well.
SOURCES: dict[str, Source] = {
    "mnist": Source(
        (
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        _four(
            (
                9_912_422,
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            ),
            (
                28_881,
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            ),
            (
                1_648_877,
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            ),
            (
                4_542,
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            ),
        ),
    ),
    "fashion_mnist": Source(
        (
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/"
            "data/fashion/",
        ),
        _four(
            (
                26_421_880,
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            ),
            (
                29_515,
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            ),
            (
                4_422_102,
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            ),
            (
                5_148,
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            ),
        ),
    ),
    "kmnist": Source(
        (
            "https://codh.rois.ac.jp/kmnist/dataset/kmnist/",
            "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
        ),
        _four(
            (
                18_165_135,
                "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
            ),
            (
                29_497,
                "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
            ),
            (
                3_041_136,
                "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
            ),
            (
                5_120,
                "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
            ),
        ),
    ),
    "cifar10": Source(
        _TORONTO,
        (
            Download(
                "cifar-10-binary.tar.gz",
                170_052_171,
                "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            ),
        ),
        {
            **{f"data_batch_{i}.bin": 30_730_000 for i in range(1, 6)},
            "test_batch.bin": 30_730_000,
            "batches.meta.txt": 2**16,
        },
    ),
    "cifar100": Source(
        _TORONTO,
        (
            Download(
                "cifar-100-binary.tar.gz",
                168_513_733,
                "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
            ),
        ),
        {
            "train.bin": 153_700_000,
            "test.bin": 30_740_000,
            "fine_label_names.txt": 2**16,
            "coarse_label_names.txt": 2**16,
        },
    ),
}


def root_of(name: str, root: str | None = None) -> Path:
    """Return the folder of a dataset's files.

    Args:
        name: Its name.
        root: The folder that the config names; None for the usual one, below
            ``$NNCLI_DATA`` or else ``~/.cache/nncli``.
    """
    if root is not None:
        return Path(root)
    given = os.environ.get("NNCLI_DATA")
    return (Path(given) if given else Path.home() / ".cache" / "nncli") / name


def missing(name: str, file: Path, root: str | None) -> DataError:
    """Return the error that a file of a dataset is missing, with the way to get it."""
    text = f"{file}: expected a file of dataset {name}, found none."
    if name not in SOURCES:
        return DataError(f"{text} Put it there, or set dataset.root.")
    where = f" --root {shlex.quote(root)}" if root is not None else ""
    return DataError(f"{text} Get it: nncli data get {name}{where}")

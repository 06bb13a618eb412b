"""Real data that comes with the package, from ``datasets/``."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np

from nncli.core.errors import DataError
from nncli.data.base import Dataset
from nncli.data.table import Table

_PACKAGE = Path(__file__).parents[1]


class Digits(Dataset, name="digits"):
    """1,797 grey images of handwritten digits, 8x8: x (1797, 1, 8, 8) from 0 to 16.

    Source: Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI
    Machine Learning Repository, 1998 (test part), CC BY 4.0.
    """

    def load(self, rng: np.random.Generator) -> Table:
        """Read the shipped file."""
        values = _read_csv(_shipped("digits.csv.gz"))
        images = values[:, :64].reshape(-1, 1, 8, 8)
        return Table(images, values[:, 64].astype(int), tuple(range(10)))


def _shipped(name: str) -> Path:
    # In a wheel the files lie inside the package, in a checkout beside it.
    for folder in (_PACKAGE / "datasets", _PACKAGE.parent / "datasets"):
        if (folder / name).is_file():
            return folder / name
    raise DataError(f"{name}: expected it in the installation of nncli. Reinstall it.")


def _read_csv(path: Path) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    try:
        with gzip.open(path, "rt", encoding="ascii") as file:
            return np.loadtxt(file, np.uint8, delimiter=",", skiprows=1, ndmin=2)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise DataError(
            f"{path}: expected gzipped CSV with numbers, got {error}. Reinstall nncli."
        ) from None

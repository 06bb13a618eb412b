"""Small image datasets as files, for tests: nothing is downloaded."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np

from nncli.core.arrays import Array

CODES = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}
TRAIN, TEST = 90, 30


def idx_bytes(array: Array) -> bytes:
    """Return an array as the content of an IDX file."""
    code = CODES[array.dtype.str[1:]]
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    values = array.astype(array.dtype.newbyteorder(">")).tobytes()
    return bytes([0, 0, code, array.ndim]) + sizes + values


def write_idx(path: Path, array: Array) -> Path:
    """Write an IDX file, gzip where its name says so."""
    content = idx_bytes(array)
    path.write_bytes(gzip.compress(content, 1) if path.suffix == ".gz" else content)
    return path


def write_mnist(folder: Path, suffix: str = ".gz", **sizes: int) -> dict[str, Array]:
    """Write the four files of MNIST with random images; return what they hold."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    held: dict[str, Array] = {}
    for stem, count in ({"train": TRAIN, "t10k": TEST} | sizes).items():
        x = rng.integers(0, 256, (count, 28, 28)).astype(np.uint8)
        y = (np.arange(count) % 10).astype(np.uint8)
        write_idx(folder / f"{stem}-images-idx3-ubyte{suffix}", x)
        write_idx(folder / f"{stem}-labels-idx1-ubyte{suffix}", y)
        held |= {f"{stem} x": x[:, None], f"{stem} y": y}
    return held


def write_cifar(folder: Path, name: str, count: int = 12) -> dict[str, Array]:
    """Write the files of CIFAR with random images; return their records."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    files = [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]
    labels: tuple[int, ...] = (10,)
    if name == "cifar100":
        files, labels = ["train.bin", "test.bin"], (20, 100)
    held = {}
    for file in files:
        head = [rng.integers(0, most, (count, 1)) for most in labels]
        pixels = rng.integers(0, 256, (count, 3072))
        held[file] = np.concatenate([*head, pixels], axis=1).astype(np.uint8)
        held[file].tofile(folder / file)
    return held


def write_datasets(folder: Path) -> None:
    """Write every dataset that a config may name without saying where it is."""
    for name in ("mnist", "fashion_mnist", "kmnist"):
        write_mnist(folder / name)
    for name in ("cifar10", "cifar100"):
        write_cifar(folder / name, name)


def picture(height: int = 6, width: int = 8, seed: int = 0, mode: str = "RGB") -> Any:
    """Return a random image of Pillow's."""
    from PIL import Image

    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
    return Image.fromarray(pixels).convert(mode)


def write_pictures(folder: Path, classes: str = "ab", count: int = 3) -> list[Path]:
    """Write a folder of PNG files for each class."""
    paths = []
    for number, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for place in range(count):
            paths.append(folder / name / f"{place}.png")
            picture(seed=10 * number + place).save(paths[-1])
    return paths

"""Checkpoints: come back with the same bits, or are refused with one message."""

from __future__ import annotations

import json
import os
import pickle
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

from nncli.core import arrays as memory
from nncli.core.arrays import Array
from nncli.core.errors import NncliError, RunError
from nncli.runs import checkpoint as module
from nncli.runs.checkpoint import FORMAT, Checkpoint, load_checkpoint, save_checkpoint

RNG = np.random.default_rng(0)
ARRAYS: dict[str, Array] = {
    "weight": RNG.normal(size=(3, 4)).astype(np.float32),
    "moment": RNG.normal(size=(5,)),
    "strided": RNG.normal(size=(4, 6)).T[::2],
    "odd": np.array([np.nan, np.inf, -0.0, 5e-324]),
    "counts": np.arange(3),
    "nothing": np.zeros((0, 2), np.float32),
    "scalar": np.array(2.5),
}
META = {"config": {"name": "ü", "n": 2**100}, "progress": {"best": 0.1}, "none": None}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a whole checkpoint."""
    path = tmp_path / "last.safetensors"
    save_checkpoint(path, Checkpoint(ARRAYS, META))
    return path


def refusal(path: Path) -> str:
    """Return the one message with which a file is refused."""
    with pytest.raises(RunError) as caught:
        load_checkpoint(path)
    message = str(caught.value)
    assert str(path) in message
    assert "expected" in message or "damaged" in message
    return message


def write(path: Path, arrays: dict[str, Any], metadata: dict[str, str] | None) -> None:
    path.write_bytes(save(arrays, metadata))


def test_checkpoint_comes_back_with_the_same_bits(path: Path) -> None:
    loaded = load_checkpoint(path)
    assert loaded.meta == META
    assert set(loaded.arrays) == set(ARRAYS)
    for name, array in ARRAYS.items():
        back = loaded.arrays[name]
        assert (back.dtype, back.shape) == (array.dtype, array.shape)
        assert back.tobytes() == array.tobytes()


def test_checkpoint_arrays_can_be_written_to(path: Path) -> None:
    loaded = load_checkpoint(path)
    for array in loaded.arrays.values():
        array.fill(1)
    assert load_checkpoint(path).arrays["weight"][0, 0] == ARRAYS["weight"][0, 0]


def test_checkpoint_saves_no_meta_that_json_has_not(tmp_path: Path) -> None:
    path = tmp_path / "last.safetensors"
    with pytest.raises(ValueError, match="JSON compliant"):
        save_checkpoint(path, Checkpoint({}, {"best": float("nan")}))
    assert not path.exists()


def test_checkpoint_saves_no_more_meta_than_it_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_META_BYTES", 1000)
    with pytest.raises(RunError, match="16 MiB"):
        save_checkpoint(tmp_path / "x", Checkpoint({}, {"classes": ["a" * 1000]}))


@pytest.mark.slow
def test_checkpoint_with_any_byte_changed_is_refused(path: Path) -> None:
    whole, rng = path.read_bytes(), np.random.default_rng(1)
    for place in range(len(whole)):
        broken = bytearray(whole)
        broken[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(broken)
        refusal(path)


def test_checkpoint_cut_off_anywhere_is_refused(path: Path) -> None:
    whole = path.read_bytes()
    for size in {*range(0, len(whole), 7), len(whole) - 1}:
        path.write_bytes(whole[:size])
        refusal(path)


def test_checkpoint_with_bytes_added_is_refused(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")
    refusal(path)


def test_checkpoint_of_random_bytes_is_refused(path: Path) -> None:
    for size in (0, 1, 7, 8, 9, 100, 10_000):
        path.write_bytes(np.random.default_rng(size).bytes(size))
        refusal(path)


def test_checkpoint_that_is_missing_or_no_file_is_refused(tmp_path: Path) -> None:
    assert "found nothing" in refusal(tmp_path / "missing")
    refusal(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    refusal(tmp_path / "pipe")
    refusal(Path("/dev/zero"))


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("kind", ["pickle", "npy", "npz"])
def test_checkpoint_runs_nothing(tmp_path: Path, kind: str) -> None:
    path, sign = tmp_path / "last.safetensors", tmp_path / "it-ran"
    with path.open("wb") as file:
        if kind == "pickle":
            pickle.dump(Trap(sign), file)
        elif kind == "npy":
            np.save(file, np.array([Trap(sign)], dtype=object), allow_pickle=True)
        else:
            np.savez(file, a=np.array([Trap(sign)], dtype=object))
    refusal(path)
    assert not sign.exists()


@pytest.mark.parametrize(
    "metadata", [None, {}, {"format": "pt"}, {"format": "nncli-checkpoint-99"}]
)
def test_checkpoint_of_another_format_is_refused_by_name(
    tmp_path: Path, metadata: dict[str, str] | None
) -> None:
    path = tmp_path / "model.safetensors"
    write(path, {"weight": np.zeros(2)}, metadata)
    assert FORMAT in refusal(path)


def test_checkpoint_without_digest_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x"
    write(path, {}, {"format": FORMAT, "meta": "{}"})
    assert "damaged" in refusal(path)


@pytest.mark.parametrize(
    "meta",
    ["", "[]", "1", "nonsense", "[" * 10_000, '{"a":' * 10_000, "1" * 5000, "\\ud800"],
    ids=lambda text: text[:8] or "empty",
)
def test_checkpoint_with_odd_meta_is_refused(tmp_path: Path, meta: str) -> None:
    path = tmp_path / "x"
    digest = module._digest(meta, {})
    write(path, {}, {"format": FORMAT, "meta": meta, "sha256": digest})
    assert "JSON" in refusal(path)


def test_checkpoint_with_too_much_meta_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x"
    save_checkpoint(path, Checkpoint({}, {"classes": ["a" * 1000]}))
    monkeypatch.setattr(module, "MAX_META_BYTES", 1000)
    assert "JSON" in refusal(path)


def raw(header: dict[str, Any], data: bytes = b"") -> bytes:
    """Return a safetensors file with any header."""
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


@pytest.mark.parametrize(
    ("kind", "shape", "end"),
    [
        ("F32", [10**12], 4 * 10**12),
        ("F32", [2**62, 4], 0),
        ("F32", [10**30], 8),
        ("F32", [-1], 8),
        ("F32", [2], 10**18),
        ("F16", [4], 8),
        ("BF16", [4], 8),
        ("F8_E4M3", [8], 8),
        ("F99", [1], 8),
        ("O", [1], 8),
    ],
)
def test_checkpoint_with_odd_arrays_is_refused_and_takes_no_memory(
    tmp_path: Path, kind: str, shape: list[int], end: int
) -> None:
    path = tmp_path / "x"
    array = {"dtype": kind, "shape": shape, "data_offsets": [0, end]}
    path.write_bytes(raw({"__metadata__": {"format": FORMAT}, "a": array}, bytes(8)))
    tracemalloc.start()
    try:
        refusal(path)
        assert tracemalloc.get_traced_memory()[1] < 5e6
    finally:
        tracemalloc.stop()


def test_checkpoint_larger_than_memory_is_not_read(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_physical_memory", lambda: 1000)
    with pytest.raises(NncliError, match="half of this machine"):
        load_checkpoint(path)

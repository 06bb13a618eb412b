"""Images in files: folders and CSVs of labels, and files that are broken or hostile."""

from __future__ import annotations

import struct
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nncli.core import arrays
from nncli.core.arrays import Array
from nncli.core.errors import ArgumentError, DataError, MissingExtra, NncliError
from nncli.data import image_rows as module
from nncli.data.image_folder import ImageFolder
from nncli.data.image_rows import ImageRows, image_rows
from tests.command import Command
from tests.pictures import picture, write_pictures

pillow = pytest.importorskip("PIL.Image")


def load(path: Path, **arguments: Any) -> ImageRows:
    return ImageFolder(path=str(path), **arguments).load(np.random.default_rng(0))


def everything(rows: ImageRows) -> Array:
    return rows.read("x", slice(0, len(rows)))


def pixels(path: Path) -> Array:
    return np.moveaxis(np.asarray(pillow.open(path).convert("RGB")), -1, 0)


def test_folders_are_classes(tmp_path: Path) -> None:
    paths = write_pictures(tmp_path, "ba")
    (tmp_path / "a" / "notes.txt").write_text("no image")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "a" / "below").mkdir()
    picture(seed=99).save(tmp_path / "a" / "below" / "deep.PNG")
    rows = load(tmp_path)
    files = [*paths[3:], tmp_path / "a" / "below" / "deep.PNG", *paths[:3]]
    assert rows.classes == ("a", "b")
    assert rows.names == tuple(map(str, files))
    np.testing.assert_array_equal(rows.read("y", slice(0, 7)), [0] * 4 + [1] * 3)
    wanted = np.stack([pixels(path) for path in files])
    assert wanted.shape[1:] == rows.fields["x"].shape == (3, 6, 8)
    np.testing.assert_array_equal(everything(rows), wanted)
    # A second time they come from memory.
    for path in files:
        path.unlink()
    out = np.empty((3, 3, 6, 8), np.float32)
    rows.take(np.array([6, 0, 2]), {"x": out})
    np.testing.assert_array_equal(out, wanted[[6, 0, 2]])


@pytest.mark.parametrize("kept", [0, 2])
def test_images_that_are_not_kept_are_decoded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    paths = write_pictures(tmp_path)
    monkeypatch.setattr(module, "CACHE", kept * 3 * 6 * 8)
    rows = load(tmp_path)
    first = everything(rows)
    np.testing.assert_array_equal(everything(rows), first)
    paths[-1].unlink()
    assert rows.read("x", slice(0, kept)).shape[0] == kept
    with pytest.raises(DataError, match=r"b/2\.png: expected a PNG.*found none"):
        everything(rows)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"])
@pytest.mark.parametrize(("colors", "to"), [("rgb", "RGB"), ("grey", "L")])
def test_every_kind_of_image_becomes_bytes(
    tmp_path: Path, mode: str, colors: str, to: str
) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        suffix = "jpg" if mode in ("CMYK", "YCbCr") else "png"
        picture(mode=mode).save(tmp_path / name / f"x.{suffix}")
    rows = load(tmp_path, colors=colors)
    opened = pillow.open(tmp_path / "a" / f"x.{suffix}")
    wanted = np.asarray(opened.convert(to)).reshape(6, 8, -1)
    np.testing.assert_array_equal(everything(rows)[0], np.moveaxis(wanted, -1, 0))


def test_images_are_resized(tmp_path: Path) -> None:
    write_pictures(tmp_path, "ab", 1)
    picture(20, 30).save(tmp_path / "a" / "large.webp", lossless=True)
    with pytest.raises(DataError, match=r"large\.webp: .*8 pixels.*got 20x30.*size="):
        load(tmp_path)
    rows = load(tmp_path, size=[5, 4])
    assert rows.fields["x"].shape == (3, 5, 4)
    shrunk = picture(20, 30).resize((4, 5), pillow.Resampling.BILINEAR)
    np.testing.assert_array_equal(
        everything(rows)[1], np.moveaxis(np.asarray(shrunk), -1, 0)
    )
    for size in ([0, 4], [5], [5, 4, 3], [2**15, 4]):
        with pytest.raises(ArgumentError):
            ImageFolder(path="x", size=size)


def test_folders_named_for_parts_are_the_parts(tmp_path: Path) -> None:
    for part, classes in (("train", "abc"), ("val", "ac"), ("test", "abc")):
        write_pictures(tmp_path / part, classes, 2)
    rows = load(tmp_path)
    assert rows.classes == ("a", "b", "c")
    sizes = {name: len(index) for name, index in rows.parts.items()}
    assert sizes == {"train": 6, "validation": 4, "test": 6}
    validation = rows.read("y", rows.parts["validation"])
    np.testing.assert_array_equal(validation, [0, 0, 2, 2])
    write_pictures(tmp_path / "test" / "more", "d", 1)
    with pytest.raises(DataError, match=r"test/more: expected one of the classes"):
        load(tmp_path)


def test_csv_holds_labels(tmp_path: Path) -> None:
    write_pictures(tmp_path, "ab", 2)
    labels = tmp_path / "labels.csv"
    labels.write_text("who,file,label\n1,b/0.png,7\n2,a/1.png,10\n2,a/0.png,7\n")
    rows = load(tmp_path, labels=str(labels))
    assert [Path(name).name for name in rows.names] == ["0.png", "1.png", "0.png"]
    assert set(rows.classes or ()) == {"7", "10"}
    assert rows.keys["who"].tolist() == ["1", "2", "2"]
    y = rows.read("y", slice(0, 3))
    assert [(rows.classes or ())[k] for k in y] == ["7", "10", "7"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the columns file and label, got an empty file"),
        ("name,label\na,b\n", "the columns file and label, got name, label"),
        ("file,label\n", "expected rows below the names"),
        ("file,label\na/0.png\n", "row 2: expected 2 values, got 1"),
        ("file,label\nnone.png,1\n", r"none\.png: expected a PNG.*found none"),
    ],
)
def test_csv_that_holds_no_labels_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    write_pictures(tmp_path / "d", "a", 1)
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        load(tmp_path / "d", labels=str(tmp_path / "labels.csv"))
    with pytest.raises(DataError, match="expected a CSV of labels"):
        load(tmp_path / "d", labels=str(tmp_path / "no.csv"))


def test_folder_without_classes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected a folder of images, found none"):
        load(tmp_path / "none")
    picture().save(tmp_path / "x.png")
    with pytest.raises(DataError, match="two classes, found none"):
        load(tmp_path)
    write_pictures(tmp_path, "a", 1)
    with pytest.raises(DataError, match="two classes, found a"):
        load(tmp_path)
    (tmp_path / "b").mkdir()
    with pytest.raises(DataError, match=r"b: expected images \(.png.*found none"):
        load(tmp_path)


def declared(width: int, height: int) -> bytes:
    """Return a PNG that says it is large, and holds nothing."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    packed = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)
        for kind, data in chunks
        for crc in [zlib.crc32(kind + data)]
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected a PNG, JPEG or WebP image"),
        (b"GIF89a" + bytes(50), "expected a PNG, JPEG or WebP image"),
        (declared(10_000, 10_000), "at most 89,478,485 pixels"),
        (declared(2**31 - 1, 2**31 - 1), "at most 89,478,485 pixels"),
    ],
)
def test_file_that_is_no_image_or_a_bomb_is_refused(
    tmp_path: Path, content: bytes, message: str
) -> None:
    write_pictures(tmp_path)
    (tmp_path / "b" / "bad.png").write_bytes(content)
    for size in (None, [4, 4]):
        with pytest.raises(DataError, match=rf"b/bad\.png: .*{message}"):
            load(tmp_path, size=size)


def test_image_larger_than_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pictures(tmp_path)
    (tmp_path / "b" / "bad.png").write_bytes(declared(5000, 5000))
    monkeypatch.setattr(arrays, "_physical_memory", lambda: 2**26)
    with pytest.raises(NncliError, match=r"bad\.png: .*half of this machine's memory"):
        load(tmp_path)


def test_image_of_16_bits_is_refused(tmp_path: Path) -> None:
    write_pictures(tmp_path)
    deep = pillow.fromarray(np.full((6, 8), 40_000, np.uint16))
    deep.save(tmp_path / "b" / "bad.png")
    with pytest.raises(DataError, match=r"bad\.png: .*8 bits a channel.*I;16"):
        load(tmp_path)


def test_corrupt_image_is_one_message_before_training(
    command: Command, tmp_path: Path
) -> None:
    paths = write_pictures(tmp_path / "d")
    content = paths[4].read_bytes()
    paths[4].write_bytes(content[:60] + b"\0" * 20 + content[80:])
    config = tmp_path / "c.yaml"
    config.write_text(
        "dataset: {type: image_folder, path: d}\n"
        "layers: [flatten, {type: dense, units: 2}]\n"
        "loss: softmax_cross_entropy\noptimizer: sgd\ntraining: {epochs: 1}\n"
    )
    outcome = command.train(config, expect=DataError.exit_code)
    assert f"error: {paths[4]}: expected a PNG, JPEG or WebP image" in outcome.err
    assert not command.runs.exists()
    paths[4].write_bytes(content)
    command.train(config)


def test_images_to_predict_come_from_folders_and_files(tmp_path: Path) -> None:
    paths = write_pictures(tmp_path)
    rows = image_rows([paths[5], tmp_path / "a"], (1, 3, 4))
    assert rows.names == tuple(map(str, [paths[5], *paths[:3]]))
    assert "y" not in rows.fields
    assert everything(rows).shape == (4, 1, 3, 4)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty: expected images .*found none"):
        image_rows([tmp_path / "empty"], (3, 3, 4))
    for shape in ((2,), (2, 3, 4), ()):
        with pytest.raises(DataError, match="expected a network that takes"):
            image_rows(paths, shape)


def test_missing_pillow_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pictures(tmp_path)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingExtra, match=r'pip install "nncli\[images\]"'):
        load(tmp_path)

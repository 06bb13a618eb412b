"""Augmentations: against slow loops and PyTorch, and as pure functions of the seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nncli.checking.variations import variations
from nncli.config.load import load_values
from nncli.core.arrays import Array
from nncli.core.errors import ArgumentError, ConfigError
from nncli.data.augmentations import Mixup
from nncli.data.augmentations_images import (
    Brightness,
    Crop,
    Cutout,
    Flip,
    Rotate,
    Scale,
    Shift,
)
from nncli.data.base import Augmentation, Field
from nncli.data.batches import Batches
from nncli.data.table import Table
from nncli.data.warp import Fill, pad, warp
from nncli.experiment.build import build
from nncli.experiment.part import Part

SHAPE = (6, 2, 5, 7)
MEMBERS = list(Augmentation.members().values())


def images(seed: int = 0, dtype: Any = np.float64) -> Array:
    return np.random.default_rng(seed).normal(size=SHAPE).astype(dtype)


def changed(augmentation: Augmentation, x: Array, seed: int = 1) -> Array:
    """Return changed images; the targets must stay."""
    out, targets = x.copy(), np.arange(len(x))
    augmentation.apply(out, targets, np.random.default_rng(seed))
    np.testing.assert_array_equal(targets, np.arange(len(x)))
    return out


@pytest.mark.parametrize("cls", MEMBERS, ids=lambda cls: cls.type_name)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_augmentation_is_a_function_of_its_generator(
    cls: type[Augmentation], dtype: Any
) -> None:
    for arguments in variations(cls):
        found = []
        for seed in (1, 1, 2):
            x, targets = images(dtype=dtype), images(1, dtype)
            cls(**arguments).apply(x, targets, np.random.default_rng(seed))
            assert x.dtype == dtype
            assert np.isfinite(x).all()
            found.append(np.stack([x, targets]))
        np.testing.assert_array_equal(found[0], found[1])
        assert not np.array_equal(found[0], found[2]), arguments


def slow_warp(x: Array, maps: Array, shifts: Array, fill: Fill) -> Array:
    """Interpolate pixel by pixel."""
    out = np.zeros_like(x)
    height, width = x.shape[-2:]
    centre = np.array([(height - 1) / 2, (width - 1) / 2])

    def pixel(image: Array, row: int, column: int) -> Array:
        inside = 0 <= row < height and 0 <= column < width
        if not inside and fill != "edge":
            return np.full(len(image), float(fill))
        return image[:, min(max(row, 0), height - 1), min(max(column, 0), width - 1)]

    for i, row, column in np.ndindex(len(x), height, width):
        r, c = maps[i] @ (np.array([row, column]) - centre) + centre + shifts[i]
        r0, c0 = int(np.floor(r)), int(np.floor(c))
        for down, right in np.ndindex(2, 2):
            share = abs(1 - down - (r - r0)) * abs(1 - right - (c - c0))
            out[i, :, row, column] += share * pixel(x[i], r0 + down, c0 + right)
    return out


@pytest.mark.parametrize("fill", ["edge", 0.0, -1.5])
def test_warp_interpolates_as_a_loop_over_pixels_does(fill: Fill) -> None:
    rng = np.random.default_rng(0)
    maps, shifts = rng.normal(size=(6, 2, 2)), rng.normal(0, 2, (6, 2))
    x = images()
    wanted = slow_warp(x, maps, shifts, fill)
    warp(x, maps, shifts, fill)
    np.testing.assert_allclose(x, wanted, atol=1e-12)


@pytest.mark.parity
@pytest.mark.parametrize(("fill", "mode"), [("edge", "border"), (0.0, "zeros")])
def test_warp_is_pytorchs_grid_sample(fill: Fill, mode: str) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    maps, shifts, x = rng.normal(size=(6, 2, 2)), rng.normal(0, 2, (6, 2)), images()
    height, width = SHAPE[2:]
    centre = np.array([(height - 1) / 2, (width - 1) / 2])
    points = np.moveaxis(np.indices((height, width)), 0, -1) - centre
    source = np.einsum("nij,hwj->nhwi", maps, points) + centre + shifts[:, None, None]
    # PyTorch's grid is (column, row), with the outer edges of the image at −1 and 1.
    grid = (2 * source[..., ::-1] + 1) / [width, height] - 1
    wanted = torch.nn.functional.grid_sample(
        torch.from_numpy(x),
        torch.from_numpy(grid.copy()),
        padding_mode=mode,
        align_corners=False,
    )
    warp(x, maps, shifts, fill)
    np.testing.assert_allclose(x, wanted.numpy(), atol=1e-12)


@pytest.mark.parametrize("fill", ["edge", 2.0])
def test_pad_is_numpys(fill: Fill) -> None:
    x, out = images(), np.empty((6, 2, 11, 13))
    pad(x, 3, fill, out)
    width = [(0, 0), (0, 0), (3, 3), (3, 3)]
    mode: Any = {"mode": "edge"} if fill == "edge" else {"constant_values": fill}
    np.testing.assert_array_equal(out, np.pad(x, width, **mode))


def test_shift_by_nothing_is_nothing_and_by_all_is_the_edge() -> None:
    x = images()
    np.testing.assert_allclose(changed(Shift(share=0.0), x), x, atol=1e-12)
    np.testing.assert_allclose(changed(Rotate(degrees=0.0), x), x, atol=1e-12)
    np.testing.assert_allclose(changed(Scale(low=1.0, high=1.0), x), x, atol=1e-12)
    moved = changed(Shift(share=0.9, fill=5.0), x)
    assert (moved == 5.0).any()


def test_rotation_by_half_a_turn_is_two_flips(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    x = images()
    maps = np.broadcast_to(-np.eye(2), (6, 2, 2))
    turned = x.copy()
    warp(turned, maps, np.zeros((6, 2)), "edge")
    np.testing.assert_allclose(turned, x[..., ::-1, ::-1], atol=1e-12)


def test_scale_of_two_shows_the_middle_half() -> None:
    x = np.zeros((1, 1, 8, 8))
    x[..., 2:6, 2:6] = 1
    np.testing.assert_allclose(changed(Scale(low=2.0, high=2.0), x)[..., 1:7, 1:7], 1)
    shrunk = changed(Scale(low=0.5, high=0.5, fill=7.0), x)
    assert (shrunk[..., 0, :] == 7).all()


def test_flip_mirrors_some_of_the_images() -> None:
    x = images()
    always = changed(Flip(probability=1.0), x)
    np.testing.assert_array_equal(always, x[..., ::-1])
    upside_down = changed(Flip(direction="vertical", probability=1.0), x)
    np.testing.assert_array_equal(upside_down, x[..., ::-1, :])
    np.testing.assert_array_equal(changed(Flip(probability=0.0), x), x)
    some = changed(Flip(), np.tile(x, (50, 1, 1, 1)))
    flipped = (some != np.tile(x, (50, 1, 1, 1))).any(axis=(1, 2, 3)).mean()
    assert 0.35 < flipped < 0.65


def test_crop_is_a_window_of_the_padded_image() -> None:
    x = images()
    padded = np.pad(x, [(0, 0), (0, 0), (2, 2), (2, 2)], constant_values=3.0)
    places = set()
    for seed in range(20):
        for number, image in enumerate(changed(Crop(padding=2, fill=3.0), x, seed)):
            found = [
                place
                for place in np.ndindex(5, 5)
                if np.array_equal(image, window(padded[number], place))
            ]
            assert len(found) == 1
            places |= set(found)
    assert len(places) == 25


def window(image: Array, place: tuple[int, ...]) -> Array:
    top, left = place
    return image[:, top : top + SHAPE[2], left : left + SHAPE[3]]


def test_brightness_adds_one_number_an_image() -> None:
    added = changed(Brightness(by=0.5), images()) - images()
    np.testing.assert_allclose(np.ptp(added.reshape(6, -1), axis=1), 0, atol=1e-12)
    assert 0.05 < np.abs(added).max() <= 0.5
    assert len(np.unique(added[:, 0, 0, 0].round(9))) == 6


def test_cutout_covers_a_square_in_every_channel() -> None:
    x = np.ones((400, 2, 5, 7))
    covered = changed(Cutout(size=3, fill=-1.0), x) == -1
    assert (covered[:, 0] == covered[:, 1]).all()
    sizes = covered[:, 0].sum(axis=(1, 2))
    # In a corner only four of the nine pixels lie inside.
    assert set(sizes.tolist()) == {4, 6, 9}
    assert covered[:, 0].any(axis=0).all()


def test_mixup_mixes_targets_as_inputs() -> None:
    x = np.random.default_rng(0).normal(size=(50, 3))
    y = x[:, :2].copy()
    Mixup(alpha=1.0).apply(x, y, np.random.default_rng(0))
    np.testing.assert_allclose(x[:, :2], y)
    before = np.random.default_rng(0).normal(size=(50, 3))
    rng = np.random.default_rng(0)
    share, order = rng.beta(1.0, 1.0), rng.permutation(50)
    np.testing.assert_allclose(x, share * before + (1 - share) * before[order])


CONFIG: dict[str, Any] = {
    "dataset": "digits",
    "layers": ["flatten", {"type": "dense", "units": 10}],
    "loss": "softmax_kl_divergence",
    "optimizer": "sgd",
    "training": {"epochs": 1},
    "augmentations": ["mixup", "rotate"],
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"loss": "softmax_cross_entropy"}, "softmax_kl_divergence"),
        ({"dataset": "spiral"}, r"rotate: expected images.*\(N, 2\)"),
    ],
)
def test_augmentation_that_does_not_fit_is_refused(
    change: dict[str, Any], message: str
) -> None:
    build(load_values(CONFIG))
    layers = [{"type": "dense", "units": 3 if "dataset" in change else 10}]
    with pytest.raises(ConfigError, match=message):
        build(load_values({**CONFIG, "layers": ["flatten", *layers], **change}))
    assert Mixup().refuses(Field(np.dtype(int), (3,)), Field(np.dtype("f4"), (3,)))
    with pytest.raises(ArgumentError, match="low <= high"):
        Scale(low=2.0, high=1.0)


def test_targets_are_mixed_anew_in_a_batch_of_all_rows() -> None:
    x = np.arange(8, dtype=np.float32).reshape(4, 2)
    part = Part(Table(x, x.copy()), None, (), lambda y: y, "float32")
    batches = Batches(part, 4, 0, [Mixup(alpha=1.0)])
    for epoch in (0, 1):
        (batch,) = batches.epoch(epoch)
        np.testing.assert_array_equal(batch.x.data, batch.targets.data)
        assert not np.array_equal(batch.x.data, x)
    np.testing.assert_array_equal(x, np.arange(8).reshape(4, 2))

"""``nncli lr-find``: a rate that trains, a curve that fits, and nothing written."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nncli.cli.commands.lr_find import plot
from nncli.config.load import load_config
from nncli.experiment.build import build
from nncli.training.lr_finder import Sweep, sweep_rates
from tests.command import Command
from tests.conftest import CONFIGS, SMALL

Write = Callable[..., Path]


def _sweep(losses: list[float], exploded: bool = False) -> Sweep:
    rates = [float(rate) for rate in np.geomspace(1e-6, 1.0, len(losses))]
    return Sweep(rates, losses, losses, exploded)


def test_suggestion_is_the_middle_of_the_steepest_fall() -> None:
    # A logistic fall around the step 60 of 121: the rate 1e-3.
    losses = [1 / (1 + math.exp((i - 60) / 8)) for i in range(121)]
    assert _sweep(losses).suggestion == pytest.approx(1e-3, rel=1e-6)


def test_what_falls_behind_the_minimum_is_not_suggested() -> None:
    losses = [2.0 - 0.01 * i for i in range(100)] + [50.0, 40.0, 30.0, 20.0, 10.0]
    suggestion = _sweep(losses).suggestion
    assert suggestion is not None
    assert suggestion < _sweep(losses).rates[100]


def test_a_loss_that_never_falls_has_no_suggestion() -> None:
    assert _sweep([1.0] * 100).suggestion is None
    assert _sweep([1.0 + i for i in range(100)]).suggestion is None
    assert _sweep([]).suggestion is None


def test_sweep_grows_by_one_factor_and_stops_where_it_explodes(
    write_config: Write,
) -> None:
    steep = SMALL.replace("adam, lr: 0.02", "sgd").replace("tanh", "relu")
    experiment = build(load_config(write_config(steep), []))
    sweep = sweep_rates(experiment, 1e-3, 1e6, 100)
    assert sweep.exploded
    assert 10 < len(sweep.rates) < 100
    factor = 1e9 ** (1 / 99)
    ratios = np.divide(sweep.rates[1:], sweep.rates[:-1])
    np.testing.assert_allclose(ratios, factor, rtol=1e-12)
    assert len(sweep.losses) == len(sweep.smoothed) == len(sweep.rates)
    assert np.isfinite(sweep.losses).all()


def test_smoothing_is_a_weighted_mean_of_the_losses_so_far(
    write_config: Write,
) -> None:
    experiment = build(load_config(write_config(), []))
    sweep = sweep_rates(experiment, 1e-6, 1e-2, 60)
    assert not sweep.exploded
    for i in (0, 1, 7, 59):
        weights = 0.9 ** np.arange(i, -1, -1)
        mean = np.average(sweep.losses[: i + 1], weights=weights)
        assert sweep.smoothed[i] == pytest.approx(mean, rel=1e-12)


@pytest.mark.parametrize("config", ["digits.yaml", "xor.yaml", "spiral.yaml"])
def test_lr_find_fits_80_columns_and_writes_nothing(
    command: Command, config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    out = command("lr-find", CONFIGS / config, "--steps", "60").out
    assert max(map(len, out.splitlines())) <= 80
    assert "▲" in out
    assert "optimizer.lr=" in out.splitlines()[-1]
    assert sorted(tmp_path.rglob("*")) == before


def test_lr_find_s_suggestion_trains_better_than_its_ends(
    command: Command, write_config: Write
) -> None:
    config = write_config()
    facts = command("lr-find", config, "--json").json()
    assert len(facts["rates"]) == len(facts["losses"]) == len(facts["smoothed"])
    losses = []
    for lr in (1e-7, facts["suggestion"]):
        change = f"optimizer.lr={lr!r}"
        result = command.train(config, change, "--json").json()
        losses.append(result["last"]["train"]["loss"])
    assert losses[1] < losses[0]


@pytest.mark.parametrize(
    "options",
    [
        ["--low", "0"],
        ["--low", "1", "--high", "1"],
        ["--high", "inf"],
        ["--steps", "9"],
    ],
)
def test_lr_find_refuses_a_range_that_is_none(
    command: Command, write_config: Write, options: list[str]
) -> None:
    assert command("lr-find", write_config(), *options).code == 2


@pytest.mark.parametrize(
    "sweep",
    [
        _sweep([]),
        _sweep([1.0]),
        _sweep([1.0, 1.0]),
        _sweep([1.0, 1e30], exploded=True),
        _sweep([-1e9 * i for i in range(50)]),
        _sweep([1e-9] * 50),
    ],
)
def test_plot_of_any_curve_fits(sweep: Sweep) -> None:
    lines = plot(sweep)
    assert all(len(line) <= 80 for line in lines)
    if len(sweep.rates) > 1:
        assert "•" in "".join(lines)


def test_loss_that_only_rounding_moves_is_a_flat_line_without_suggestion() -> None:
    rng = np.random.default_rng(0)
    flat = _sweep([0.6931 * (1 + 1e-9 * float(x)) for x in rng.normal(size=200)])
    assert flat.suggestion is None
    lines = plot(flat)
    assert [line.count("•") > 0 for line in lines].count(True) == 1
    assert _sweep([0.0] * 200).suggestion is None

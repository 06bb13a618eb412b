"""``nncli gradcheck``: right derivatives pass, a wrong one is caught and named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from nncli.autograd.function import FUNCTIONS
from nncli.layers.base import Layer
from nncli.losses.base import Loss
from tests.cli.plugins import write_plugin
from tests.command import Command
from tests.conftest import FEWER_BLOCKS, SMALL, each_config

pytestmark = pytest.mark.usefixtures("own_registries")

CUBED = SMALL.replace("tanh", "my_cube") + "plugins: [cube.py]\n"

# A derivative may be wrong altogether, or by one part in a thousand.
WRONG = [0.0, -3.0, 3.003]


@pytest.mark.slow
def test_gradcheck_passes_on_everything_there_is(command: Command) -> None:
    outcome = command("gradcheck", "--json")
    assert outcome.code == 0
    result = outcome.json()
    assert result["passed"] is True
    assert result["failed"] == []
    checked = {(check["family"], check["name"]) for check in result["checks"]}
    assert checked == {
        *(
            ("op", name)
            for name, function in FUNCTIONS.scan().items()
            if function.differentiable is not False
        ),
        *(("layer", name) for name in Layer.members()),
        *(("loss", name) for name in Loss.members()),
    }
    assert all(check["reports"] for check in result["checks"])


@pytest.mark.slow
@each_config
def test_gradcheck_passes_on_every_config_that_ships(
    command: Command, config: Path
) -> None:
    outcome = command("gradcheck", config, *FEWER_BLOCKS.get(config.stem, []))
    assert outcome.code == 0, outcome.out
    assert "all layers" in outcome.out
    assert "0 cases wrong" in outcome.out
    assert max(map(len, outcome.out.splitlines())) <= 80


def test_gradcheck_of_a_config_names_every_layer(
    command: Command, write_config: Callable[..., Path]
) -> None:
    result = command("gradcheck", write_config(), "--json").json()
    assert [check["name"] for check in result["checks"]] == [
        *("layers[0] dense", "layers[1] tanh", "layers[2] dense"),
        "all layers and loss",
    ]


def test_gradcheck_is_done_in_float64_whatever_the_config_says(
    command: Command, write_config: Callable[..., Path]
) -> None:
    assert command("gradcheck", write_config(), "precision=float32").code == 0


def test_gradcheck_refuses_what_has_no_derivative(command: Command) -> None:
    outcome = command("gradcheck", "argmax")
    assert outcome.code == 2
    assert "'argmax' has no derivative" in outcome.err


def test_gradcheck_takes_overrides(
    command: Command, write_config: Callable[..., Path]
) -> None:
    outcome = command("gradcheck", write_config(), "layers[1]=relu")
    assert "layers[1] relu" in outcome.out


@pytest.mark.parametrize("factor", WRONG)
def test_gradcheck_names_a_layer_of_a_config_whose_derivative_is_wrong(
    command: Command, write_config: Callable[..., Path], tmp_path: Path, factor: float
) -> None:
    write_plugin(tmp_path, factor)
    outcome = command("gradcheck", write_config(CUBED), "--allow-plugins")
    assert outcome.code == 3
    assert "layer layers[1] my_cube" in outcome.err
    assert "dense" not in outcome.err
    wrong = [line for line in outcome.out.splitlines() if line.startswith("WRONG ")]
    assert any("layers[1] my_cube" in line for line in wrong)
    assert "(differences)" in outcome.out
    assert "(backward)" in outcome.out


def test_gradcheck_of_a_wrong_layer_gives_json_too(
    command: Command, write_config: Callable[..., Path], tmp_path: Path
) -> None:
    write_plugin(tmp_path, -3.0)
    config = write_config(CUBED)
    outcome = command("gradcheck", config, "--allow-plugins", "--json")
    assert outcome.code == 3
    result = outcome.json()
    assert result["passed"] is False
    assert result["failed"] == [
        "layer layers[1] my_cube",
        "network all layers and loss",
    ]


@pytest.mark.parametrize("factor", WRONG)
def test_gradcheck_names_a_plugin_whose_derivative_is_wrong(
    command: Command, tmp_path: Path, factor: float
) -> None:
    plugin = write_plugin(tmp_path, factor)
    outcome = command("gradcheck", "my_cube", "--plugin", plugin)
    assert outcome.code == 3
    assert outcome.err == "error: wrong derivatives: layer my_cube, op my_cube.\n"


def test_gradcheck_passes_on_a_plugin_that_is_right(
    command: Command, write_config: Callable[..., Path], tmp_path: Path
) -> None:
    plugin = write_plugin(tmp_path)
    outcome = command("gradcheck", "my_cube", "--plugin", plugin, "--json")
    assert outcome.code == 0
    assert {check["family"] for check in outcome.json()["checks"]} == {"op", "layer"}
    assert command("gradcheck", write_config(CUBED), "--allow-plugins").code == 0


def test_gradcheck_runs_no_plugin_of_a_config_without_leave(
    command: Command, write_config: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "cube.py").write_text("open('it-ran', 'w')\n", encoding="utf-8")
    outcome = command("gradcheck", write_config(CUBED))
    assert outcome.code == 2
    assert "--allow-plugins" in outcome.err


def test_gradcheck_says_of_a_broken_case_why(command: Command, tmp_path: Path) -> None:
    (tmp_path / "picky.py").write_text(PICKY, encoding="utf-8")
    outcome = command("gradcheck", "picky", "--plugin", tmp_path / "picky.py")
    assert outcome.code == 3
    assert "layer picky" in outcome.err
    assert "none of its examples" in outcome.out
    assert "I take nothing" in outcome.out


PICKY = '''\
from nncli.core.errors import ShapeError
from nncli.layers.base import Layer

class Picky(Layer, name="picky"):
    """Fits nowhere."""
    def build(self, input_shape, rng):
        raise ShapeError("I take nothing.")
    def __call__(self, x):
        return x
'''


def test_gradcheck_writes_no_run(
    command: Command,
    write_config: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = write_config()
    monkeypatch.chdir(tmp_path)
    command("gradcheck", config)
    assert list(tmp_path.iterdir()) == [config]


def test_gradcheck_says_that_data_are_too_large_rather_than_derivatives_wrong(
    command: Command, write_config: Callable[..., Path]
) -> None:
    text = SMALL.replace(
        "{type: xor, samples: 20, noise: 0.3}",
        "{type: linear, coefficients: [1.0e+300, 2.0]}",
    )
    text = text.replace("softmax_cross_entropy", "mse").replace("[accuracy]", "[]")
    outcome = command("gradcheck", write_config(text.replace("units: 2", "units: 1")))
    assert outcome.code == 2
    assert outcome.out == ""
    assert "expected rows with a finite loss, got inf from inputs up to" in outcome.err
    assert "which are too large" in outcome.err

"""Loading: names, plugins and the way from a file to a typed config."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from nncli.config.load import load_config
from nncli.core.errors import ConfigError
from nncli.layers.base import Layer
from tests.conftest import SMALL

NAMELESS = SMALL.replace("name: small\n", "")

PLUGIN = '''\
from nncli.autograd.tensor import Tensor
from nncli.layers.base import Layer
from nncli.core.signature import PositiveFloat


class Twice(Layer, name="twice"):
    """y = factor·x.

    Args:
        factor: What x is multiplied with.
    """

    factor: PositiveFloat = 2.0

    def __call__(self, x: Tensor) -> Tensor:
        return x * self.factor
'''


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("spiral.yaml", "spiral"),
        ("my first net.yaml", "my-first-net"),
        ("größe.yaml", "gr-e"),
        ("v1.2.yaml", "v1.2"),
        (".hidden.yaml", "hidden"),
        ("-.yaml", "run"),
        ("日本.yaml", "run"),
        ("x" * 100 + ".yaml", "x" * 64),
    ],
)
def test_name_is_made_from_the_file(
    write_config: Callable[[str, str], Path], file: str, name: str
) -> None:
    assert load_config(write_config(NAMELESS, file), []).config.name == name


def test_name_of_the_config_comes_before_that_of_the_file(
    write_config: Callable[[], Path],
) -> None:
    assert load_config(write_config(), []).config.name == "small"
    assert load_config(write_config(), ["name=other"]).config.name == "other"


def test_overrides_change_the_typed_config(write_config: Callable[[], Path]) -> None:
    loaded = load_config(write_config(), ["training.epochs=9", "optimizer=sgd"])
    assert loaded.config.training.epochs == 9
    assert loaded.config.optimizer.type_name == "sgd"


def test_plugin_beside_the_config_adds_a_layer(
    write_config: Callable[[str], Path],
) -> None:
    text = SMALL.replace("- tanh", "- {type: twice, factor: 3.0}")
    path = write_config(text + "plugins: [mine.py]\n")
    (path.parent / "mine.py").write_text(PLUGIN, encoding="utf-8")
    with Layer.registry.temporary():
        config = load_config(path, [], allow_plugins=True).config
        assert config.layers[1].type_name == "twice"
        assert config.layers[1].arguments == {"factor": 3.0, "trainable": True}
        assert config.plugins == [str(path.parent.resolve() / "mine.py")]
    assert "twice" not in Layer.members()


def test_argument_of_a_plugin_is_checked_like_any_other(
    write_config: Callable[[str], Path],
) -> None:
    text = SMALL.replace("- tanh", "- {type: twice, factor: -1}")
    path = write_config(text + "plugins: [mine.py]\n")
    (path.parent / "mine.py").write_text(PLUGIN, encoding="utf-8")
    expected = r"yaml:7:27: layers\[1\]\.factor: expected a number > 0, got -1\."
    with Layer.registry.temporary(), pytest.raises(ConfigError, match=expected):
        load_config(path, [], allow_plugins=True)


def test_plugin_that_was_not_allowed_does_not_run(
    write_config: Callable[[str], Path], tmp_path: Path
) -> None:
    path = write_config(SMALL + "plugins: [mine.py]\n")
    code = f"open({str(tmp_path / 'ran')!r}, 'w').close()\n"
    (tmp_path / "mine.py").write_text(code, encoding="utf-8")
    with pytest.raises(ConfigError, match="add --allow-plugins"):
        load_config(path, [])
    assert not (tmp_path / "ran").exists()
    with pytest.raises(ConfigError, match="add --allow-plugins"):
        load_config(write_config(SMALL), ["plugins=[mine.py]"])
    assert not (tmp_path / "ran").exists()


def test_no_plugins_need_no_permission(write_config: Callable[[str], Path]) -> None:
    assert load_config(write_config(SMALL + "plugins: []\n"), []).config.plugins == []

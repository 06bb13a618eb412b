"""``nncli init`` and the examples by name: an installation needs no checkout."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import pytest

from nncli.cli import commands
from nncli.config.examples import examples, find_config
from nncli.core.errors import MissingExtra
from tests.command import Command
from tests.conftest import CONFIGS


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_examples_are_the_configs_that_ship() -> None:
    assert set(examples()) == {path.stem for path in CONFIGS.glob("*.yaml")}
    pyproject = tomllib.loads((CONFIGS.parent / "pyproject.toml").read_text())
    wheel = pyproject["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["force-include"]["configs"] == "nncli/_configs"


def test_init_copies_what_is_named(command: Command) -> None:
    outcome = command("init", "xor", "spiral")
    assert outcome.code == 0
    assert sorted(path.name for path in Path().iterdir()) == ["spiral.yaml", "xor.yaml"]
    assert Path("xor.yaml").read_bytes() == (CONFIGS / "xor.yaml").read_bytes()
    assert "Four clouds" in outcome.out
    assert "next: nncli train xor.yaml" in outcome.out


def test_init_never_overwrites(command: Command) -> None:
    Path("xor.yaml").write_text("mine")
    facts = command("init", "--json").json()
    assert Path("xor.yaml").read_text() == "mine"
    status = {fact["file"]: fact["status"] for fact in facts}
    assert status.pop("xor.yaml") == "kept"
    assert set(status.values()) == {"written"}
    configs = [file for file in status if file.endswith(".yaml")]
    assert {*configs, "xor.yaml"} == {path.name for path in examples().values()}
    assert "never overwritten" in command("init").out


def test_init_suggests_the_nearest_example(command: Command) -> None:
    outcome = command("init", "spirla", "xor")
    assert outcome.code == 2
    assert "'spiral'" in outcome.err
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(
    "verb",
    [
        ("train", "xor", "training.epochs=2"),
        ("train", "xor", "--dry-run"),
        ("summary", "xor"),
        ("gradcheck", "xor"),
        ("lr-find", "xor", "--steps", "50"),
        ("config", "validate", "xor"),
        ("config", "show", "xor"),
    ],
    ids=" ".join,
)
def test_verbs_take_an_example_by_name(command: Command, verb: tuple[str, ...]) -> None:
    assert command(*verb).code == 0


def test_file_wins_over_an_example_of_the_same_name(command: Command) -> None:
    Path("xor").write_text((CONFIGS / "spiral.yaml").read_text())
    assert command("summary", "xor", "--json").json()["name"] == "spiral"
    assert find_config(Path("xor")) == Path("xor")


def test_neither_file_nor_example_is_told(command: Command) -> None:
    outcome = command("train", "spirla")
    assert outcome.code == 2
    assert (
        "an example or a run, found nothing there. Did you mean 'spiral'?"
        in outcome.err
    )


def test_name_of_a_layer_and_an_example_is_the_layer(command: Command) -> None:
    assert "residual" in examples()
    checks = command("gradcheck", "residual", "--json").json()["checks"]
    assert {check["name"] for check in checks} == {"residual"}


def test_examples_of_every_help_name_configs_that_are_there() -> None:
    for path in Path(str(commands.__path__[0])).rglob("*.py"):
        assert not re.search(r"nncli \S+ configs/", path.read_text()), path.name


def test_missing_extra_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.base", None)
    for name in [name for name in sys.modules if name.startswith("nncli.sklearn")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(MissingExtra, match=r'pip install "nncli\[sklearn\]"'):
        __import__("nncli.sklearn")
    monkeypatch.delitem(sys.modules, "nncli.sklearn", raising=False)

"""``nncli components``: everything that YAML can name, and how."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from nncli.config.hints import sections
from nncli.config.load import load_values
from nncli.config.read import parse
from nncli.core.registry import FAMILIES
from nncli.core.signature import signature_of
from tests.cli.plugins import write_plugin
from tests.command import Command
from tests.conftest import SMALL

NAMES = [(family, name) for family, cls in FAMILIES.items() for name in cls.members()]


def test_components_lists_every_one_of_every_family(command: Command) -> None:
    found = command("components", "--json").json()
    assert {(entry["family"], entry["name"]) for entry in found} == set(NAMES)
    shown = command("components").out
    for family, name in NAMES:
        assert family in shown
        assert name in shown


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_components_of_a_family_are_its_members(command: Command, family: str) -> None:
    found = command("components", family, "--json").json()
    assert [entry["name"] for entry in found] == list(FAMILIES[family].members())
    out = command("components", family).out
    assert all(entry["name"] in out for entry in found)


def test_components_in_json_are_those_of_that_name(command: Command) -> None:
    every = command("components", "--json").json()
    for entry in every:
        for argument in entry["arguments"]:
            assert argument["required"] == ("default" not in argument), entry["name"]
    count = Counter(name for _, name in NAMES)
    shared = {name for name in count if count[name] > 1}
    assert shared
    for name in shared | {next(iter(cls.members())) for cls in FAMILIES.values()}:
        found = command("components", name, "--json").json()
        assert found == [entry for entry in every if entry["name"] == name]
        assert len(found) == count[name]


@pytest.mark.slow
@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_components_tells_all_about_one(command: Command, family: str) -> None:
    for entry in command("components", family, "--json").json():
        out = command("components", entry["name"]).out
        assert f"{family} {entry['name']}" in out
        assert " ".join(entry["help"].splitlines()[0].split()) in " ".join(out.split())
        for argument in entry["arguments"]:
            assert argument["name"] in out, entry["name"]
            assert argument["help"].split()[0] in out, entry["name"]


@pytest.mark.parametrize("place", sections())
def test_components_tells_every_key_of_a_section(command: Command, place: str) -> None:
    (entry,) = command("components", place, "--json").json()
    shown = command("components", place).out
    assert f"section {place}" in shown
    assert {a["name"] for a in entry["arguments"]} == set(
        signature_of(sections()[place]).arguments
    )
    for argument in entry["arguments"]:
        assert argument["name"] in shown
        assert argument["help"].split()[0] in shown
        assert f"{argument['name']}: " in shown


@pytest.mark.parametrize("place", sections())
def test_example_of_every_key_is_one_that_it_takes(place: str) -> None:
    for argument in signature_of(sections()[place]).arguments.values():
        assert argument.help, argument.name
        assert argument.example, argument.name
        prefix = "" if place == "config" else f"{place}."
        changes = [f"{prefix}{argument.name}={argument.example}"]
        if place.startswith("training."):
            changes.append("training.early_stopping.patience=3")
        if argument.name == "steps":
            changes.append("training.epochs=null")
        if argument.name == "column":
            changes.append("split.validation=0")
        if place == "split.fold":
            changes += ["split.fold.number=2", "split.fold.of=5"]
        values = dict(parse(SMALL, "small").value)
        if argument.name == "plugins":
            assert parse(argument.example, "x").value == ["my_layers.py"]
            continue
        load_values(values, changes)


def test_components_shows_required_arguments_and_defaults(command: Command) -> None:
    out = command("components", "dense").out
    lines = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    assert "(required)" in lines["units"]
    assert "an integer >= 1" in lines["units"]
    assert "true" in lines["bias"]
    assert "null" in lines["init"]


def test_components_suggests_the_nearest_name(command: Command) -> None:
    outcome = command("components", "dnese")
    assert outcome.code == 2
    assert "dense" in outcome.err


def test_components_that_misses_lists_the_nearest_names(command: Command) -> None:
    outcome = command("components", "entropy")
    assert outcome.code == 2
    assert "softmax_cross_entropy" in outcome.err
    assert len(outcome.err) < 300
    assert len(command("components", "xyz").err) < 300


@pytest.mark.usefixtures("own_registries")
def test_components_includes_a_plugin(command: Command, tmp_path: Path) -> None:
    plugin = write_plugin(tmp_path)
    outcome = command("components", "my_cube", "--plugin", plugin)
    assert outcome.code == 0
    assert "y = x³, element by element." in outcome.out
    assert "No arguments." in outcome.out


def test_plugin_is_forgotten_after_a_test(command: Command) -> None:
    assert command("components", "my_cube").code == 2

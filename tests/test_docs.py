"""The documents tell the truth: what they show is run, or compared with the source."""

from __future__ import annotations

import json
import pkgutil
import re
import shlex
import subprocess
from importlib import import_module
from pathlib import Path

import pytest

from nncli.autograd.function import FUNCTIONS
from nncli.cli.app import run
from nncli.config.read import parse
from nncli.config.schema import Training
from nncli.config.write import to_flow
from nncli.core.signature import signature_of
from nncli.layers.base import Layer
from tests.command import Command
from tests.conftest import CONFIGS

ROOT = CONFIGS.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    """Return the fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_readme_shows_the_config_that_ships() -> None:
    shown = blocks(README, "yaml")[0]
    assert shown == (CONFIGS / "spiral.yaml").read_text(encoding="utf-8")


def test_readme_begins_with_the_two_commands_that_ci_runs() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    extract = re.search(r"< <\((awk .*)\)$", script, re.MULTILINE)
    assert extract
    found = subprocess.run(
        ["bash", "-c", extract[1]], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert found == [
        "pip install -e . && nncli train configs/spiral.yaml",
        'pip install -e ".[dev]" && pytest',
    ]


def test_readme_shows_the_message_of_a_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.yaml").write_text(
        "dataset: spiral\nlayers:\n  - {type: dense, units: 8}\n"
        "  - {type: reluu}\n  - {type: dense, units: 3}\n"
        "loss: softmax_cross_entropy\noptimizer: adam\ntraining: {epochs: 1}\n"
    )
    assert run(["train", "bad.yaml"]) == 2
    assert capsys.readouterr().err in README


def test_readme_and_docs_name_what_there_is() -> None:
    commands = ROOT / "nncli" / "cli" / "commands"
    files = {info.name for info in pkgutil.iter_modules([str(commands)])}
    verbs = {name.replace("_", "-") for name in files}
    assert verbs == set(re.findall(r"^\| `nncli ([a-z-]+)", README, re.MULTILINE))
    for path in CONFIGS.glob("*.yaml"):
        assert f"(configs/{path.name})" in README


def test_config_md_has_the_tables_of_the_docstrings() -> None:
    reference = import_module("scripts.reference")
    assert reference.document() == reference.DOCUMENT.read_text(encoding="utf-8")


def test_links_between_documents_lead_somewhere() -> None:
    for document in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        text = document.read_text(encoding="utf-8")
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_contributing_layer_works_as_it_stands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    plugin = tmp_path / "my_layers.py"
    plugin.write_text(blocks(text, "python")[0], encoding="utf-8")
    config = tmp_path / "config.yaml"
    config.write_text(
        (CONFIGS / "spiral.yaml")
        .read_text(encoding="utf-8")
        .replace("- relu ", "- {type: my_softplus, beta: 2.0} ")
        .replace("10000", "3")
        + "plugins: [my_layers.py]\n",
        encoding="utf-8",
    )
    with Layer.registry.temporary(), FUNCTIONS.temporary():
        assert run(["components", "my_softplus", "--plugin", str(plugin)]) == 0
        assert "Sharpness" in capsys.readouterr().out
        assert run(["config", "schema", "--plugin", str(plugin)]) == 0
        assert '"const": "my_softplus"' in capsys.readouterr().out
        assert run(["gradcheck", str(config), "--allow-plugins"]) == 0
        runs = str(tmp_path / "runs")
        command = ["train", str(config), "--allow-plugins", "--runs-dir", runs]
        assert run(command) == 0


@pytest.mark.parametrize(
    "program", blocks(README, "python"), ids=["fit", "steps", "tensors", "spiral"]
)
def test_readme_programs_run(
    program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "configs").symlink_to(CONFIGS)
    monkeypatch.chdir(tmp_path)
    exec(compile(program, "README.md", "exec"), {"__name__": "readme"})


def test_two_ellipses_stops_early(command: Command) -> None:
    result = command.train(CONFIGS / "two_ellipses.yaml", "--json").json()
    assert result["stopped_early"]


@pytest.mark.parametrize("number", range(4))
def test_programs_of_python_md_run(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    programs = blocks(text, "python")
    assert len(programs) == 4
    exec(compile(programs[number], "python.md", "exec"), {"__name__": "python_md"})


@pytest.mark.usefixtures("own_registries")
def test_plugin_of_plugins_md_works_as_it_stands(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    Path("my_parts.py").write_text(blocks(text, "python")[0], encoding="utf-8")
    Path("wave.yaml").write_text(blocks(text, "yaml")[0], encoding="utf-8")
    shell(command, text)
    rows = Path("runs/wave-1/metrics.jsonl").read_text().splitlines()
    assert json.loads(rows[-1])["validation"]["my_close"] > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tutorial", "recipes", "tables"])
def test_commands_of_a_document_work(
    name: str, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shell(command, (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8"))


def test_training_md_shows_keys_that_there_are(command: Command) -> None:
    text = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    for shown in blocks(text, "yaml"):
        ((key, value),) = parse(shown, "training.md").value.items()
        assert command("config", "show", "spiral", f"{key}={to_flow(value)}").code == 0
    for key in signature_of(Training).arguments:
        assert f"`{key}" in text or f"{key}:" in text, key


def shell(command: Command, text: str) -> None:
    """Run the commands of a document in this folder, one after the other."""
    for block in blocks(text, "bash"):
        for line in block.splitlines():
            if line.startswith("nncli "):
                outcome = command(*shlex.split(line)[1:])
                assert outcome.code == 0, f"{line}: {outcome.err}"

"""``nncli explain``: of a config, a run and a checkpoint; as text, JSON and a page."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from nncli.model import Model
from nncli.report.arrays import figure
from nncli.runs.checkpoint import load_checkpoint
from nncli.training.session import restore_checkpoint
from nncli.training.step import TrainingStep
from tests.cli.plugins import write_plugin
from tests.command import Command
from tests.conftest import CONFIGS, SMALL
from tests.test_docs import blocks, shell

pytestmark = pytest.mark.usefixtures("own_registries")

CUBED = SMALL.replace("tanh", "my_cube") + "plugins: [cube.py]\n"

VOID = {"meta", "br", "img"}


class Page(HTMLParser):
    """Checks that every tag is closed, and collects tags, addresses and texts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.links: set[str] = set()
        self.places: set[str] = set()
        self.text = ""
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        found = dict(attrs)
        self.links |= {found[key] or "" for key in ("href", "src") if key in found}
        self.places |= {found["id"] or ""} if "id" in found else set()
        assert not any(key.startswith("on") for key in found)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_explain_of_a_config_shows_formulas_numbers_and_the_step(
    command: Command, write_config: Callable[..., Path]
) -> None:
    config = write_config()
    outcome = command("explain", config, "--sample", "50")
    assert outcome.code == 0, outcome.err
    text = outcome.out
    assert text.startswith("small: sample 50 of the train part (row ")
    # Docstrings of a layer, of its op, of the loss and of the optimizer.
    for formula in ("y = x Wᵀ + b", "dL/dx = dL/dy W", "−Σ_i ln softmax", "m̂ / (√v̂"):
        assert formula in text
    assert text.index("FORWARD") < text.index("LOSS") < text.index("BACKWARD")
    assert text.index("BACKWARD") < text.index("UPDATE")
    facts = command("explain", config, "--sample", "50", "--json").json()
    assert facts["samples"] == [50]
    assert f"(row {facts['rows'][0]} of the data)" in text
    assert facts["checkpoint"] is None
    for layer in facts["layers"]:
        for each in layer["parameters"]:
            for element in each["elements"]:
                line = "  ".join(figure(element[key]) for key in ("step", "after"))
                assert line.split() in [row.split()[-2:] for row in text.splitlines()]
    assert facts["update"]["total_after"] < facts["update"]["total_before"]


def test_explain_of_a_run_has_its_parameters_and_its_next_step(
    command: Command, write_config: Callable[..., Path]
) -> None:
    command.train(write_config(), "training.clip_norm=0.01")
    arguments = ["small-1", "--runs-dir", command.runs]
    facts = command("explain", *arguments, "--json").json()
    best = command.runs / "small-1" / "checkpoints" / "best.safetensors"
    assert facts["checkpoint"] == str(best)
    checkpoint = load_checkpoint(best)
    steps = checkpoint.meta["progress"]["step"]
    assert facts["steps"] == steps > 0
    assert facts["update"]["step"] == steps + 1
    weight = facts["layers"][0]["parameters"][0]
    trained = checkpoint.arrays["layers.0.weight"]
    assert np.array_equal(np.array(weight["values"], np.float32), trained)
    assert facts["update"]["clipped_norm"] == pytest.approx(0.01, rel=1e-3)
    # Adam goes on with what it remembers, as training does in float32.
    experiment = restore_checkpoint(best, allow_plugins=False).experiment
    network, rate = experiment.network, facts["update"]["lr"]
    step = TrainingStep(network, experiment.loss, experiment.optimizer, 0.01)
    step.run(experiment.parts["train"].batch(np.array([0])), rate, steps + 1)
    after = network.flat.tensors["layers.0.weight"].data
    moved = np.array(weight["after"]["values"]) - np.array(weight["values"])
    assert after - trained == pytest.approx(moved, rel=1e-3)
    text = command("explain", *arguments).out
    assert f"after {steps} steps of training" in " ".join(text.split())
    # The same file by its path; and the config that it was trained with, anew.
    assert command("explain", best, "--json").json() == facts
    fresh = command("explain", write_config(), "--json").json()
    assert fresh["steps"] == 0


def test_explain_takes_overrides_and_a_part(
    command: Command, write_config: Callable[..., Path]
) -> None:
    arguments = ["layers[1]=relu", "optimizer=sgd", "--split", "validation"]
    facts = command("explain", write_config(), *arguments, "--json").json()
    assert facts["layers"][1]["layer"] == "layers[1] relu"
    assert facts["update"]["call"] == "Sgd()"
    assert facts["split"] == "validation"


def test_explain_of_a_plugin_shows_its_own_docstrings(
    command: Command, write_config: Callable[..., Path], tmp_path: Path
) -> None:
    write_plugin(tmp_path)
    outcome = command("explain", write_config(CUBED), "--allow-plugins")
    assert outcome.code == 0, outcome.err
    assert "y = x³, element by element." in outcome.out
    assert "y = x³; dL/dx = dL/dy · 3x²." in outcome.out


def test_explain_names_a_layer_whose_derivative_is_wrong(
    command: Command, write_config: Callable[..., Path], tmp_path: Path
) -> None:
    write_plugin(tmp_path, 3.003)
    outcome = command("explain", write_config(CUBED), "--allow-plugins")
    assert outcome.code == 3
    assert outcome.err == "error: wrong derivatives, by: layers[1] my_cube.\n"
    assert "WRONG derivatives, by: layers[1] my_cube" in outcome.out
    assert "WRONG: " in outcome.out
    # The block around it only hands on what it was handed.
    block = "layers[1]={type: residual, layers: [{type: residual, layers: [my_cube]}]}"
    outcome = command("explain", write_config(CUBED), block, "--allow-plugins")
    inner = "layers[1].layers[0].layers[0] my_cube"
    assert outcome.err == f"error: wrong derivatives, by: {inner}.\n"


def test_explain_names_a_layer_that_draws_from_a_generator_of_its_own(
    command: Command, write_config: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "noisy.py").write_text(
        "import numpy as np\n\nfrom nncli.layers.base import Layer\n\n"
        "RNG = np.random.default_rng()\n\n\n"
        'class Noisy(Layer, name="my_noise"):\n    """y = x + n."""\n\n'
        "    def __call__(self, x):\n        return x + RNG.random()\n"
    )
    noisy = SMALL.replace("tanh", "{type: residual, layers: [my_noise]}")
    config, page = write_config(noisy + "plugins: [noisy.py]\n"), tmp_path / "p.html"
    outcome = command("explain", config, "--allow-plugins")
    assert outcome.code == 3
    fault = "layers[1].layers[0] my_noise gives another result of the same input"
    assert outcome.err.startswith(f"error: no numeric derivatives: {fault}")
    assert f"NOT COMPARED with numeric derivatives: {fault}" in " ".join(
        outcome.out.split()
    )
    facts = command("explain", config, "--allow-plugins", "--json", "--html", page)
    assert facts.json()["unsteady"] == "layers[1].layers[0] my_noise"
    assert facts.json()["wrong"] == []
    assert f'class="wrong">NOT COMPARED with numeric derivatives: {fault}' in (
        page.read_text(encoding="utf-8")
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dataset=null"], "expected a config with a dataset"),
        (["--sample", "60"], "from 0 to 59 of the train part, which has 60 rows"),
        (["--split", "test"], "no test part. Expected one of: train, validation"),
        (["--sample", "-1"], "--sample: expected an integer >= 0, got -1."),
        (["optimizer.momentum=2"], "optimizer.momentum: unknown key"),
    ],
)
def test_explain_refuses_what_is_not_there(
    command: Command,
    write_config: Callable[..., Path],
    arguments: list[str],
    message: str,
) -> None:
    outcome = command("explain", write_config(), *arguments)
    assert outcome.code == 2
    assert message in " ".join(outcome.err.split())
    assert outcome.out == ""


def test_explain_refuses_a_model_that_knows_no_dataset(
    command: Command, tmp_path: Path
) -> None:
    model = Model([{"type": "dense", "units": 1}])
    model.compile(loss="mse")
    model.fit(np.ones((4, 2)), np.ones(4))
    model.save(tmp_path / "model.safetensors")
    outcome = command("explain", tmp_path / "model.safetensors")
    assert outcome.code == 2
    assert "expected the checkpoint of a config with a dataset" in outcome.err
    assert "nncli init" in outcome.err


def test_document_shows_what_is_printed(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (CONFIGS.parent / "docs" / "explain.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    exec(compile(blocks(text, "python")[0], "explain.md", "exec"), {})
    lines = iter(command("explain", "classic.safetensors").out.splitlines())
    shown = [line for line in blocks(text, "text")[0].splitlines() if line != "..."]
    # Each is found behind the one before it.
    assert [line for line in shown if line not in lines] == []
    facts = command("explain", "classic.safetensors", "--json").json()
    first, _, second, _ = facts["layers"]
    corner = [
        layer["parameters"][0]["after"]["values"][0][0] for layer in (first, second)
    ]
    assert f"{facts['loss']['total']:.9f}, {corner[0]:.9f}, {corner[1]:.8f}" in text
    assert f"{facts['update']['total_after']:.6g}." in text
    shell(command, text)


def test_page_has_the_numbers_and_needs_nothing_else(
    command: Command, write_config: Callable[..., Path], tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    arguments = ["explain", write_config(), "--html", page]
    assert command(*arguments).out == f"explained: {page}\n"
    found = Page(page.read_text(encoding="utf-8"))
    assert not found.tags & {"script", "link", "img", "iframe", "object"}
    assert {link.lstrip("#") for link in found.links} <= found.places
    assert "dL/dx = dL/dy W" in found.text
    facts = command(*arguments, "--json").json()
    for layer in facts["layers"]:
        for each in [layer["x"], *layer["parameters"], layer["y"]]:
            for element in each["elements"]:
                assert figure(element["derivative"]) in found.text
                assert figure(element["numeric"]) in found.text


def test_page_escapes_every_text(
    command: Command, write_config: Callable[..., Path], tmp_path: Path
) -> None:
    evil = "<script>alert(1)</script>&"
    (tmp_path / "evil.py").write_text(
        "from nncli.layers.base import Layer\n\n\n"
        'class Evil(Layer, name="evil"):\n'
        f'    """y = x {evil} ``{evil}``"""\n\n'
        "    def __call__(self, x):\n        return x * 2\n"
    )
    rows = ["a,b,c"] + [f"{i},{i % 3},{'yes' if i % 2 else evil}" for i in range(20)]
    (tmp_path / "evil.csv").write_text("\n".join(rows))
    config = write_config(
        "dataset: {type: csv, path: evil.csv, target: c}\n"
        "plugins: [evil.py]\n"
        "layers:\n"
        f"  - {{type: sequential, name: '{evil}', layers: [evil]}}\n"
        "  - {type: dense, units: 2}\n"
        "loss: softmax_cross_entropy\noptimizer: sgd\ntraining: {epochs: 1}\n"
    )
    page = tmp_path / "page.html"
    outcome = command("explain", config, "--allow-plugins", "--html", page)
    assert outcome.code == 0, outcome.err
    html = page.read_text(encoding="utf-8")
    found = Page(html)
    assert "script" not in found.tags
    # Its docstring there, the names of the block and of the class.
    assert found.text.count(evil) >= 4
    assert f"class {evil}" in found.text


def test_page_that_cannot_be_written_is_one_message(
    command: Command, write_config: Callable[..., Path]
) -> None:
    config = write_config()
    page = config / "page.html"
    outcome = command("explain", config, "--html", page)
    assert outcome.code == 1
    assert outcome.err.startswith(f"error: {page}: expected a place to write to")

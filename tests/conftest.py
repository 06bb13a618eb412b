"""Fixtures that several rooms share."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

if TYPE_CHECKING:
    from tests.command import Command

# Before NumPy is loaded. Small products gain nothing from more threads, and on a busy
# machine threads that wait for each other make them a hundred times slower.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# Pictures take longer than most trainings of tests; those that want them say --plots.
os.environ.setdefault("NNCLI_PLOTS", "0")

CONFIGS = Path(__file__).parents[1] / "configs"

SLOW = (
    "adding_problem",
    "babi_attention",
    "babi_lstm",
    "babi_rnn",
    "digits_cnn",
    "mnist_cnn",
    "mnist_lenet",
    "mnist_resnet",
    "names",
    "residual",
    "shakespeare_gpt",
    "shakespeare_lstm",
)
"""Configs whose networks are large: tried with ``pytest -m slow``, as .ci/run does."""

each_config = pytest.mark.parametrize(
    "config",
    [
        pytest.param(path, id=path.stem, marks=[pytest.mark.slow] * (path.stem in SLOW))
        for path in sorted(CONFIGS.glob("*.yaml"))
    ],
)


FEWER_BLOCKS = {
    "residual": ["layers[3].repeat=1"],
    "shakespeare_gpt": ["layers[2].repeat=1"],
}
"""Of several copies of one block, one is enough to try a config."""


def evaluations(config: Path, number: int) -> list[str]:
    """Return the overrides with which a config that ships is evaluated so often."""
    values = yaml.safe_load(config.read_text(encoding="utf-8"))
    dataset = values["dataset"]
    changes = FEWER_BLOCKS.get(config.stem, [])
    # Of rows that are drawn, and of a long text, few are enough.
    if isinstance(dataset, dict) and dataset.get("samples", 0) > 1000:
        changes = [*changes, "dataset.samples=500"]
    if isinstance(dataset, dict) and dataset["type"] == "text":
        text = (config.parent / dataset["path"]).read_text(encoding="utf-8")
        short = Path(os.environ["NNCLI_DATA"]) / "short.txt"
        short.write_text(text[:20_000], encoding="utf-8")
        changes = [*changes, f"dataset.path={short}"]
    if "steps" in values["training"]:
        return [f"training.steps={number}", "training.evaluate_steps=1", *changes]
    return [f"training.epochs={number}", "training.evaluate_every=1", *changes]


SMALL = """\
name: small
seed: 3
dataset: {type: xor, samples: 20, noise: 0.3}
split: {validation: 0.25}
layers:
  - {type: dense, units: 6}
  - tanh
  - {type: dense, units: 2}
loss: softmax_cross_entropy
optimizer: {type: adam, lr: 0.02}
metrics: [accuracy]
training: {epochs: 5, batch_size: 16}
"""


@pytest.fixture(scope="session", autouse=True)
def datasets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let the public datasets be small files of noise, so that no test needs a net."""
    from tests.pictures import write_datasets

    folder = tmp_path_factory.mktemp("datasets")
    write_datasets(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NNCLI_DATA", str(folder))
        yield


@pytest.fixture
def write_config(tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that writes YAML text to a file and returns its path."""

    def write(text: str = SMALL, name: str = "config.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def command(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Command:
    """Return a function that runs a command inside this process, as if piped."""
    from tests.command import Command

    monkeypatch.delenv("COLUMNS", raising=False)
    return Command(capsys, tmp_path / "runs")


@pytest.fixture
def own_registries() -> Iterator[None]:
    """Forget, after the test, every component and op that it added."""
    import nncli.config.schema  # noqa: F401 - imports every family
    from nncli.autograd.function import FUNCTIONS
    from nncli.core.registry import FAMILIES

    modules = set(sys.modules)
    with contextlib.ExitStack() as stack:
        stack.enter_context(FUNCTIONS.temporary())
        for family in FAMILIES.values():
            stack.enter_context(family.registry.temporary())
        yield
    for name in set(sys.modules) - modules:
        if name.startswith("nncli_plugin_"):
            del sys.modules[name]

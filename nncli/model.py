"""Model: the same parts from Python, without YAML: compile, fit, predict, save."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from nncli.config.load import Loaded, load_values
from nncli.config.schema import Config
from nncli.config.validate import component_from
from nncli.core.files import writable
from nncli.core.registry import spec_of
from nncli.core.text import count, html_table
from nncli.data.base import Transform
from nncli.experiment.build import build
from nncli.layers.base import Layer
from nncli.losses.base import Loss
from nncli.metrics.base import Metric
from nncli.optimizers.base import Optimizer
from nncli.runs.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from nncli.runs.sources import find_checkpoint, load_source, plugins_of
from nncli.schedules.base import Schedule
from nncli.training.cost import counted, layer_facts, layer_table
from nncli.training.learner import Learner
from nncli.training.session import restore_without_data
from nncli.training.state import capture

Spec = str | dict[str, Any]


class Model(Learner):
    """A network with everything to train it and to use it.

    Components are objects or what YAML would say: ``nn.Relu()``, ``"relu"`` and
    ``{"type": "relu"}`` are the same. They are descriptions: one may serve any number
    of models, and each time in one model it is another layer with parameters of its
    own.

    Args:
        layers: From input to output; more can be added with ``add``.
        seed: Seed of everything random.
        precision: ``float32`` or ``float64``.
        transforms: Changes of the inputs, fitted by the first ``fit``.
        name: Shown in the summary.

    Raises:
        ArgumentError: A component is not what it should be.
    """

    def __init__(
        self,
        layers: Iterable[Layer | Spec] = (),
        *,
        seed: int = 0,
        precision: str = "float32",
        transforms: Sequence[Transform | Spec] = (),
        name: str = "model",
    ) -> None:
        values = {
            "dataset": None,
            "layers": list(layers),
            "loss": "mse",
            "optimizer": "adam",
            "training": {"epochs": 1},
            "name": name,
            "seed": seed,
            "precision": precision,
            "transforms": list(transforms),
        }
        super().__init__(component_from(Config, values), compiled=False)

    @property
    def layers(self) -> list[Layer]:
        """The descriptions of its layers; the living ones are ``network.layers``."""
        return self.config.layers

    def add(self, layer: Layer | Spec) -> Model:
        """Put one more layer at the end; returns the model itself.

        Raises:
            NncliError: The network is built already.
        """
        self._check_unbuilt("add")
        layers = [*self.layers, component_from(Layer, layer)]
        self.config = self.config.changed(layers=layers)
        return self

    def compile(
        self,
        optimizer: Optimizer | Spec = "adam",
        loss: Loss | Spec = "softmax_cross_entropy",
        metrics: Sequence[Metric | Spec] = (),
        schedule: Schedule | Spec = "constant",
    ) -> Model:
        """Say how the network is trained; returns the model itself.

        Args:
            optimizer: How parameters move.
            loss: What training makes small.
            metrics: What is scored beside the loss.
            schedule: How the learning rate changes.
        """
        self._check_unbuilt("compile")
        self.config = self.config.changed(
            optimizer=component_from(Optimizer, optimizer),
            loss=component_from(Loss, loss),
            metrics=[component_from(Metric, metric) for metric in metrics],
            schedule=component_from(Schedule, schedule),
        )
        self._compiled = True
        return self

    def save(self, path: str | Path) -> None:
        """Write a checkpoint, as ``nncli train`` does."""
        with writable(path):
            save_checkpoint(Path(path), self._captured())

    @classmethod
    def load(cls, path: str | Path, *, allow_plugins: bool = False) -> Model:
        """Read a checkpoint of ``save`` or of ``nncli train``; no data is needed.

        Args:
            path: A file, or a run: its directory, or its name in ``runs/``; of a run
                the best checkpoint.
            allow_plugins: Whether its config may run the Python files it names.

        Raises:
            RunError: The file is no whole checkpoint.
            UsageError: There is nothing at the path, and no run of the name.
        """
        model, found = cls(), find_checkpoint(path)
        copies = plugins_of(found)
        model._restore(load_checkpoint(found), str(found), allow_plugins, copies)
        return model

    @classmethod
    def from_config(
        cls,
        config: str | Path | dict[str, Any],
        overrides: Sequence[str] = (),
        *,
        allow_plugins: bool = False,
    ) -> Model:
        """Make a model from a YAML file, or from what ``to_config`` returned.

        Where the config names a dataset, it is loaded, and ``fit()`` without rows
        trains on it as ``nncli train`` would.

        Args:
            config: A file, a run whose config is taken, or plain values.
            overrides: ``path=value`` texts, as on the command line.
            allow_plugins: Whether the config may run the Python files it names.

        Raises:
            ConfigError: The config has problems.
        """
        changes = list(overrides)
        loaded: Loaded = (
            load_values(config, changes, allow_plugins=allow_plugins)
            if isinstance(config, dict)
            else load_source(config, changes, allow_plugins=allow_plugins)
        )
        model = cls()
        model._hold(loaded.config)
        if loaded.config.dataset is not None:
            model._experiment = build(loaded)
        return model

    def to_config(self) -> dict[str, Any]:
        """Return the config as plain values, with every default filled in."""
        self._check_compiled()
        config: dict[str, Any] = spec_of(self.config)
        return config

    def summary(self) -> str:
        """Return layers, output shapes, parameters and operations as a text."""
        shape = list(self.network.shapes[0])
        facts = layer_facts(self.network)
        text = layer_table(shape, facts, self._built.fused or None)
        counts = counted(self.network.size, self.flat.values.size)
        return f"{text}\nparameters  {counts}\n"

    def __repr__(self) -> str:
        """Show the layers as they are made, and how far the model is."""
        layers = ", ".join(map(repr, self.layers))
        return f"Model([{layers}]): {self._state()}"

    def _repr_html_(self) -> str:
        """Return a small table of the layers, for notebooks."""
        rows: list[tuple[str, ...]]
        if self._experiment is None:
            rows = [("layer",), *((repr(layer),) for layer in self.layers)]
            return html_table(rows, self._state())
        facts = layer_facts(self.network)
        rows = [("layer", "output", "parameters")]
        for layer in facts:
            shape = ", ".join(["N", *map(str, layer["output_shape"])])
            rows.append((layer["layer"], f"({shape})", f"{layer['parameters']:,}"))
        return html_table(rows, self._state())

    def _state(self) -> str:
        if self._experiment is None:
            return "compiled, not built" if self._compiled else "not compiled"
        size = count(self.flat.values.size, "parameter")
        if not self._progress.step:
            return f"{size}, not trained"
        at = self._progress
        return f"{size}, {count(at.epoch, 'epoch')}, {count(at.step, 'step')}"

    def _captured(self) -> Checkpoint:
        return capture(self._built, self._progress)

    def _restore(
        self,
        checkpoint: Checkpoint,
        source: str,
        allow_plugins: bool,
        copies: Path | None = None,
    ) -> None:
        restored = restore_without_data(
            checkpoint, source, allow_plugins=allow_plugins, copies=copies
        )
        self._hold(restored.experiment.config)
        self._experiment, self._progress = restored.experiment, restored.progress
        self._labels = restored.experiment.labels

    def __getstate__(self) -> dict[str, Any]:
        """Pickle what a checkpoint holds, rather than buffers and plans."""
        if self._experiment is None:
            return {"config": self.config, "compiled": self._compiled}
        return {"checkpoint": self._captured()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Build the model again from what was pickled."""
        if "checkpoint" in state:
            self._restore(state["checkpoint"], "pickle", allow_plugins=True)
        else:
            self._hold(state["config"], compiled=state["compiled"])

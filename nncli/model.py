"""Model: the same parts from Python, without YAML: compile, fit, predict, save."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nncli.autograd.flat import Flat
from nncli.autograd.tape import no_grad
from nncli.autograd.tensor import Tensor
from nncli.backend import DTYPES, Array, Shape, xp
from nncli.build import Experiment, Part, assemble, build, take, train_as
from nncli.config.load import finish, load_config
from nncli.config.read import Document
from nncli.config.schema import Config, Training, component_from
from nncli.data.arrays import Arrays
from nncli.data.base import Table, Transform
from nncli.data.batches import Batch
from nncli.data.labels import Labels
from nncli.data.rows import finite, paired, weighted
from nncli.data.split import Split, split_table
from nncli.errors import ArgumentError, NncliError, RunError
from nncli.layers.base import Layer
from nncli.losses.base import Loss
from nncli.metrics.base import Metric
from nncli.network import Network
from nncli.optimizers.base import Optimizer
from nncli.registry import spec_of
from nncli.runs.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from nncli.schedules.base import Schedule
from nncli.streams import stream
from nncli.training.callbacks import Callback, History
from nncli.training.evaluate import Evaluator
from nncli.training.state import Progress, capture, restore
from nncli.training.step import TrainingStep
from nncli.training.trainer import Trainer

Spec = str | dict[str, Any]
PREDICT_ROWS = 1024
# What single steps tell a schedule that wants to know the length of the training.
ENDLESS = 2**62


class Model:
    """A network with everything to train it and to use it.

    Components are objects or what YAML would say: ``nn.Relu()``, ``"relu"`` and
    ``{"type": "relu"}`` are the same.

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
        self._facts: dict[str, Any] = {
            "dataset": Arrays(),
            "name": name,
            "seed": seed,
            "precision": precision,
            "transforms": [component_from(Transform, part) for part in transforms],
        }
        self.layers: list[Layer] = []
        self._experiment: Experiment | None = None
        self._step: TrainingStep | None = None
        self._progress = Progress()
        self._labels: Labels | None = None
        self._buffers: dict[tuple[int, bool], Batch] = {}
        for layer in layers:
            self.add(layer)

    def add(self, layer: Layer | Spec) -> Model:
        """Put one more layer at the end; returns the model itself.

        Raises:
            NncliError: The network is built already.
        """
        if self._experiment is not None:
            raise NncliError("add: expected a model that is not built yet.")
        self.layers.append(component_from(Layer, layer))
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
        if self._experiment is not None:
            raise NncliError("compile: expected a model that is not built yet.")
        self._facts |= {
            "optimizer": component_from(Optimizer, optimizer),
            "loss": component_from(Loss, loss),
            "metrics": [component_from(Metric, metric) for metric in metrics],
            "schedule": component_from(Schedule, schedule),
        }
        return self

    def build(self, input_shape: Shape) -> Model:
        """Make the parameters for rows of a shape; ``fit`` does it by itself.

        Raises:
            ConfigError: The layers do not fit each other.
        """
        self._assemble(tuple(input_shape), None)
        return self

    def __call__(self, x: Tensor | ArrayLike) -> Tensor:
        """Return the outputs of the last layer for a batch, for loops of your own."""
        tensor = x if isinstance(x, Tensor) else Tensor(self._array(x))
        if self._experiment is None:
            self.build(tensor.shape[1:])
        network = self.network
        y = network(tensor)
        return self.layers[-1](y) if self._built.fused else y

    @property
    def network(self) -> Network:
        """The built network.

        Raises:
            NncliError: The model is not built.
        """
        return self._built.network

    @property
    def flat(self) -> Flat:
        """All parameters in one array, all gradients in another."""
        return self.network.flat

    @property
    def parameters(self) -> list[Tensor]:
        """The trained tensors."""
        return self.network.flat.leaves

    def train(self, training: bool = True) -> Model:
        """Let dropout and norms act as in training, for loops of your own."""
        self.network.set_training(training)
        return self

    def fit(
        self,
        x: ArrayLike | None = None,
        y: ArrayLike | None = None,
        *,
        validation_data: tuple[ArrayLike, ArrayLike] | None = None,
        validation_split: float = 0.0,
        sample_weight: ArrayLike | None = None,
        callbacks: Sequence[Callback] = (),
        **training: Any,
    ) -> History:
        """Train; called again, it goes on from where it is.

        Args:
            x: (N, ...) inputs; None for the dataset of ``from_config``, which then
                trains as its config says.
            y: (N,) classes (integers, texts), or (N, ...) numbers.
            validation_data: Inputs and targets to evaluate on.
            validation_split: Share of the rows to evaluate on instead.
            sample_weight: (N,) how much each row counts in the loss.
            callbacks: Who hears of it.
            training: What ``training`` takes in a config: ``epochs`` (1 by default),
                ``batch_size`` (32, or ``"full"``), ``evaluate_every``, ``monitor``,
                ``clip_norm``, ``early_stopping={"patience": 10}`` and the others.

        Returns:
            The evaluations.

        Raises:
            ArgumentError: A setting is wrong, or is the config's to say.
            ConfigError: The rows do not fit the network or the loss.
            DataError: The rows are not what they should be.
            DivergedError: A loss or gradient is not finite.
        """
        history = History()
        self._check_compiled()
        if x is not None:
            made = component_from(Training, {"epochs": 1, **training})
            table = weighted(self._table(x, y), sample_weight)
            parts = self._parts(table, validation_data, validation_split)
            experiment = self._take(parts, made)
        elif (
            training or validation_data or validation_split or sample_weight is not None
        ):
            raise ArgumentError(
                "fit: without rows the config says how to train. Give overrides to "
                "from_config, for example training.epochs=3."
            )
        else:
            experiment = self._with_rows()
        trainer = Trainer(experiment, None, [history, *callbacks])
        trainer.fit()
        self._progress = trainer.progress
        return history

    def train_on_batch(
        self, x: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """Make one step on one batch and return its loss before the step.

        The step is recorded once for each size of batch and then replayed. A schedule
        that depends on the length of the training sees one without an end.

        Raises:
            DivergedError: The loss or a gradient is not finite.
        """
        self._check_compiled()
        table = weighted(self._table(x, y), sample_weight)
        if self._experiment is None:
            self._assemble(table.x.shape[1:], table.classes)
        experiment = self._built
        if self._step is None:
            self._step = TrainingStep(
                experiment.network, experiment.loss, experiment.optimizer
            )
        part = experiment.prepare(table)
        progress = self._progress
        rate = experiment.schedule.rate(
            experiment.optimizer.lr, progress.step, progress.epoch, ENDLESS
        )
        progress.step += 1
        batch = self._batch(part)
        with xp.errstate(all="ignore"):
            return self._step.run(batch, rate, progress.step)

    def evaluate(self, x: ArrayLike, y: ArrayLike) -> dict[str, float | None]:
        """Return the loss and every metric on some rows."""
        part = self._built.prepare(self._table(x, y))
        return Evaluator(self._built, part).run()

    def predict_proba(self, x: ArrayLike) -> Array:
        """Return (N, K) probabilities of the classes, in the order of ``classes``.

        Raises:
            NncliError: The targets are numbers.
        """
        if self._built.classes is None:
            raise NncliError("predict_proba: expected classes as targets, got numbers.")
        values = self._predictions(x)
        if values.shape[-1] == 1 and len(self._built.classes) == 2:
            return xp.concatenate([1 - values, values], axis=-1)
        return values

    def predict(self, x: ArrayLike) -> Array:
        """Return the class of each row, as in the y of ``fit``, or the numbers."""
        if self._built.classes is None:
            return self._predictions(x)
        chosen: Array = self.predict_proba(x).argmax(axis=-1)
        return Labels(np.asarray(self.classes)).decode(chosen)

    @property
    def classes(self) -> Array | None:
        """The classes in the order of ``predict_proba``; None for numbers."""
        if self._labels is not None:
            return self._labels.values
        names = self._built.classes
        return None if names is None else np.asarray(names)

    def save(self, path: str | Path) -> None:
        """Write a checkpoint, as ``nncli train`` does."""
        try:
            save_checkpoint(Path(path), self._captured())
        except OSError as error:
            raise RunError(
                f"{path}: expected a place to write to, got: {error.strerror}."
            ) from None

    @classmethod
    def load(cls, path: str | Path, *, allow_plugins: bool = False) -> Model:
        """Read a checkpoint of ``save`` or of ``nncli train``; no data is needed.

        Raises:
            RunError: The file is no whole checkpoint.
        """
        return cls._restored(load_checkpoint(Path(path)), str(path), allow_plugins)

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
            config: A file, or plain values.
            overrides: ``path=value`` texts, as on the command line.
            allow_plugins: Whether the config may run the Python files it names.

        Raises:
            ConfigError: The config has problems.
        """
        if isinstance(config, dict):
            model = cls._of(config, "config", allow_plugins)
            if isinstance(model._facts["dataset"], Arrays):
                return model
            document = Document("config", config)
            loaded = finish(document, Path(), allow_plugins=allow_plugins)
        else:
            loaded = load_config(
                Path(config), list(overrides), allow_plugins=allow_plugins
            )
            model = cls._from(loaded.config)
        model._experiment = build(loaded)
        return model

    def to_config(self) -> dict[str, Any]:
        """Return the config as plain values, with every default filled in."""
        config: dict[str, Any] = spec_of(self._config())
        return config

    def summary(self) -> str:
        """Return layers, output shapes and parameters as a text."""
        lines = io.StringIO()
        for layer in self.network.nested.values():
            count = sum(tensor.size for tensor in layer.parameters.values())
            shape = ", ".join(["N", *map(str, layer.output_shape)])
            lines.write(f"{layer.label:<40} {f'({shape})':>18} {count:>12,}\n")
        lines.write(f"{'parameters':<40} {'':>18} {self.flat.values.size:>12,}\n")
        return lines.getvalue()

    def _captured(self) -> Checkpoint:
        checkpoint = capture(self._built, self._progress)
        if self._labels is not None:
            checkpoint.meta["labels"] = self._labels.to_json()
        return checkpoint

    @classmethod
    def _restored(
        cls, checkpoint: Checkpoint, source: str, allow_plugins: bool
    ) -> Model:
        meta = checkpoint.meta
        try:
            value, shape, names = meta["config"], meta["input_shape"], meta["classes"]
            model = cls._of(value, source, allow_plugins)
            classes = None if names is None else tuple(map(str, names))
            model._assemble(tuple(int(size) for size in shape), classes)
            if meta.get("labels") is not None:
                model._labels = Labels.from_json(meta["labels"])
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(
                f"{source}: expected the checkpoint of a model, got: {error!r}."
            ) from None
        for i, transform in enumerate(model._built.transforms):
            prefix = f"transforms.{i}."
            transform.state = {
                name.removeprefix(prefix): array
                for name, array in checkpoint.arrays.items()
                if name.startswith(prefix)
            }
        model._progress = restore(model._built, checkpoint)
        return model

    def __getstate__(self) -> dict[str, Any]:
        """Pickle what a checkpoint holds, rather than buffers and plans."""
        if self._experiment is None:
            return {"facts": self._facts, "layers": self.layers}
        return {"checkpoint": self._captured()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Build the model again from what was pickled."""
        self.__init__()  # type: ignore[misc]
        if "checkpoint" in state:
            checkpoint = state["checkpoint"]
            self.__dict__.update(vars(self._restored(checkpoint, "pickle", True)))
        else:
            self._facts, self.layers = state["facts"], state["layers"]

    @classmethod
    def _of(cls, value: dict[str, Any], source: str, allow_plugins: bool) -> Model:
        document = Document(source, dict(value))
        loaded = finish(document, Path(), allow_plugins=allow_plugins)
        return cls._from(loaded.config)

    @classmethod
    def _from(cls, config: Config) -> Model:
        model = cls()
        model.layers = config.layers
        model._facts = {
            key: value for key, value in config.arguments.items() if key != "layers"
        }
        return model

    @property
    def _built(self) -> Experiment:
        if self._experiment is None:
            raise NncliError("model: expected a built model. Call fit or build first.")
        return self._experiment

    def _check_compiled(self) -> None:
        if "loss" not in self._facts:
            raise NncliError("model: expected how to train. Call compile first.")

    def _with_rows(self) -> Experiment:
        if self._experiment is None or not self._experiment.parts:
            raise ArgumentError("fit: expected inputs x and targets y, got none.")
        return self._experiment

    def _config(self) -> Config:
        self._check_compiled()
        facts: dict[str, Any] = {"training": Training(epochs=1), **self._facts}
        return Config(layers=self.layers, **facts)

    def _assemble(self, shape: Shape, classes: tuple[str, ...] | None) -> None:
        if "loss" not in self._facts:
            # For loops of one's own: the loss is theirs.
            self.compile(loss="mse")
        self._experiment = assemble(self._config(), shape, classes)

    def _take(self, tables: dict[str, Table], training: Training) -> Experiment:
        train = tables["train"]
        first = self._experiment is None
        if first:
            self._facts["training"] = training
            self._assemble(train.x.shape[1:], train.classes)
        experiment = self._built
        experiment.classes = train.classes
        train_as(experiment, training)
        unfitted = any(not hasattr(t, "state") for t in experiment.transforms)
        take(experiment, tables, fit=first or unfitted)
        return experiment

    def _parts(
        self,
        table: Table,
        validation: tuple[ArrayLike, ArrayLike] | None,
        share: float,
    ) -> dict[str, Table]:
        if validation is not None:
            return {"train": table, "validation": self._table(*validation)}
        seed = self._facts["seed"]
        return split_table(table, Split(validation=share), stream(seed, "split"))

    def _table(self, x: ArrayLike, y: ArrayLike | None) -> Table:
        """Check rows; name the classes where the loss wants classes."""
        if y is None:
            raise ArgumentError("fit: expected targets y, got none.")
        inputs, targets = paired(x, y)
        loss: Loss | None = self._facts.get("loss")
        if loss is None or loss.takes == "anything" or targets.ndim != 1:
            return Table(inputs, finite(targets, "targets"), None)
        if self._labels is None:
            # The first rows decide the classes, or the checkpoint did.
            known = self._experiment.classes if self._experiment else None
            self._labels = Labels(np.asarray(known)) if known else Labels.of(targets)
        return Table(inputs, self._labels.encode(targets), self._labels.names)

    def _array(self, x: ArrayLike) -> Array:
        return np.asarray(x, DTYPES[self._facts["precision"]])

    def _batch(self, part: Part) -> Batch:
        """Return the buffers of the recorded step of that size, filled."""
        key = (len(part), part.weights is not None)
        if key not in self._buffers:
            weights = None if part.weights is None else Tensor(part.weights)
            self._buffers[key] = Batch(
                Tensor(part.x), Tensor(part.targets), len(part), weights
            )
        batch = self._buffers[key]
        np.copyto(batch.x.data, part.x)
        np.copyto(batch.targets.data, part.targets)
        if batch.weights is not None and part.weights is not None:
            np.copyto(batch.weights.data, part.weights)
        return batch

    def _predictions(self, x: ArrayLike) -> Array:
        experiment = self._built
        inputs = finite(np.asarray(x), "inputs")
        for transform in experiment.transforms:
            inputs = transform(inputs)
        inputs = self._array(inputs)
        experiment.network.set_training(False)
        with no_grad(), experiment.in_use(), xp.errstate(all="ignore"):
            parts = [
                experiment.network(Tensor(inputs[start : start + PREDICT_ROWS])).data
                for start in range(0, max(1, len(inputs)), PREDICT_ROWS)
            ]
        return experiment.loss.predictions(np.concatenate(parts))

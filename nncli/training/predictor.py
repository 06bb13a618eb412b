"""Predictor: the network of a config, built for rows of a shape, and used."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from nncli.autograd.flat import Flat
from nncli.autograd.tensor import Tensor
from nncli.config.schema import Config
from nncli.core.arrays import DTYPES, Array, Shape, xp
from nncli.core.errors import NncliError
from nncli.data.base import Rows
from nncli.data.batches import Batch
from nncli.data.columns import rows_of
from nncli.data.frames import columns_of
from nncli.data.labels import Labels
from nncli.data.rows import finite, shaped
from nncli.data.table import Table
from nncli.experiment.build import assemble
from nncli.experiment.experiment import Experiment
from nncli.experiment.predict import predictions
from nncli.layers.base import Layer
from nncli.network.network import Network
from nncli.tables.frames import raw_of
from nncli.training.state import Progress
from nncli.training.step import TrainingStep
from nncli.training.threads import threads_of, using


class Predictor:
    """Builds the network of a config for rows of a shape, and uses it.

    Attributes:
        config: What it is made of, and how it is trained.
    """

    def __init__(self, config: Config, *, compiled: bool = True) -> None:
        self._hold(config, compiled=compiled)

    def _hold(self, config: Config, *, compiled: bool = True) -> None:
        self.config = config
        self._compiled = compiled
        self._experiment: Experiment | None = None
        self._step: TrainingStep | None = None
        self._progress = Progress()
        self._labels: Labels | None = None
        self._buffers: dict[tuple[int, bool], Batch] = {}

    def build(self, input_shape: Shape) -> Self:
        """Make the parameters for rows of a shape; ``fit`` does it by itself.

        Raises:
            ConfigError: The layers do not fit each other.
            NncliError: The network is built already.
        """
        self._check_unbuilt("build")
        self._experiment = assemble(self.config, tuple(input_shape), None)
        return self

    def __call__(self, x: Tensor | ArrayLike) -> Tensor:
        """Return the outputs of the last layer for a batch, for loops of your own."""
        dtype = DTYPES[self.config.precision]
        tensor = x if isinstance(x, Tensor) else Tensor(np.asarray(x, dtype))
        if self._experiment is None:
            self.build(tensor.shape[1:])
        y = self.network(tensor)
        fused = Layer.registry.find(self._built.fused)
        return fused()(y) if fused is not None else y

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

    def train(self, training: bool = True) -> Self:
        """Let dropout and norms act as in training, for loops of your own."""
        self.network.set_training(training)
        return self

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
        """Return the class of each row, as in the y of ``fit``, or the numbers.

        Raises:
            ShapeError: The inputs are no rows as the network takes them.
        """
        if self._built.classes is None:
            return self._predictions(x)
        chosen: Array = self.predict_proba(x).argmax(axis=-1)
        return Labels(np.asarray(self.classes)).decode(chosen)

    def _predictions(self, x: ArrayLike) -> Array:
        with using(threads_of(self._built)):
            return predictions(self._built, self._rows(x))

    def _rows(self, x: ArrayLike) -> Rows:
        """Return rows to predict: columns of a table by name, of an array by place."""
        encoder = self._built.encoder
        if encoder is not None:
            return rows_of(raw_of(x, encoder.wanted, formats=encoder.formats), encoder)
        inputs = finite(np.asarray(x), "inputs", columns_of(x))
        return Table(shaped(inputs, self.network.shapes[0]))

    @property
    def classes(self) -> Array | None:
        """The classes in the order of ``predict_proba``; None for numbers."""
        if self._labels is not None:
            return self._labels.values
        labels = self._built.labels
        return None if labels is None else labels.values

    @property
    def _built(self) -> Experiment:
        if self._experiment is None:
            raise NncliError("model: expected a built model. Call fit or build first.")
        return self._experiment

    def _check_unbuilt(self, what: str) -> None:
        if self._experiment is not None:
            raise NncliError(f"{what}: expected a model that is not built yet.")

    def _check_compiled(self) -> None:
        if not self._compiled:
            raise NncliError("model: expected how to train. Call compile first.")

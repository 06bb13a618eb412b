"""Classifier and regressor for scikit-learn: pipelines, grids and cross-validation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nncli.core.arrays import Array
from nncli.core.errors import MissingExtra
from nncli.layers.base import Layer
from nncli.layers.dense import Dense
from nncli.model import Model

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.class_weight import compute_sample_weight
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import (
        _check_sample_weight,
        check_is_fitted,
        validate_data,
    )
except ModuleNotFoundError as error:
    raise MissingExtra("nncli.sklearn", "scikit-learn", "sklearn") from error

AUTO_BATCH = 200


class _Network(BaseEstimator):  # type: ignore[misc]
    """What both estimators share: their arguments and how they train."""

    def __init__(
        self,
        hidden: Sequence[int] = (100,),
        activation: str = "relu",
        layers: Sequence[Any] | None = None,
        l2: float = 1e-4,
        optimizer: Any = "adam",
        schedule: Any = "constant",
        batch_size: int | str = "auto",
        epochs: int = 200,
        patience: int | None = None,
        validation_fraction: float = 0.1,
        random_state: Any = None,
    ) -> None:
        self.hidden = hidden
        self.activation = activation
        self.layers = layers
        self.l2 = l2
        self.optimizer = optimizer
        self.schedule = schedule
        self.batch_size = batch_size
        self.epochs = epochs
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.random_state = random_state

    def _train(
        self, x: Array, y: Array, outputs: int, loss: str, weights: Array | None
    ) -> None:
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        precision = "float32" if x.dtype == np.float32 else "float64"
        self.model_ = Model(self._layers(outputs), seed=seed, precision=precision)
        self.model_.compile(self.optimizer, loss, schedule=self.schedule)
        size = min(AUTO_BATCH, len(x)) if self.batch_size == "auto" else self.batch_size
        if weights is not None:
            # Rows with a weight of k count like k rows: the mean is over the weights.
            kept = weights > 0
            x, y, weights = x[kept], y[kept], weights[kept]
            weights = weights * (len(weights) / weights.sum())
        history = self.model_.fit(
            x,
            y,
            epochs=self.epochs,
            batch_size="full" if size == len(x) else size,
            evaluate_every=1 if self.patience else self.epochs,
            validation_split=self.validation_fraction if self.patience else 0.0,
            sample_weight=weights,
            early_stopping={"patience": self.patience} if self.patience else None,
        )
        self.n_iter_ = history.last["epoch"]
        self.loss_ = history.last["train"]["loss"]

    def _layers(self, outputs: int) -> list[Layer | str | dict[str, Any]]:
        if self.layers is not None:
            return [*self.layers, Dense(outputs, l2=float(self.l2))]
        inner: list[Layer | str | dict[str, Any]] = []
        for units in self.hidden:
            inner += [Dense(int(units), l2=float(self.l2)), self.activation]
        return [*inner, Dense(outputs, l2=float(self.l2))]

    def _inputs(self, x: ArrayLike) -> Array:
        check_is_fitted(self)
        inputs: Array = validate_data(self, x, reset=False, dtype=_DTYPES)
        return inputs


_DTYPES = [np.float64, np.float32]


class NNClassifier(ClassifierMixin, _Network):  # type: ignore[misc]
    """A network of dense layers with softmax cross entropy.

    Args:
        hidden: Units of each hidden layer.
        activation: Name of the activation after each of them.
        layers: All layers but the last one, instead of ``hidden`` and ``activation``:
            objects or what YAML would say.
        l2: Penalty on the squares of weights, l2·Σw².
        optimizer: Name, mapping or object.
        schedule: Name, mapping or object.
        batch_size: Rows a step; ``auto`` for at most 200.
        epochs: Passes over the rows.
        patience: Stop after so many epochs without a better validation loss.
        validation_fraction: Share of the rows for that.
        random_state: Seed.
        class_weight: Factors of the rows by class, 1 for those that are not named;
            ``balanced`` for n / (K·n_k), so that all classes count the same.

    Attributes:
        classes_: The classes in the order of ``predict_proba``.
        model_: The trained ``nncli.Model``.
        n_iter_: Epochs that were made.
        loss_: Mean loss of the training rows in the end.
    """

    def __init__(
        self,
        hidden: Sequence[int] = (100,),
        activation: str = "relu",
        layers: Sequence[Any] | None = None,
        l2: float = 1e-4,
        optimizer: Any = "adam",
        schedule: Any = "constant",
        batch_size: int | str = "auto",
        epochs: int = 200,
        patience: int | None = None,
        validation_fraction: float = 0.1,
        random_state: Any = None,
        class_weight: Any = None,
    ) -> None:
        super().__init__(
            hidden=hidden,
            activation=activation,
            layers=layers,
            l2=l2,
            optimizer=optimizer,
            schedule=schedule,
            batch_size=batch_size,
            epochs=epochs,
            patience=patience,
            validation_fraction=validation_fraction,
            random_state=random_state,
        )
        self.class_weight = class_weight

    def fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> NNClassifier:
        """Train from new first values."""
        inputs, targets = validate_data(self, X, y, dtype=_DTYPES)
        check_classification_targets(targets)
        weights = None
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, inputs, dtype=np.float64)
        if self.class_weight is not None:
            # scikit-learn's own, so that its names of classes and its errors are.
            factors = compute_sample_weight(self.class_weight, targets)
            weights = factors if weights is None else weights * factors
        self.classes_, index = np.unique(targets, return_inverse=True)
        if weights is not None and len(np.unique(index[weights > 0])) < 2:
            raise ValueError("Expected rows of more than one class with weights > 0.")
        self._train(inputs, index, len(self.classes_), "softmax_cross_entropy", weights)
        return self

    def predict_proba(self, X: ArrayLike) -> Array:
        """Return the probability of each class."""
        inputs = self._inputs(X)
        return self.model_.predict_proba(inputs)

    def predict(self, X: ArrayLike) -> Array:
        """Return the most probable class of each row."""
        inputs = self._inputs(X)
        chosen: Array = self.classes_[self.model_.predict_proba(inputs).argmax(axis=1)]
        return chosen


class NNRegressor(RegressorMixin, _Network):  # type: ignore[misc]
    """A network of dense layers with mean squared error.

    Args:
        hidden: Units of each hidden layer.
        activation: Name of the activation after each of them.
        layers: All layers but the last one, instead of ``hidden`` and ``activation``:
            objects or what YAML would say.
        l2: Penalty on the squares of weights, l2·Σw².
        optimizer: Name, mapping or object.
        schedule: Name, mapping or object.
        batch_size: Rows a step; ``auto`` for at most 200.
        epochs: Passes over the rows.
        patience: Stop after so many epochs without a better validation loss.
        validation_fraction: Share of the rows for that.
        random_state: Seed.

    Attributes:
        model_: The trained ``nncli.Model``.
        n_iter_: Epochs that were made.
        loss_: Mean loss of the training rows in the end.
    """

    def fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> NNRegressor:
        """Train from new first values."""
        inputs, targets = validate_data(
            self, X, y, dtype=_DTYPES, multi_output=True, y_numeric=True
        )
        weights = None
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, inputs, dtype=np.float64)
        self._one = targets.ndim == 1
        columns = targets.reshape(len(targets), -1)
        self._train(inputs, columns, columns.shape[1], "mse", weights)
        return self

    def predict(self, X: ArrayLike) -> Array:
        """Return the numbers of each row."""
        inputs = self._inputs(X)
        values = self.model_.predict(inputs)
        return values[:, 0] if self._one else values

    def __sklearn_tags__(self) -> Any:
        """Say that y may have several columns."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

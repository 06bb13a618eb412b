"""Classifier for scikit-learn: pipelines, grids and cross-validation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets

from nncli.core.arrays import Array
from nncli.sklearn.estimator import Network, row_weights


class NNClassifier(ClassifierMixin, Network):  # type: ignore[misc]
    """A network of dense layers with softmax cross entropy.

    Args:
        hidden: Units of each hidden layer.
        activation: Name of the activation after each of them.
        layers: All layers but the last one, instead of ``hidden`` and ``activation``:
            objects or what YAML would say. A dense layer with as many units as there
            are outputs is added.
        l2: Penalty on the squares of weights, l2·Σw².
        optimizer: Name, mapping or object; ``set_params(optimizer__beta1=0.8)``, and
            so a grid, changes one argument of it.
        lr: The optimizer's learning rate; None for what it says itself.
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
        loss_curve_: Mean loss of the training rows after each epoch.
        loss_: The last of them.
    """

    def __init__(
        self,
        hidden: Sequence[int] = (100,),
        activation: str = "relu",
        layers: Sequence[Any] | None = None,
        l2: float = 1e-4,
        optimizer: Any = "adam",
        lr: float | None = None,
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
            lr=lr,
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
        inputs, targets = self._rows(X, y)
        check_classification_targets(targets)
        weights = row_weights(sample_weight, targets)
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

"""Regressor for scikit-learn: pipelines, grids and cross-validation."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike
from sklearn.base import RegressorMixin

from nncli.core.arrays import Array
from nncli.sklearn.estimator import Network, row_weights


class NNRegressor(RegressorMixin, Network):  # type: ignore[misc]
    """A network of dense layers with mean squared error.

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

    Attributes:
        model_: The trained ``nncli.Model``.
        n_iter_: Epochs that were made.
        loss_curve_: Mean loss of the training rows after each epoch.
        loss_: The last of them.
    """

    def fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> NNRegressor:
        """Train from new first values."""
        inputs, targets = self._rows(X, y, multi_output=True, y_numeric=True)
        weights = row_weights(sample_weight, targets)
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

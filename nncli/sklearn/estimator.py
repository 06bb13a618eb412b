"""Network: what both estimators share: their arguments and how they train."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils import check_array, check_consistent_length, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from nncli.config.validate import component_from
from nncli.core.arrays import Array
from nncli.core.description import Description
from nncli.core.errors import ArgumentError
from nncli.data.frames import columns_of, numeric_columns
from nncli.layers.base import Layer
from nncli.layers.dense import Dense
from nncli.model import Model
from nncli.optimizers.base import Optimizer

AUTO_BATCH = 200
NESTED = ("optimizer", "schedule")
OUTPUT_ACTIVATIONS = ("softmax", "log_softmax")
DTYPES = [np.float64, np.float32]


class Network(BaseEstimator):  # type: ignore[misc]
    """Base of both estimators: a model is made and trained by each ``fit``."""

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
    ) -> None:
        self.hidden = hidden
        self.activation = activation
        self.layers = layers
        self.l2 = l2
        self.optimizer = optimizer
        self.lr = lr
        self.schedule = schedule
        self.batch_size = batch_size
        self.epochs = epochs
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.random_state = random_state

    def set_params(self, **params: Any) -> Any:
        """Set arguments, also those of the optimizer and the schedule.

        ``optimizer__lr=0.1`` keeps the optimizer and changes its learning rate.
        """
        whole = {k: v for k, v in params.items() if k.partition("__")[0] not in NESTED}
        whole |= {k: v for k, v in params.items() if k in NESTED}
        super().set_params(**whole)
        for key in params.keys() - whole.keys():
            name, _, argument = key.partition("__")
            value = _with(getattr(self, name), argument, params[key])
            setattr(self, name, value)
        return self

    def _train(
        self, x: Any, y: Array, outputs: int, loss: str, weights: Array | None
    ) -> None:
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        single = getattr(x, "dtype", None) == np.float32
        precision = "float32" if single else "float64"
        self.model_ = Model(self._layers(outputs), seed=seed, precision=precision)
        optimizer = component_from(Optimizer, self.optimizer)
        if self.lr is not None:
            optimizer = optimizer.changed(lr=float(self.lr))
        self.model_.compile(optimizer, loss, schedule=self.schedule)
        size = min(AUTO_BATCH, len(x)) if self.batch_size == "auto" else self.batch_size
        if weights is not None:
            # Rows with a weight of k count like k rows: the mean is over the weights.
            kept = weights > 0 if isinstance(x, np.ndarray) else slice(None)
            y, weights = y[kept], weights[kept]
            x = x[kept] if isinstance(x, np.ndarray) else x
            weights = weights * (len(weights) / weights.sum())
        history = self.model_.fit(
            x,
            y,
            epochs=self.epochs,
            batch_size="full" if size == len(x) else size,
            validation_split=self.validation_fraction if self.patience else 0.0,
            sample_weight=weights,
            early_stopping={"patience": self.patience} if self.patience else None,
        )
        self.n_iter_ = history.last["epoch"]
        self.loss_curve_ = [row["train"]["loss"] for row in history.rows]
        self.loss_ = self.loss_curve_[-1]

    def _layers(self, outputs: int) -> list[Layer | str | dict[str, Any]]:
        last = Dense(outputs, l2=float(self.l2))
        if self.layers is not None:
            self._check_layers(outputs)
            return [*self.layers, last]
        inner: list[Layer | str | dict[str, Any]] = []
        for units in self.hidden:
            inner += [Dense(int(units), l2=float(self.l2)), self.activation]
        return [*inner, last]

    def _check_layers(self, outputs: int) -> None:
        """Refuse layers that end as a whole network does.

        Raises:
            ArgumentError: The last of them is an output layer, or its activation.
        """
        given = [component_from(Layer, layer) for layer in self.layers or ()]
        if not given:
            return
        end = given[-1]
        ending = isinstance(end, Dense) and end.units == outputs
        if ending or end.type_name in OUTPUT_ACTIVATIONS:
            raise ArgumentError(
                f"{type(self).__name__}.layers: expected all layers but the last one, "
                f"got a list that ends with {end!r}. Leave that out: a dense layer "
                f"with {outputs} units is added, and the loss takes its outputs."
            )

    def _rows(self, x: ArrayLike, y: ArrayLike, **more: Any) -> tuple[Any, Array]:
        """Return checked rows to train on: arrays, or a frame with texts as it is."""
        self._by_name = has_texts(x)
        if not self._by_name:
            inputs, targets = validate_data(self, x, y, dtype=DTYPES, **more)
            return inputs, targets
        validate_data(self, x, y, skip_check_array=True)
        return x, check_array(y, ensure_2d=False, dtype=None)

    def _inputs(self, x: ArrayLike) -> Any:
        """Return checked rows to predict: those of a frame go by their names."""
        check_is_fitted(self)
        if self._by_name:
            return x
        return validate_data(self, x, reset=False, dtype=DTYPES)


def has_texts(x: Any) -> bool:
    """Whether rows are a frame of which some columns hold no numbers."""
    names = columns_of(x)
    return names is not None and len(numeric_columns(x)) < len(names)


def _with(component: Any, argument: str, value: Any) -> Any:
    """Return a component (name, mapping or object) with one argument changed."""
    if isinstance(component, Description):
        return component.changed(**{argument: value})
    known = {"type": component} if isinstance(component, str) else dict(component)
    return known | {argument: value}


def row_weights(given: ArrayLike | None, rows: Array) -> Array | None:
    """Return one finite weight a row; a single number counts for all.

    Raises:
        ValueError: There are not as many weights as rows.
    """
    if given is None:
        return None
    if isinstance(given, int | float):
        return np.full(len(rows), given, np.float64)
    weights: Array = check_array(given, dtype=np.float64, ensure_2d=False)
    if weights.ndim != 1:
        raise ValueError(
            f"sample_weight: expected one number a row, got shape {weights.shape}."
        )
    check_consistent_length(weights, rows)
    if not weights.any():
        raise ValueError("sample_weight: expected weights > 0, got only zeros.")
    return weights

"""Settings: what can be chosen in the playground, and the config it comes to."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, Literal, get_args

from annotated_types import Ge, Gt, Le

from nncli.core.description import Description
from nncli.core.errors import ArgumentError
from nncli.core.randomness import stream
from nncli.core.signature import signature_of
from nncli.core.text import nearest
from nncli.data.base import Dataset

Activation = Literal["relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid"]
Moves = Literal["sgd", "momentum", "rmsprop", "adam"]
MOST_LAYERS = 5

Samples = Annotated[int, Ge(4), Le(400)]
Units = Annotated[int, Ge(1), Le(64)]
Noise = Annotated[float, Ge(0), Le(2)]
Classes = Annotated[int, Ge(2), Le(8)]
Rows = Annotated[int, Ge(1), Le(1024)]
Rate = Annotated[float, Gt(0), Le(10)]
Penalty = Annotated[float, Ge(0), Le(1)]
Seed = Annotated[int, Ge(0), Le(2**31)]


class Settings(Description):
    """A small network, and points in a plane to train it on.

    Args:
        dataset: One with two inputs.
        samples: Points, of each class where the dataset has it so.
        noise: How much the points are blurred; null for as much as by default.
        classes: Where the dataset has any number of them.
        units: Of each hidden layer.
        activation: Behind each hidden layer.
        optimizer: How parameters move; ``momentum`` is sgd with one of 0.9.
        lr: The learning rate.
        batch_size: Rows a step.
        l2: Penalty on the squares of weights.
        seed: Of the points and of the first weights.
    """

    kind = "mapping"

    dataset: str = "spiral"
    samples: Samples = 100
    noise: Noise | None = None
    classes: Classes = 3
    units: list[Units] = [32, 32]  # noqa: RUF012 - descriptions copy their defaults
    activation: Activation = "gelu"
    optimizer: Moves = "adam"
    lr: Rate = 0.03
    batch_size: Rows | Literal["full"] = "full"
    l2: Penalty = 0.0
    seed: Seed = 0

    def __post_init__(self) -> None:
        if self.dataset not in planar():
            raise ArgumentError(
                f"dataset: expected one with two inputs, got {self.dataset!r}. "
                f"{nearest(self.dataset, list(planar()))}"
            )
        if len(self.units) > MOST_LAYERS:
            raise ArgumentError(
                f"units: expected at most {MOST_LAYERS} layers, got {len(self.units)}."
            )

    def config(self) -> dict[str, Any]:
        """Return the config that trains it, as ``nncli train`` takes it."""
        arguments = signature_of(planar()[self.dataset]).arguments
        wanted: dict[str, Any] = {"samples": self.samples, "classes": self.classes}
        if self.noise is not None:
            wanted["noise"] = self.noise
        dataset = {name: v for name, v in wanted.items() if name in arguments}
        outputs, labelled = self._outputs()
        penalty = {"l2": self.l2} if self.l2 else {}
        layers: list[Any] = []
        for units in self.units:
            layers += [{"type": "dense", "units": units, **penalty}, self.activation]
        layers.append({"type": "dense", "units": outputs, **penalty})
        optimizer: dict[str, Any] = {"type": self.optimizer, "lr": self.lr}
        if self.optimizer == "momentum":
            optimizer |= {"type": "sgd", "momentum": 0.9}
        return {
            "name": "playground",
            "seed": self.seed,
            "dataset": {"type": self.dataset, **dataset},
            "split": {"validation": 0.25},
            "layers": layers,
            "loss": "softmax_cross_entropy" if labelled else "mse",
            "optimizer": optimizer,
            "metrics": ["accuracy"] if labelled else [],
            "training": {"epochs": 100, "batch_size": self.batch_size},
        }

    def _outputs(self) -> tuple[int, bool]:
        """Return how many outputs the dataset asks for, and whether it has classes."""
        cls = planar()[self.dataset]
        if "classes" in signature_of(cls).arguments:
            return self.classes, True
        table = _example(cls)
        if table.classes is None:
            return int(table.read("y", slice(0, 1)).shape[-1]), False
        return len(table.classes), True


@cache
def planar() -> dict[str, type[Dataset]]:
    """Return the datasets that ship and are drawn as points in a plane."""
    return {
        name: cls
        for name, cls in Dataset.members().items()
        if cls.drawn
        and "samples" in signature_of(cls).arguments
        and _example(cls).fields["x"].shape == (2,)
    }


def choices() -> dict[str, Any]:
    """Return what a page offers: datasets and what each takes, names, defaults."""
    datasets = {}
    for name, cls in planar().items():
        arguments = signature_of(cls).arguments
        taken = [key for key in ("samples", "noise", "classes") if key in arguments]
        datasets[name] = {key: arguments[key].default for key in taken}
    return {
        "datasets": datasets,
        "activations": list(get_args(Activation)),
        "optimizers": list(get_args(Moves)),
        "defaults": {
            name: argument.default
            for name, argument in signature_of(Settings).arguments.items()
        },
    }


def _example(cls: type[Dataset]) -> Any:
    return cls(samples=2).load(stream(0, "data"))  # type: ignore[call-arg]

"""What stands for a layer's parameters before they are there, and penalties on them."""

from __future__ import annotations

from dataclasses import dataclass

from nncli.autograd.tensor import Tensor
from nncli.core.errors import NncliError
from nncli.core.registry import Component


class NoParameters(dict[str, Tensor]):
    """The parameters of a layer that is no part of a network: none can be found."""

    def __init__(self, layer: Component) -> None:
        self.layer = layer

    def __missing__(self, name: str) -> Tensor:
        raise NncliError(
            f"{self.layer.type_name}: expected a layer that is part of a network, got "
            f"a description, which has no {name}. Put it into a model: "
            f"nn.Model([{self.layer!r}, ...])."
        )


class Unbuilt:
    """Stands for the parameters until the layer is connected."""

    def __get__(self, layer: Component, owner: type[Component]) -> dict[str, Tensor]:
        return NoParameters(layer)


@dataclass(frozen=True)
class Penalty:
    """What a layer's weight adds to the loss: l1·Σ|w| + l2·Σw²."""

    weight: Tensor
    l1: float
    l2: float

"""Neural networks from scratch in NumPy: the public Python API, loaded when used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nncli.autograd.flat import Flat as Flat
    from nncli.autograd.tape import no_grad as no_grad
    from nncli.autograd.tensor import Tensor as Tensor
    from nncli.model import Model as Model
    from nncli.training.callbacks import History as History

_HOMES = {
    "Flat": "nncli.autograd.flat",
    "History": "nncli.training.callbacks",
    "Model": "nncli.model",
    "Tensor": "nncli.autograd.tensor",
    "no_grad": "nncli.autograd.tape",
}

# Where two families have a class of one name, the first one wins; the other is at
# hand by its YAML name, as in metrics=["mse"].
_FAMILIES = (
    "layer",
    "loss",
    "optimizer",
    "schedule",
    "initializer",
    "transform",
    "dataset",
    "metric",
)

__all__ = ["Flat", "History", "Model", "Tensor", "no_grad"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name[:1].isupper():
        found = _components().get(name)
        if found is not None:
            return found
    raise AttributeError(f"module 'nncli' has no attribute {name!r}")


def _components() -> dict[str, type]:
    """Return every component by the name of its class."""
    import_module("nncli.config.schema")  # imports every family
    families = import_module("nncli.registry").FAMILIES
    named: dict[str, type] = {}
    for family in _FAMILIES:
        for member in families[family].members().values():
            named.setdefault(member.__name__, member)
    return named


def __dir__() -> list[str]:
    return sorted([*_HOMES, *_components()])

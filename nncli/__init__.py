"""Neural networks from scratch in NumPy: the public Python API, loaded when used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nncli.autograd.tape import no_grad as no_grad
    from nncli.autograd.tensor import Tensor as Tensor

_HOMES = {
    "Tensor": "nncli.autograd.tensor",
    "no_grad": "nncli.autograd.tape",
}

__all__ = ["Tensor", "no_grad"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'nncli' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(_HOMES)

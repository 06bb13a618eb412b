"""Neural networks from scratch in NumPy: the public Python API, loaded when used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

# What editors and type checkers know stands in __init__.pyi, which scripts/stubs.py
# writes.

HOMES = {
    **dict.fromkeys(
        (
            *("arange", "eye", "full", "ones", "rand", "randn", "zeros"),
            *("concatenate", "einsum", "maximum", "minimum", "outer", "stack", "where"),
        ),
        "nncli.autograd.functions",
    ),
    "Callback": "nncli.training.callbacks",
    "Flat": "nncli.autograd.flat",
    "History": "nncli.training.callbacks",
    "Model": "nncli.model",
    "TensorBoard": "nncli.training.tensorboard",
    "Tensor": "nncli.autograd.tensor",
    "no_grad": "nncli.autograd.tape",
}

NAMESPACES = (
    "initializers",
    "layers",
    "losses",
    "metrics",
    "optimizers",
    "schedules",
)
"""Packages whose members are attributes of them: ``nn.losses.Huber``."""

FLAT = ("layers", "optimizers")
"""Those whose members are attributes of this package as well: ``nn.Dense``."""


def __getattr__(name: str) -> Any:
    if name in HOMES:
        return getattr(import_module(HOMES[name]), name)
    if name in NAMESPACES:
        return import_module(f"nncli.{name}")
    if name == "__version__":
        return import_module("importlib.metadata").version("nncli")
    if name[:1].isupper():
        for namespace in FLAT:
            found = getattr(import_module(f"nncli.{namespace}"), name, None)
            if found is not None:
                return found
    raise AttributeError(f"module 'nncli' has no attribute {name!r}")


def __dir__() -> list[str]:
    members = [n for part in FLAT for n in dir(import_module(f"nncli.{part}"))]
    return sorted([*HOMES, *NAMESPACES, "__version__", *members])

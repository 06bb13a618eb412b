"""Plugins that several tests here use."""

from __future__ import annotations

from pathlib import Path

CUBE = '''\
"""A layer of my own."""

from nncli.autograd.function import Case, Function
from nncli.autograd.tensor import apply
from nncli.core.arrays import xp
from nncli.layers.base import Layer


class CubeFunction(Function, name="my_cube"):
    """y = x³; dL/dx = dL/dy · 3x²."""

    def allocate(self, x):
        return xp.empty_like(x)

    def forward(self, x, out):
        self.x = x
        xp.multiply(x * x, x, out=out)

    def backward(self, grad, dx):
        if dx is not None:
            dx[...] = FACTOR * self.x * self.x * grad

    @classmethod
    def cases(cls, rng):
        yield Case(cls(), (rng.normal(size=(3, 4)),))


class Cube(Layer, name="my_cube"):
    """y = x³, element by element."""

    output = None

    def __call__(self, x):
        return apply(CubeFunction(), x)
'''


def write_plugin(folder: Path, factor: float = 3.0) -> Path:
    """Write a layer of one's own; its derivative is right with a factor of 3."""
    path = folder / "cube.py"
    path.write_text(CUBE.replace("FACTOR", repr(factor)), encoding="utf-8")
    return path

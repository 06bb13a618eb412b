"""Arithmetic, element by element, with broadcasting: from sums to remainders."""

from __future__ import annotations

from nncli.autograd.buffers import scratch
from nncli.core.arrays import Array, xp
from nncli.core.errors import NncliError
from nncli.ops.elementwise import Binary, Curve, Unary, refuse_booleans


class Add(Binary, name="add"):
    """y = a + b; dL/da = dL/dy, dL/db = dL/dy."""

    elementwise = True

    def forward(self, a: Array, b: Array, out: Array) -> None:
        xp.add(a, b, out=out)

    def backward(self, grad: Array, da: Array | None, db: Array | None) -> None:
        if db is not None:
            xp.copyto(db, grad)
        if da is not None and da is not grad:
            xp.copyto(da, grad)


class Subtract(Binary, name="subtract"):
    """y = a − b; dL/da = dL/dy, dL/db = −dL/dy."""

    booleans = False
    elementwise = True

    def forward(self, a: Array, b: Array, out: Array) -> None:
        xp.subtract(a, b, out=out)

    def backward(self, grad: Array, da: Array | None, db: Array | None) -> None:
        if db is not None:
            xp.negative(grad, out=db)
        if da is not None and da is not grad:
            xp.copyto(da, grad)


class Negative(Unary, name="negative"):
    """y = −x; dL/dx = −dL/dy."""

    real = False

    def allocate(self, x: Array) -> Array:
        refuse_booleans("negative", x)
        return super().allocate(x)

    def forward(self, x: Array, out: Array) -> None:
        xp.negative(x, out=out)

    def backward(self, grad: Array, dx: Array) -> None:
        xp.negative(grad, out=dx)


class Multiply(Binary, name="multiply"):
    """y = a·b; dL/da = dL/dy · b, dL/db = dL/dy · a."""

    elementwise = True
    saves_inputs = True

    def forward(self, a: Array, b: Array, out: Array) -> None:
        self.a, self.b = a, b
        xp.multiply(a, b, out=out)

    def backward(self, grad: Array, da: Array | None, db: Array | None) -> None:
        if db is not None:
            xp.multiply(grad, self.a, out=db)
        if da is not None:
            xp.multiply(grad, self.b, out=da)


class Divide(Binary, name="divide"):
    """y = a / b; dL/da = dL/dy / b, dL/db = −dL/dy · y / b."""

    elementwise = True
    real = True
    saves_inputs = (False, True)
    saves_output = True

    def forward(self, a: Array, b: Array, out: Array) -> None:
        self.b, self.out = b, out
        xp.divide(a, b, out=out)

    def backward(self, grad: Array, da: Array | None, db: Array | None) -> None:
        if db is not None:
            xp.multiply(grad, self.out, out=db)
            xp.divide(db, self.b, out=db)
            xp.negative(db, out=db)
        if da is not None:
            xp.divide(grad, self.b, out=da)


class Reciprocal(Curve, name="reciprocal"):
    """y = 1 / x; dL/dx = −dL/dy · y²."""

    f = xp.reciprocal
    saves_inputs, saves_output = False, True

    def slope(self, known: Array, out: Array) -> None:
        xp.multiply(known, known, out=out)
        xp.negative(out, out=out)


class Abs(Unary, name="abs"):
    """y = |x|; dL/dx = dL/dy · sign x (0 at x = 0, as PyTorch)."""

    real = False
    saves_inputs = True

    def forward(self, x: Array, out: Array) -> None:
        self.x = x
        xp.absolute(x, out=out)

    def backward(self, grad: Array, dx: Array) -> None:
        sign = scratch(self.form)
        xp.sign(self.x, out=sign)
        xp.multiply(grad, sign, out=dx)


class FloorDivide(Binary, name="floor_divide"):
    """y = ⌊a / b⌋; the derivative is 0."""

    booleans = False

    def forward(self, a: Array, b: Array, out: Array) -> None:
        _refuse_zero("floor_divide", b, out)
        xp.floor_divide(a, b, out=out)

    def backward(self, grad: Array, da: Array | None, db: Array | None) -> None:
        for each in (da, db):
            if each is not None:
                each.fill(0)


class Remainder(Binary, name="remainder"):
    """y = a − b·⌊a/b⌋, with the sign of b; dL/da = dL/dy, dL/db = −dL/dy · ⌊a/b⌋."""

    booleans = False
    saves_inputs = True

    def forward(self, a: Array, b: Array, out: Array) -> None:
        _refuse_zero("remainder", b, out)
        self.a, self.b = a, b
        xp.remainder(a, b, out=out)

    def backward(self, grad: Array, da: Array | None, db: Array | None) -> None:
        if da is not None:
            xp.copyto(da, grad)
        if db is not None:
            xp.floor_divide(self.a, self.b, out=db)
            xp.negative(db, out=db)
            xp.multiply(grad, db, out=db)


def _refuse_zero(name: str, divisors: Array, out: Array) -> None:
    """Refuse to divide integers by 0, of which NumPy would make 0."""
    if out.dtype.kind != "f" and not divisors.all():
        raise NncliError(
            f"{name}: expected integers other than 0 to divide by, got 0. Floating-"
            "point numbers have an infinity for it: t.astype('float32')."
        )

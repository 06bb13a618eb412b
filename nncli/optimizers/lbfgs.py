"""L-BFGS: Newton's method with a curvature that is learned on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from nncli.autograd.flat import Flat
from nncli.core.arrays import Array, check_memory, xp
from nncli.core.signature import NonNegative, Positive, PositiveFloat
from nncli.optimizers.base import Optimizer
from nncli.optimizers.line_search import Point, strong_wolfe


class Lbfgs(Optimizer, name="lbfgs"):
    """p ← p + t·d with d = −H·g; H, near the inverse Hessian, from the last moves.

    The last m pairs s = p_k+1 − p_k, y = g_k+1 − g_k with y·s > 1e-10 give H·g without
    a matrix (two loops over the pairs), beginning with H₀ = (y·s / y·y)·I of the newest
    pair. t is lr (in the first iteration lr / max(1, Σ|g|)), or found by the line
    search, which begins there.

    One step makes several such iterations, each with all rows: training.batch_size must
    be full, and nothing in the network may draw random numbers. For smooth problems
    that are small; memory for 2·m + 2 times the parameters.

    Source: Nocedal 1980; Nocedal and Wright 2006, algorithm 7.4; rules for stopping
    as in PyTorch, whose defaults are history_size 100 and no line search.

    Args:
        lr: Learning rate: the step size t that is tried first.
        max_iter: Iterations a step.
        max_eval: Evaluations of the network a step; null for 1.25 times max_iter.
        tolerance_grad: A step ends where no gradient is larger.
        tolerance_change: A step ends where loss or parameters change less.
        history_size: How many pairs m are kept.
        line_search: How t is found; null takes lr as it is.
    """

    lr: PositiveFloat = 1.0
    max_iter: Positive = 20
    max_eval: Positive | None = None
    tolerance_grad: NonNegative = 1e-7
    tolerance_change: NonNegative = 1e-9
    history_size: Positive = 10
    line_search: Literal["strong_wolfe"] | None = "strong_wolfe"

    full_batch = True
    elementwise = False
    slots = ("direction", "previous_gradient")

    def start(self, flat: Flat) -> None:
        """Bind to parameters, with an empty history."""
        super().start(flat)
        pairs, dtype = (self.history_size, flat.values.size), flat.values.dtype
        check_memory((2, *pairs), dtype, "optimizer lbfgs with its history_size")
        self.state |= {
            "moves": xp.zeros(pairs, dtype),
            "gradient_changes": xp.zeros(pairs, dtype),
            "inverse_products": xp.zeros(self.history_size, dtype),
            "scale": xp.ones(1, dtype),
            "step_size": xp.zeros(1, dtype),
            # Whether there was an iteration; pairs kept; where the next one goes.
            "counts": xp.zeros(3, dtype),
        }
        self._move = xp.empty_like(flat.values)
        self._change = xp.empty_like(flat.values)

    def prepare(self, lr: float) -> None:
        """Choose the direction and the step size to begin with, from the gradients."""
        state, grads = self.state, self.flat.grads
        if state["counts"][0]:
            self._remember()
            self._aim()
            state["step_size"][0] = lr
        else:
            xp.negative(grads, out=state["direction"])
            state["step_size"][0] = lr / max(1.0, float(xp.abs(grads).sum()))
            state["counts"][0] = 1
        xp.copyto(state["previous_gradient"], grads)

    def update(self, *arrays: Array) -> None:
        """Move one chunk by t·d."""
        values, _, direction, _, work = arrays
        xp.multiply(direction, self.state["step_size"], out=work)
        xp.add(values, work, out=values)

    def minimize(self, lr: float, objective: Callable[[], float]) -> None:
        """Iterate until one of the limits is met."""
        self.steps += 1
        self.flat.version += 1
        loss, evaluations = objective(), 1
        if self._at_rest() or not lr:
            # A schedule may begin or end with a rate of 0.
            return
        most = self.max_eval or self.max_iter * 5 // 4
        for iteration in range(1, self.max_iter + 1):
            before = loss
            self.prepare(lr)
            slope = float(xp.dot(self.flat.grads, self.state["direction"]))
            if slope > -self.tolerance_change:
                return
            last = iteration == self.max_iter
            if self.line_search:
                here = Point(0.0, loss, slope, self.flat.grads.copy())
                loss, spent = self._search(objective, here, most - evaluations)
            else:
                self._advance()
                # After the last one, the next step will look anyway.
                loss, spent = (loss, 0) if last else (objective(), 1)
            evaluations += spent
            if last or evaluations >= most or self._settled(loss - before):
                return

    def _remember(self) -> None:
        """Keep the pair of the last move, where it curves upwards."""
        state, counts = self.state, self.state["counts"]
        move, change = self._move, self._change
        xp.subtract(self.flat.grads, state["previous_gradient"], out=change)
        xp.multiply(state["direction"], state["step_size"], out=move)
        product = float(xp.dot(change, move))
        if product <= 1e-10:
            return
        row = int(counts[2])
        state["moves"][row] = move
        state["gradient_changes"][row] = change
        state["inverse_products"][row] = 1 / product
        state["scale"][0] = product / float(xp.dot(change, change))
        counts[1] = min(counts[1] + 1, self.history_size)
        counts[2] = (row + 1) % self.history_size

    def _aim(self) -> None:
        """D ← −H·g by the two loops, from the newest pair to the oldest and back."""
        state, direction, work = self.state, self.state["direction"], self._move
        moves, changes = state["moves"], state["gradient_changes"]
        inverse = state["inverse_products"]
        used, newest = int(state["counts"][1]), int(state["counts"][2]) - 1
        rows = [(newest - age) % self.history_size for age in range(used)]
        shares = {}
        xp.negative(self.flat.grads, direction)
        for row in rows:
            shares[row] = xp.dot(moves[row], direction) * inverse[row]
            xp.multiply(changes[row], -shares[row], out=work)
            xp.add(direction, work, out=direction)
        xp.multiply(direction, state["scale"], out=direction)
        for row in reversed(rows):
            share = shares[row] - xp.dot(changes[row], direction) * inverse[row]
            xp.multiply(moves[row], share, out=work)
            xp.add(direction, work, out=direction)

    def _search(
        self, objective: Callable[[], float], start: Point, most: int
    ) -> tuple[float, int]:
        """Go to the place the line search finds; the gradients are then those there."""
        flat, state = self.flat, self.state
        origin = flat.values.copy()

        def go_to(t: float) -> None:
            state["step_size"][0] = t
            xp.copyto(flat.values, origin)
            self._advance()

        def evaluate(t: float) -> Point:
            go_to(t)
            loss = objective()
            slope = float(xp.dot(flat.grads, state["direction"]))
            return Point(t, loss, slope, flat.grads.copy())

        length = float(xp.abs(state["direction"]).max())
        first, tolerance = float(state["step_size"][0]), self.tolerance_change
        found, spent = strong_wolfe(evaluate, start, first, length, tolerance, most)
        go_to(found.t)
        xp.copyto(flat.grads, found.grads)
        return found.loss, spent

    def _advance(self) -> None:
        for _, arrays in self._chunks:
            self.update(*arrays)

    def _at_rest(self) -> bool:
        largest = xp.abs(self.flat.grads).max(initial=0)
        return bool(largest <= self.tolerance_grad)

    def _settled(self, change: float) -> bool:
        """Whether gradients, the last move or the loss's change are negligible."""
        length = float(xp.abs(self.state["direction"]).max())
        moved = length * abs(float(self.state["step_size"][0]))
        return (
            self._at_rest()
            or moved <= self.tolerance_change
            or abs(change) < self.tolerance_change
        )

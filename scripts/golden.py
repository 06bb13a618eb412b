"""Writes tests/golden.json: what PyTorch answers, for machines without PyTorch.

Run it when a member or an option is added; tests/test_golden.py says what is missing.

    python -m scripts.golden [--check]
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch

from nncli.losses.base import Loss
from tests import golden
from tests.golden import Record
from tests.layers.activations import cases as activation_cases
from tests.losses.test_parity import INPUTS, options_of
from tests.ops.losses import TORCH, ctc
from tests.optimizers.test_parity import (
    FULL_BATCH,
    OPTIONS,
    torch_optimizer,
)

of = torch.optim.lr_scheduler

Scheduler = Callable[[Any], Any]


def _chained(first: Scheduler, steps: int, then: Scheduler) -> Scheduler:
    return lambda optimizer: of.SequentialLR(
        optimizer, [first(optimizer), then(optimizer)], [steps]
    )


# Ours, its arguments, PyTorch's, and whether that moves by epochs.
SCHEDULES: list[tuple[str, Record, Scheduler, bool]] = [
    ("constant", {}, partial(of.ConstantLR, factor=1.0), False),
    ("inverse_time", {"decay": 0.3},
     partial(of.LambdaLR, lr_lambda=lambda s: 1 / (1 + 0.3 * s)), False),
    ("inverse_sqrt", {"steps": 4},
     partial(of.LambdaLR, lr_lambda=lambda s: (1 + s / 4) ** -0.5), False),
    ("step", {"every": 2, "factor": 0.5},
     partial(of.StepLR, step_size=2, gamma=0.5), True),
    ("step", {"every": 3, "factor": 0.5, "by": "step"},
     partial(of.StepLR, step_size=3, gamma=0.5), False),
    ("exponential", {"factor": 0.8}, partial(of.ExponentialLR, gamma=0.8), True),
    ("exponential", {"factor": 0.25, "every": 2, "by": "step"},
     partial(of.ExponentialLR, gamma=0.5), False),
    ("linear", {"start": 0.25, "final": 0.75, "steps": 5},
     partial(of.LinearLR, start_factor=0.25, end_factor=0.75, total_iters=5), False),
    ("linear", {},
     partial(of.LinearLR, start_factor=1, end_factor=0, total_iters=12), False),
    ("polynomial", {"power": 2.0},
     partial(of.PolynomialLR, total_iters=12, power=2.0), False),
    ("polynomial", {"steps": 7}, partial(of.PolynomialLR, total_iters=7), False),
    ("cosine", {"final": 0.2},
     partial(of.CosineAnnealingLR, T_max=12, eta_min=0.02), False),
    ("cosine", {"steps": 9}, partial(of.CosineAnnealingLR, T_max=9), False),
    # PyTorch's restarts at whole steps: two of them are one epoch of ours.
    ("cosine_restarts", {"period": 1, "growth": 2, "final": 0.1},
     partial(of.CosineAnnealingWarmRestarts, T_0=2, T_mult=2, eta_min=0.01), False),
    ("cosine_restarts", {"period": 2},
     partial(of.CosineAnnealingWarmRestarts, T_0=4), False),
    *(("one_cycle",
       {"peak": 0.4, "start": 0.1, "final": 0.01, "shape": shape, "three_phase": three},
       partial(of.OneCycleLR, max_lr=golden.LR, total_steps=12, pct_start=0.4,
               div_factor=10, final_div_factor=10, three_phase=three,
               anneal_strategy=anneal, cycle_momentum=False), False)
      for anneal, shape in (("cos", "cosine"), ("linear", "linear"))
      for three in (False, True)),
    *(("cyclic",
       {"up": 3, "down": 2, "low": 0.2, "shape": shape, "gamma": 0.9},
       partial(of.CyclicLR, base_lr=0.2 * golden.LR, max_lr=golden.LR, step_size_up=3,
               step_size_down=2, mode=shape, gamma=0.9, cycle_momentum=False), False)
      for shape in ("triangular", "triangular2", "exp_range")),
    ("piecewise", {"boundaries": [1, 3], "factors": [1.0, 0.5, 0.25]},
     partial(of.MultiStepLR, milestones=[1, 3], gamma=0.5), True),
    ("piecewise", {"boundaries": [4], "factors": [0.3, 1.0], "by": "step"},
     partial(of.ConstantLR, factor=0.3, total_iters=4), False),
    ("warmup", {"steps": 4, "start": 0.2, "then": {"type": "cosine", "final": 0.0}},
     _chained(partial(of.LinearLR, start_factor=0.2, total_iters=4), 4,
              partial(of.CosineAnnealingLR, T_max=8)), False),
]  # fmt: skip

# What 300 steps need no option for, and eight steps do.
MORE: list[tuple[str, Record]] = [
    ("adam", {"lr": 0.02, "beta2": 0.5, "amsgrad": True}),
    ("radam", {"lr": 0.02, "beta2": 0.9}),
]

NORMS: list[tuple[str, Record, Callable[[], Any]]] = [
    ("batch_norm", {}, partial(torch.nn.BatchNorm1d, 4)),
    ("batch_norm", {"momentum": 0.3, "eps": 0.5},
     partial(torch.nn.BatchNorm1d, 4, eps=0.5, momentum=0.3)),
    ("layer_norm", {}, partial(torch.nn.LayerNorm, 4)),
    ("layer_norm", {"eps": 0.5}, partial(torch.nn.LayerNorm, 4, eps=0.5)),
    ("rms_norm", {}, partial(torch.nn.RMSNorm, 4)),
    ("rms_norm", {"eps": 0.5}, partial(torch.nn.RMSNorm, 4, eps=0.5)),
]  # fmt: skip


def _schedules() -> Iterator[Record]:
    for name, options, make, by_epoch in SCHEDULES:
        optimizer = torch.optim.SGD([torch.zeros(1)], lr=golden.LR)
        scheduler, rates = make(optimizer), []
        for step in range(golden.RATES):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            if not by_epoch or (step + 1) % golden.STEPS_PER_EPOCH == 0:
                scheduler.step()
        yield {"type": name, "options": options, "rates": rates}


def _optimizers() -> Iterator[Record]:
    tables = OPTIONS | FULL_BATCH
    every = [(name, options) for name in tables for options in tables[name]]
    for name, options in [*every, *MORE]:
        start = golden.wave(4)
        weight, bias = (
            torch.nn.Parameter(torch.tensor(part))
            for part in (start[:3].reshape(1, 3), start[3:])
        )
        optimizer = torch_optimizer(name, options, [weight, bias])
        for step in range(golden.OPTIMIZER_STEPS):
            if name in FULL_BATCH:
                optimizer.step(partial(_evaluate, weight, bias))
            else:
                _set_gradients(weight, bias, golden.gradient(step))
                optimizer.step()
        values = [*weight.flatten().tolist(), *bias.tolist()]
        yield {"type": name, "options": options, "values": values}


def _set_gradients(weight: Any, bias: Any, gradient: Any) -> None:
    weight.grad = torch.tensor(gradient[:3].reshape(1, 3))
    bias.grad = torch.tensor(gradient[3:])


def _evaluate(weight: Any, bias: Any) -> float:
    values = np.append(weight.detach().numpy().ravel(), bias.detach().numpy())
    loss, gradient = golden.valley(values)
    _set_gradients(weight, bias, gradient)
    return loss


def _losses() -> Iterator[Record]:
    for name in sorted({*INPUTS, "ctc"}):
        for options in options_of(name, 3):
            loss = Loss.members()[name](**options)
            outputs, targets = map(torch.tensor, golden.outputs_and_targets(loss))
            outputs.requires_grad_()
            value = {**TORCH, "ctc": ctc}[name](loss, outputs, targets)
            value.backward()
            slope = outputs.grad.flatten().tolist()
            yield {
                "type": name,
                "options": options,
                "value": value.item(),
                "slope": slope,
            }


def _activations() -> Iterator[Record]:
    nn, width = torch.nn, golden.EDGES.shape[1]
    plain: list[tuple[str, Callable[[], Any], Record]] = [
        ("relu", nn.ReLU, {}),
        ("leaky_relu", partial(nn.LeakyReLU, 0.3), {"slope": 0.3}),
        ("sigmoid", nn.Sigmoid, {}),
        ("tanh", nn.Tanh, {}),
        ("softmax", partial(nn.Softmax, -1), {}),
        ("prelu", nn.PReLU, {}),
        ("prelu", partial(nn.PReLU, width), {"shared": False}),
    ]
    rest = [
        (name, module, arguments)
        for name, row, module, arguments, _ in activation_cases()
        if row in ((4,), (3, 5)) and name != "prelu"
    ]
    for name, make, options in [*plain, *rest]:
        x = torch.tensor(golden.EDGES, requires_grad=True)
        y = make().double()(x)
        (y * torch.tensor(golden.wave(*y.shape))).sum().backward()
        yield {
            "type": name,
            "options": options,
            "value": y.flatten().tolist(),
            "slope": x.grad.flatten().tolist(),
        }


def _norms() -> Iterator[Record]:
    for name, options, make in NORMS:
        module = make().double()
        for number, parameter in enumerate(module.parameters()):
            parameter.data = torch.tensor(golden.wave(4, start=7.0 + number))
        x = torch.tensor(golden.wave(5, 4), requires_grad=True)
        y = module(x)
        (y * torch.tensor(golden.wave(5, 4, start=3.0))).sum().backward()
        parts = [x.grad, *(parameter.grad for parameter in module.parameters())]
        state = [a for n, a in module.named_buffers() if n.startswith("running")]
        yield {
            "type": name,
            "options": options,
            "value": y.flatten().tolist(),
            "slopes": [part.flatten().tolist() for part in parts],
            "state": [array.tolist() for array in state],
            "in use": module.eval()(x).flatten().tolist(),
        }


FAMILIES: dict[str, Callable[[], Iterator[Record]]] = {
    "activations": _activations,
    "losses": _losses,
    "norms": _norms,
    "optimizers": _optimizers,
    "schedules": _schedules,
}


def _rounded(value: Any) -> Any:
    """Leave 10 digits: enough to tell bugs from rounding, and few to read."""
    if isinstance(value, list):
        return [_rounded(part) for part in value]
    return float(f"{value:.10g}") if isinstance(value, float) else value


def text() -> str:
    """Return the file: a line for each record."""
    families = []
    for family, make in FAMILIES.items():
        lines = []
        for record in make():
            # Options are ours to choose: they are written as they are.
            answers = {
                key: value if key == "options" else _rounded(value)
                for key, value in record.items()
            }
            lines.append(f"  {json.dumps(answers)}")
        body = ",\n".join(lines)
        families.append(f'"{family}": [\n{body}\n]')
    return "{\n" + ",\n".join(families) + "\n}\n"


def main() -> int:
    """Write the file, or say whether it is what PyTorch answers today."""
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    found = text()
    if "--check" in sys.argv:
        same = golden.FILE.read_text(encoding="utf-8") == found
        print("golden.json is up to date." if same else "golden.json is stale.")
        return 0 if same else 1
    golden.FILE.write_text(found, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""Transfer: a new training begins with the weights of another one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nncli.core.arrays import Array, xp
from nncli.core.errors import UsageError
from nncli.experiment.experiment import Experiment
from nncli.runs.checkpoint import load_checkpoint


def take_weights(experiment: Experiment, path: Path) -> dict[str, Any]:
    """Copy every tensor of a checkpoint that fits by name and shape.

    Parameters and layer state (running statistics) are taken; where the checkpoint has
    a moving average of a parameter, that one. The optimizer begins anew.

    Args:
        experiment: Freshly built.
        path: The checkpoint.

    Returns:
        For the manifest: the checkpoint, the names that were ``taken``, and of those
        that were ``left`` why.

    Raises:
        RunError: The checkpoint is not whole.
        UsageError: No tensor fits.
    """
    network, given = experiment.network, load_checkpoint(path).arrays
    wanted = {name: tensor.data for name, tensor in network.flat.tensors.items()}
    wanted |= network.state
    taken: list[str] = []
    left: dict[str, str] = {}
    for name, target in wanted.items():
        source = given.get(f"average.{name}", given.get(name))
        reason = _misfit(target, source)
        if reason or source is None:
            left[name] = reason
        else:
            xp.copyto(target, source, casting="same_kind")
            taken.append(name)
    if not taken:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in left.items())
        raise UsageError(
            f"{path}: expected a tensor that fits the network by name and shape, got "
            f"none ({reasons})."
        )
    if experiment.average is not None:
        xp.copyto(experiment.average.values, network.flat.values)
    return {"checkpoint": str(path), "taken": taken, "left": left}


def _misfit(target: Array, source: Array | None) -> str:
    if source is None:
        return "not there"
    if source.shape != target.shape:
        return f"expected shape {target.shape}, got {source.shape}"
    if source.dtype.kind != target.dtype.kind:
        return f"expected {target.dtype}, got {source.dtype}"
    return ""

"""Transfer: a new training begins with the weights of another one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nncli.core.arrays import Array, xp
from nncli.core.errors import UsageError
from nncli.experiment.experiment import Experiment
from nncli.runs.checkpoint import Checkpoint, load_checkpoint
from nncli.training.fitted import fitted_from


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
        UsageError: No tensor fits, or the vocabularies are different.
    """
    checkpoint = load_checkpoint(path)
    _check_vocabulary(experiment, checkpoint, path)
    network, given = experiment.network, checkpoint.arrays
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


def _check_vocabulary(
    experiment: Experiment, checkpoint: Checkpoint, path: Path
) -> None:
    """Refuse weights that stand for other tokens, however well they fit."""
    known = fitted_from(checkpoint.meta, str(path)).vocabulary
    ours = experiment.vocabulary
    if known is None or ours is None or known == ours:
        return
    strange = sorted({*ours.tokens} ^ {*known.tokens})
    differ = ", ".join(map(repr, strange[:5])) or "their order"
    raise UsageError(
        f"{path}: expected a network of the same vocabulary, {len(ours):,} tokens "
        f"({ours.tokenizer}), got one of {len(known):,} ({known.tokenizer}); among "
        f"what differs: {differ}. Train on text with the same tokens."
    )


def _misfit(target: Array, source: Array | None) -> str:
    if source is None:
        return "not there"
    if source.shape != target.shape:
        return f"expected shape {target.shape}, got {source.shape}"
    if source.dtype.kind != target.dtype.kind:
        return f"expected {target.dtype}, got {source.dtype}"
    return ""

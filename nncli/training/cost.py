"""Cost: operations and memory of a network's layers and of a training step."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from nncli.autograd.replay import Replay
from nncli.autograd.tape import Step, no_grad, record
from nncli.core.arrays import Array, xp
from nncli.core.text import count, size_text, table, wrapped
from nncli.experiment.experiment import Experiment
from nncli.network.network import Network
from nncli.network.trial import trial
from nncli.training.gradient import Gradient
from nncli.training.threads import shards_of, threads_of, workers_for

NARROW = 40
"""Columns below which names have no column of their own."""


def layer_facts(network: Network) -> list[dict[str, Any]]:
    """Return each layer's label, depth, output shape, parameters, operations, remark.

    A layer's parameters and operations are its own; those of layers inside it stand in
    their own entries, right below it and one deeper.
    """
    flops = _flops_by_label(network)
    return [
        {
            "layer": layer.label,
            "depth": sum(path.startswith(f"{other}.") for other in network.nested),
            "output_shape": list(layer.output_shape),
            "parameters": sum(t.size for t in layer.parameters.values()),
            "frozen": layer.frozen,
            "flops": flops.get(layer.label, 0),
            "remark": layer.remark(),
        }
        for path, layer in network.nested.items()
    ]


def summary_facts(experiment: Experiment) -> dict[str, Any]:
    """Return layers, shapes, parameters, operations and memory of a training."""
    network = experiment.network
    layers = layer_facts(network)
    return {
        "name": experiment.config.name,
        "input_shape": list(network.shapes[0]),
        "layers": layers,
        "fused": experiment.fused or None,
        "loss": experiment.loss.type_name,
        "parameters": network.size,
        "trained": network.flat.values.size,
        "flops": sum(layer["flops"] for layer in layers),
        "batch_size": experiment.batch_size,
        "steps_per_epoch": experiment.steps_per_epoch,
        "rows": {name: len(part) for name, part in experiment.parts.items()},
        "memory_bytes": _memory(experiment),
        **_parallel(experiment),
    }


def _parallel(experiment: Experiment) -> dict[str, Any]:
    """Return what a training uses of this machine, and why."""
    shards, why = shards_of(experiment)
    return {
        "shards": shards,
        "workers": workers_for(shards),
        "threads": threads_of(experiment),
        "shards_because": why,
    }


def layer_table(
    input_shape: list[int],
    layers: list[dict[str, Any]],
    fused: str | None,
    width: int = 80,
) -> str:
    """Write what ``layer_facts`` returned as a table of at most some width."""
    rows = [("layer", "output", "parameters", "flops")]
    rows.append(("input", batch_shape(input_shape), "", ""))
    around: list[str] = []
    for layer in layers:
        del around[layer["depth"] :]
        place, _, title = layer["layer"].partition(" ")
        short = place.removeprefix(around[-1]).lstrip(".") if around else place
        around.append(place)
        mark = " (frozen)" if layer["frozen"] and layer["parameters"] else ""
        name = f"{'  ' * layer['depth']}{short} {title}{mark}"
        counts = f"{layer['parameters']:,}", f"{layer['flops']:,}"
        rows.append((name, batch_shape(layer["output_shape"]), *counts))
    text = table(rows, numbers=(1, 2, 3), spare=(3, 1), width=width)
    lines = [f"{fused} (fused into the loss)"] if fused else []
    remarks = (
        f"{each['layer']}: {each['remark']}" for each in layers if each["remark"]
    )
    lines += [part for line in remarks for part in wrapped(line, width, hang=2)]
    return "\n".join([text, *lines])


def counted(parameters: int, trained: int) -> str:
    """Write how many parameters there are, and how many of them are frozen."""
    frozen = parameters - trained
    return f"{parameters:,}" + (f", {frozen:,} of them frozen" if frozen else "")


def summary_text(facts: dict[str, Any], width: int = 80) -> str:
    """Write what ``summary_facts`` returned for people, in at most some width."""
    parts = ", ".join(f"{name} {count:,}" for name, count in facts["rows"].items())
    memory = facts["memory_bytes"]
    lines = [
        f"loss          {facts['loss']}",
        f"parameters    {counted(facts['parameters'], facts['trained'])}",
        f"flops         {facts['flops']:,} a row, forward",
        f"rows          {parts}",
        f"steps         {facts['steps_per_epoch']:,} an epoch, batches of "
        f"{facts['batch_size']:,}",
        f"shards        {_shards_text(facts)}",
        f"memory        {size_text(sum(memory.values()))} in training: parameters "
        f"{size_text(memory['parameters'])}, gradients "
        f"{size_text(memory['gradients'])}, optimizer "
        f"{size_text(memory['optimizer'])}, a step's values and workspaces "
        f"{size_text(memory['activations'])}",
    ]
    shown = layer_table(facts["input_shape"], facts["layers"], facts["fused"], width)
    hang = 14
    if width < NARROW:
        lines, hang = [re.sub(" +", " ", line) for line in lines], 2
    folded = [part for line in lines for part in wrapped(line, width, hang)]
    return "\n".join((shown, "", *folded))


def _shards_text(facts: dict[str, Any]) -> str:
    """Write into how many shards batches are cut, what works on them here, and why."""
    shards, why = facts["shards"], facts["shards_because"]
    threads = count(facts["threads"], "thread")
    if shards == 1:
        return f"1, in one process with {threads}: {why}"
    workers = count(facts["workers"], "process")
    return f"{shards} of each batch, in {workers} with {threads} each: {why}"


def _flops_by_label(network: Network) -> dict[str, int]:
    """Count one row's forward operations of each layer, as the ops themselves do."""
    with trial(network, training=False), no_grad(), record() as steps:
        network(network.zeros(1))
    totals: dict[str, int] = {}
    for step in steps:
        totals[step.label] = totals.get(step.label, 0) + step.flops()
    return totals


def _memory(experiment: Experiment) -> dict[str, int]:
    """Return the bytes of what a training holds, measured on a recorded step."""
    network, optimizer = experiment.network, experiment.optimizer
    batch = experiment.parts["train"].batch(slice(0, experiment.batch_size))
    with trial(network, training=True):
        replay = Gradient(network, experiment.loss).record(batch).replay
    return {
        "parameters": network.size * network.dtype.itemsize,
        "gradients": network.flat.grads.nbytes,
        "optimizer": sum(array.nbytes for array in optimizer.state.values()),
        "activations": _stepsize_text(replay),
    }


def _stepsize_text(replay: Replay) -> int:
    """Add up the buffers of a recorded step, each memory block once."""
    blocks: dict[int, int] = {}
    given: set[int] = set()
    for step in replay.steps:
        for array in [replay.arrays[step], *vars(step.function).values()]:
            if isinstance(array, xp.ndarray):
                owner = _owner(array)
                blocks[id(owner)] = owner.nbytes
        given |= {id(_owner(s)) for s in step.sources if not isinstance(s, Step)}
    return sum(size for block, size in blocks.items() if block not in given)


def _owner(array: Array) -> Array:
    """Return the array whose memory another one is a view of."""
    while isinstance(array.base, xp.ndarray):
        array = array.base
    return array


def batch_shape(shape: Sequence[int]) -> str:
    """Write the shape of a batch of rows: ``(N, 28, 28)``."""
    return "(" + ", ".join(["N", *map(str, shape)]) + ")"

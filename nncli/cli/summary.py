"""Summary: a network as a table of layers, with sizes, work and memory."""

from __future__ import annotations

from typing import Any

from nncli.autograd.replay import Replay
from nncli.autograd.tape import no_grad, record
from nncli.autograd.tensor import Tensor
from nncli.backend import xp
from nncli.build import Experiment
from nncli.cli.console import out, say, table
from nncli.data.batches import Batch
from nncli.network import Network
from nncli.training.step import TrainingStep


def summary_json(experiment: Experiment) -> dict[str, Any]:
    """Return layers, shapes, parameters, operations and memory.

    A layer's parameters and operations are its own; those of layers inside it stand in
    their own entries, right below it and one deeper.
    """
    network = experiment.network
    flops = _flops_by_label(experiment)
    layers = []
    for path, layer in network.nested.items():
        layers.append(
            {
                "layer": layer.label,
                "depth": _depth(path, network),
                "output_shape": list(layer.output_shape),
                "parameters": sum(t.size for t in layer.parameters.values()),
                "flops": flops.get(layer.label, 0),
            }
        )
    return {
        "name": experiment.config.name,
        "input_shape": list(network.shapes[0]),
        "layers": layers,
        "fused": experiment.fused or None,
        "loss": experiment.loss.type_name,
        "parameters": network.flat.values.size,
        "flops": sum(layer["flops"] for layer in layers),
        "batch_size": experiment.batch_size,
        "steps_per_epoch": experiment.steps_per_epoch,
        "rows": {name: len(part) for name, part in experiment.parts.items()},
        "memory_bytes": _memory(experiment),
    }


def show_summary(facts: dict[str, Any]) -> None:
    """Print a summary as a table."""
    rows = table("layer", ">output", ">parameters", ">flops")
    rows.add_row("input", _shape(facts["input_shape"]), "", "")
    around: list[str] = []
    for layer in facts["layers"]:
        del around[layer["depth"] :]
        place, _, title = layer["layer"].partition(" ")
        short = place.removeprefix(around[-1]).lstrip(".") if around else place
        around.append(place)
        rows.add_row(
            f"{'  ' * layer['depth']}{short} {title}",
            _shape(layer["output_shape"]),
            f"{layer['parameters']:,}",
            f"{layer['flops']:,}",
        )
    if facts["fused"]:
        rows.add_row(f"{facts['fused']} (fused into the loss)", "", "", "")
    out().print(rows)
    say("")
    parts = ", ".join(f"{name} {count:,}" for name, count in facts["rows"].items())
    memory = facts["memory_bytes"]
    say(f"loss          {facts['loss']}")
    say(f"parameters    {facts['parameters']:,}")
    say(f"flops         {facts['flops']:,} a row, forward")
    say(f"rows          {parts}")
    say(
        f"steps         {facts['steps_per_epoch']:,} an epoch, batches of "
        f"{facts['batch_size']:,}"
    )
    say(
        f"memory        {_bytes(sum(memory.values()))} in training: parameters "
        f"{_bytes(memory['parameters'])}, gradients {_bytes(memory['gradients'])},"
    )
    say(
        f"              optimizer {_bytes(memory['optimizer'])}, a step's values and "
        f"workspaces {_bytes(memory['activations'])}"
    )


def _depth(path: str, network: Network) -> int:
    """Count the layers around a layer."""
    return sum(path.startswith(f"{other}.") for other in network.nested)


def _flops_by_label(experiment: Experiment) -> dict[str, int]:
    """Count one row's forward operations of each layer, as the ops themselves do."""
    network = experiment.network
    network.set_training(False)
    x = Tensor(xp.zeros((1, *network.shapes[0]), network.dtype))
    with no_grad(), record() as steps:
        network(x)
    totals: dict[str, int] = {}
    for step in steps:
        arrays = [tensor.data for tensor in (*step.inputs, step.output)]
        totals[step.label] = totals.get(step.label, 0) + step.function.flops(*arrays)
    return totals


def _memory(experiment: Experiment) -> dict[str, int]:
    """Return the bytes of what a training holds, measured on a recorded step."""
    network, optimizer = experiment.network, experiment.optimizer
    rows = experiment.batch_size
    part = experiment.parts["train"]
    batch = Batch(Tensor(part.x[:rows]), Tensor(part.targets[:rows]), rows)
    saved = {name: array.copy() for name, array in network.state.items()}
    generator = experiment.streams.dropout.bit_generator
    state = generator.state
    step = TrainingStep(network, experiment.loss, optimizer)
    replay, _ = step.record(batch)
    generator.state = state
    for name, array in saved.items():
        xp.copyto(network.state[name], array)
    return {
        "parameters": network.flat.values.nbytes,
        "gradients": network.flat.grads.nbytes,
        "optimizer": sum(array.nbytes for array in optimizer.state.values()),
        "activations": _step_bytes(replay),
    }


def _step_bytes(replay: Replay) -> int:
    """Add up the buffers of a recorded step, each memory block once."""
    blocks: dict[int, int] = {}
    for step in replay.steps:
        owned = [step.output.data, *vars(step.function).values()]
        for array in owned:
            if isinstance(array, xp.ndarray):
                base = array
                while isinstance(base.base, xp.ndarray):
                    base = base.base
                blocks[id(base)] = base.nbytes
        for tensor in step.inputs:
            if tensor.step is None:
                blocks.pop(_root(tensor), None)
    return sum(blocks.values()) + replay.gradient_bytes


def _root(tensor: Tensor) -> int:
    base = tensor.data
    while isinstance(base.base, xp.ndarray):
        base = base.base
    return id(base)


def _shape(shape: list[int]) -> str:
    return "(" + ", ".join(["N", *map(str, shape)]) + ")"


def _bytes(size: int) -> str:
    amount = float(size)
    for unit in ("B", "KiB", "MiB"):
        # As it is printed: 1,000 has a fourth digit.
        if amount < 999.5:
            return f"{amount:.3g} {unit}"
        amount /= 1024
    return f"{amount:.3g} GiB"

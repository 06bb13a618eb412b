"""Explain: one sample there and back through a network, and one step, in numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from nncli.autograd.tape import no_grad
from nncli.autograd.tensor import Tensor
from nncli.checking.explanation import (
    Explanation,
    LayerExplained,
    LossExplained,
    UpdateExplained,
)
from nncli.checking.passes import Passes
from nncli.checking.quantity import Formula, Quantity, norm
from nncli.checking.remarks import remarks
from nncli.checking.twin import float64_batch, float64_twin
from nncli.core.arrays import Array
from nncli.core.errors import UsageError
from nncli.core.text import count
from nncli.data.batches import Batch
from nncli.experiment.experiment import Experiment
from nncli.experiment.part import Part
from nncli.layers.base import Layer
from nncli.layers.chain import Call
from nncli.losses.base import lengths_of
from nncli.network.trial import trial
from nncli.training.state import Progress
from nncli.training.step import TrainingStep

CLASSES = 8
"""So many names of targets' classes are told."""


def explain(
    experiment: Experiment,
    progress: Progress,
    split: str = "train",
    sample: int = 0,
    tell: Callable[[str], object] = str,
) -> Explanation:
    """Explain one sample's forward pass, loss, backward pass and update.

    They are those of a training step whose batch is the sample alone, computed in
    float64 on a copy of the network: layers act as in training. Some derivatives of
    each array are compared with central differences of the loss.

    Args:
        experiment: With its rows; it stays as it is.
        progress: How far its training is.
        split: Which part the sample is of.
        sample: Its place there.
        tell: Called with the label of each layer that is done.

    Raises:
        UsageError: There is no such part, or no such sample.
        DivergedError: The loss or a gradient is not finite.
    """
    part = _part(experiment, split)
    samples = _samples(experiment, part, split, sample)
    twin = float64_twin(experiment)
    if not progress.batch:
        twin.network.begin_epoch()
    batch = float64_batch(part.batch(np.array(samples)))
    memory = {name: array.copy() for name, array in twin.network.state.items()}
    with trial(twin.network, training=True):
        taken = _take_step(twin, batch, progress, experiment.steps_per_epoch)
    with trial(twin.network, training=True):
        passes = Passes(twin, batch)
        norms = norm(twin.network.flat.grads)
        layers = tuple(_layers(twin, passes, memory, taken, tell))
        loss = _loss(twin, passes, batch)
    with trial(twin.network, training=True), no_grad():
        twin.network.flat.values[...] = taken.values
        after = passes.forward().total.item()
    places = samples if part.index is None else part.index[samples]
    return Explanation(
        name=experiment.config.name,
        split=split,
        steps=progress.step,
        samples=tuple(samples),
        rows=tuple(map(int, places)),
        remarks=tuple(remarks(experiment, samples)),
        layers=layers,
        loss=loss,
        update=UpdateExplained(
            call=repr(twin.optimizer),
            formula=Formula.of(type(twin.optimizer)),
            schedule=repr(twin.schedule),
            number=progress.step + 1,
            lr=taken.lr,
            ended=taken.ended,
            numbers=twin.optimizer.numbers(),
            norm=norms,
            clipped=norms if twin.optimizer.full_batch else taken.norm,
            before=loss.value + loss.penalty,
            after=after,
        ),
        worst=passes.worst,
        unsteady=passes.unsteady,
    )


def _part(experiment: Experiment, split: str) -> Part:
    if split not in experiment.parts:
        raise UsageError(
            f"explain: the data has no {split} part. Expected one of: "
            f"{', '.join(experiment.parts)}."
        )
    return experiment.parts[split]


def _samples(experiment: Experiment, part: Part, split: str, sample: int) -> list[int]:
    """Return the sample's place, and those of neighbours that its batch must have."""
    rows, least = len(part), experiment.network.min_rows
    if not 0 <= sample < rows:
        raise UsageError(
            f"explain: expected a sample from 0 to {rows - 1:,} of the {split} part, "
            f"which has {count(rows, 'row')}, got {sample}."
        )
    if least > rows:
        raise UsageError(
            f"explain: expected {count(least, 'row')} for a batch of this network, got "
            f"{count(rows, 'row')} in the {split} part. Use another --split."
        )
    others = [*range(sample + 1, rows), *range(sample - 1, -1, -1)]
    return [sample, *others[: least - 1]]


@dataclass(frozen=True)
class _Taken:
    """A step that was taken.

    Attributes:
        values: (P,) all parameters behind it.
        parameters: The same by name.
        memory: What layers remember then.
        remembered: What the optimizer does, of each parameter, by name.
        lr: The learning rate.
        ended: After how many steps the training is over, if it is, else 0.
        norm: That of the gradient as the optimizer was given it.
    """

    values: Array
    parameters: dict[str, Array]
    memory: dict[str, Array]
    remembered: dict[str, dict[str, Array]]
    lr: float
    ended: int
    norm: float


def _take_step(
    experiment: Experiment, batch: Batch, progress: Progress, steps_per_epoch: int
) -> _Taken:
    """Make the step as training makes it, and copy what it left."""
    network, optimizer = experiment.network, experiment.optimizer
    training = experiment.config.training
    total = training.steps or (training.epochs or 0) * steps_per_epoch
    epoch = progress.epoch + progress.batch / steps_per_epoch
    # Where a training is over, its last step is taken once more.
    number = max(0, min(progress.step, progress.offset + total - 1))
    lr = experiment.schedule.rate(optimizer.lr, number, epoch, total)
    step = TrainingStep(
        network, experiment.loss, optimizer, training.clip_norm, training.clip_value
    )
    step.run(batch, lr, progress.step + 1)
    flat = network.flat
    remembered: dict[str, dict[str, Array]] = {name: {} for name in flat.tensors}
    for kind, array in optimizer.remembered().items():
        for name, part in flat.views(array).items():
            remembered[name][kind] = part.copy()
    return _Taken(
        flat.values.copy(),
        {name: tensor.data.copy() for name, tensor in flat.tensors.items()},
        {name: array.copy() for name, array in network.state.items()},
        remembered,
        lr,
        number + 1 if progress.step > number else 0,
        norm(flat.grads),
    )


def _layers(
    experiment: Experiment,
    passes: Passes,
    memory: Mapping[str, Array],
    taken: _Taken,
    tell: Callable[[str], object],
) -> Iterator[LayerExplained]:
    """Yield every call in the order in which the config names the layers."""
    network = experiment.network
    paths = {id(layer): path for path, layer in network.nested.items()}
    order = {key: place for place, key in enumerate(paths)}
    told: set[int] = set()
    for call in sorted(passes.values.calls, key=lambda call: order[id(call.layer)]):
        # What is called twice has its parameters once.
        first = id(call.layer) not in told
        own = call.layer.parameters if first else {}
        told.add(id(call.layer))
        tell(call.layer.label)
        path = paths[id(call.layer)]
        yield LayerExplained(
            label=call.layer.label,
            depth=sum(path.startswith(f"{other}.") for other in network.nested),
            call=_call(call),
            formula=Formula.of(type(call.layer)),
            letters=_letters(call.layer, own),
            ops=passes.ops(call.layer.label),
            frozen=call.layer.frozen,
            x=passes.value("x", call.x),
            y=passes.value("y", call.y),
            parameters=tuple(
                passes.parameter(
                    name,
                    each,
                    taken.parameters.get(f"{path}.{name}"),
                    taken.remembered.get(f"{path}.{name}", {}),
                )
                for name, each in own.items()
            ),
            memory=tuple(
                Quantity(
                    name,
                    memory[f"{path}.{name}"],
                    after=taken.memory[f"{path}.{name}"],
                )
                for name in (call.layer.state if first else ())
            ),
        )


def _letters(layer: Layer, names: Iterable[str]) -> dict[str, str]:
    """Return what formulas call the parameters of a layer, by their names."""
    # Of several layers in one, names end with which it is: weight_0, weight_0_reverse.
    kinds = {name: re.sub(r"_\d+(_reverse)?$", "", name) for name in names}
    letters = layer.letters
    return {name: letters[kind] for name, kind in kinds.items() if kind in letters}


def _call(call: Call) -> str:
    """Return how the layer was made; of one around others, only its name."""
    layer = call.layer
    return type(layer).__name__ if layer.children else repr(layer)


def _loss(experiment: Experiment, passes: Passes, batch: Batch) -> LossExplained:
    values, function = passes.values, experiment.loss
    with no_grad():
        predictions = function.predictions(Tensor(values.outputs.data))
    targets, value = batch.targets.data, values.loss.item()
    # Targets of their own length, as of ctc, end where they say themselves.
    outputs = values.outputs if function.aligned else batch.targets
    lengths = lengths_of(outputs, batch.targets)
    weights = batch.weights
    return LossExplained(
        call=repr(function),
        formula=Formula.of(type(function)),
        ops=passes.ops(f"loss {function.type_name}"),
        fused=experiment.fused,
        outputs=passes.value("outputs", values.outputs),
        predictions=predictions.data,
        targets=targets.copy(),
        names=_names(experiment, targets),
        weights=() if weights is None else tuple(weights.data.tolist()),
        lengths=() if lengths is None else tuple(lengths.tolist()),
        value=value,
        penalty=values.total.item() - value,
    )


def _names(experiment: Experiment, targets: Array) -> tuple[str, ...]:
    """Return the classes that targets are, where they are few and have names."""
    classes = experiment.classes
    if classes is None or targets.dtype.kind not in "iu" or targets.size > CLASSES:
        return ()
    known = [int(index) for index in targets.ravel()]
    return tuple(classes[i] for i in known if 0 <= i < len(classes))

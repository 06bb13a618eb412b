"""Trainer: the loop."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nncli.config.schema import Recording
from nncli.core.errors import DivergedError
from nncli.experiment.experiment import Experiment
from nncli.runs.checkpoint import Checkpoint, save_checkpoint
from nncli.runs.directory import RunDirectory
from nncli.training.callbacks import Callback, Row
from nncli.training.evaluate import Evaluator, scored_parts
from nncli.training.recorder import Recorder
from nncli.training.shards.sharded import Sharded
from nncli.training.state import Progress, capture
from nncli.training.step import TrainingStep
from nncli.training.threads import shards_of, threads_of, using


class Trainer:
    """Runs the epochs of an experiment, evaluates, and keeps checkpoints.

    Args:
        experiment: What to train.
        run: Where checkpoints and rows are written; None writes nothing.
        callbacks: Who hears of it.
        progress: How far it is already; None for not at all.
        more: How many steps are still to come; None for as many as the config says.
        sharded: Workers that share the steps, where batches are cut into shards; None
            for this process alone.
        recording: Which steps are recorded, where there is no run; None for none.

    Attributes:
        interrupted: Set to True from outside: stop after the step under way.
        unit: What evaluations, and so lines of progress, are counted by.
        judged: The part whose scores decide which checkpoint is the best.
        end: The last epoch, or the last step, as ``unit`` says.
    """

    def __init__(
        self,
        experiment: Experiment,
        run: RunDirectory | None,
        callbacks: Sequence[Callback] = (),
        progress: Progress | None = None,
        more: int | None = None,
        sharded: Sharded | None = None,
        recording: Recording | None = None,
    ) -> None:
        self.experiment = experiment
        self.run = run
        self.callbacks = callbacks
        self.progress = at = Progress() if progress is None else progress
        self.interrupted = False
        config, steps = experiment.config, experiment.steps_per_epoch
        self.total_steps = at.end_of(experiment) if more is None else at.step + more
        self.epochs = at.epoch + -(-(self.total_steps - at.step + at.batch) // steps)
        self.unit = config.training.unit
        self.end = {"epoch": self.epochs, "step": self.total_steps}[self.unit]
        shards, _ = shards_of(experiment)
        if sharded is None and shards > 1:
            sharded = Sharded(experiment, shards)
        # Both kinds of step take what their kind of batches yields.
        self._sharded = sharded
        self.batches: Any
        self.step: Any
        self.evaluators: Mapping[str, Evaluator]
        if sharded is not None:
            self.batches, self.step = sharded.batches, sharded.step
            self.evaluators = sharded.evaluators
        else:
            self.batches = experiment.batches()
            self.step = TrainingStep(
                experiment.network,
                experiment.loss,
                experiment.optimizer,
                config.training.clip_norm,
                config.training.clip_value,
                experiment.average,
            )
            self.evaluators = {
                name: Evaluator(experiment, part)
                for name, part in scored_parts(experiment).items()
            }
        self.judged = "validation" if "validation" in self.evaluators else "train"
        self._best: Checkpoint | None = None
        # What the loop asks for at every step, looked up once.
        self._steps_per_epoch = steps
        self._accumulate = config.training.accumulate
        self._evaluate_steps = config.training.evaluate_steps
        self._on_step = [
            callback.on_step
            for callback in callbacks
            if type(callback).on_step is not Callback.on_step
        ]
        self._saved_at = time.monotonic()
        if run is not None:
            recording = config.training.record
        self._recorder: Recorder | None = None
        if recording is not None:
            seconds = 0.0 if run is None else run.seconds()
            self._recorder = Recorder(experiment, recording, self.total_steps, seconds)
            self._recorder.go_on(at.step)

    def fit(self) -> None:
        """Train until the last epoch, an early stop, or an interruption.

        Raises:
            DivergedError: A loss or gradient is not finite. The best checkpoint so
                far is written.
        """
        self._tell("on_start")
        try:
            with using(threads_of(self.experiment)):
                while not self.done and not self.interrupted:
                    self._epoch()
            self.save()
        except DivergedError:
            self._save_best()
            raise
        finally:
            self._tell("on_end")

    @property
    def done(self) -> bool:
        """Whether there is nothing left to do."""
        return self.progress.done(self.total_steps)

    @property
    def lr(self) -> float:
        """The learning rate of the next step."""
        at, experiment = self.progress, self.experiment
        return experiment.schedule.rate(
            experiment.optimizer.lr,
            at.step,
            at.epoch + at.batch / self._steps_per_epoch,
            self.total_steps,
        )

    def _epoch(self) -> None:
        """Run the rest of the epoch that is under way."""
        at, recorder = self.progress, self._recorder
        gathers = self._accumulate > 1
        if not at.batch:
            self.experiment.network.begin_epoch()
        epoch = self.batches.epoch(at.epoch, at.batch * self._accumulate)
        for batch in self._gathered(epoch) if gathers else epoch:
            if recorder is not None and at.step == recorder.due:
                at.loss += self._recorded(recorder, batch)
            else:
                at.loss += self.step.run(batch, self.lr, at.step + 1)
            at.losses += 1
            at.step += 1
            at.batch += 1
            for on_step in self._on_step:
                on_step(self)
            if at.batch == self._steps_per_epoch:
                at.epoch, at.batch = at.epoch + 1, 0
            elif at.step == self.total_steps or (
                self._evaluate_steps and at.step % self._evaluate_steps == 0
            ):
                self._evaluate()
                self._save_when_due(evaluated=True)
                if self.done:
                    return
            else:
                self._save_when_due()
            if at.batch and self.interrupted:
                return
        if self._due():
            self._evaluate()
            self._save_when_due(evaluated=True)
        else:
            self._save_when_due()

    def _recorded(self, recorder: Recorder, batch: Any) -> float:
        """Make a step that is recorded; return its loss."""
        loss, row = recorder.run(self.step, batch, self.lr, self.progress)
        if self.run is not None:
            self.run.append_record(row)
        self._tell("on_record", row)
        return loss

    def _due(self) -> bool:
        """Whether there is an evaluation after the epoch that is over."""
        at = self.progress
        if at.step == self.total_steps:
            return True
        if self._evaluate_steps:
            return at.step % self._evaluate_steps == 0
        return at.epoch % self.experiment.config.training.evaluate_every == 0

    def _gathered(self, batches: Iterator[Any]) -> Iterator[Any]:
        """Yield each step's last batch; gather the gradients of those before it.

        A step has ``accumulate`` batches, the last one of an epoch what is left. There
        are no checkpoints inside a step, so that none holds half of one.
        """
        at, every, total = self.progress, self._accumulate, len(self.batches)
        for count, batch in enumerate(batches, start=at.batch * every + 1):
            if count % every and count < total:
                self.step.gather(batch, at.step + 1)
            else:
                yield batch

    def _evaluate(self) -> None:
        at = self.progress
        self._collect()
        row: Row = {"epoch": at.epoch, "step": at.step, "lr": self.lr}
        row["step_loss"] = at.loss / max(at.losses, 1)
        at.loss, at.losses = 0.0, 0
        for name, evaluator in self.evaluators.items():
            try:
                row[name] = evaluator.run()
            except DivergedError as error:
                raise DivergedError(
                    f"step {at.step}: training diverged: on the {name} part, {error} "
                    f"Try a smaller optimizer.lr (now "
                    f"{self.experiment.optimizer.lr:g}) or training.clip_norm=1."
                ) from None
        at.rows += 1
        self._judge(row)
        if self.run is not None:
            self.run.append_row(row)
        self._tell("on_row", row)

    def _judge(self, row: Row) -> None:
        """See whether the row is the best one so far, or the last one needed."""
        at, training = self.progress, self.experiment.config.training
        value = row[self.judged][training.monitor]
        sign = -1.0 if self.higher_is_better else 1.0
        # A score that is undefined (None) is no better than any other.
        known = value is not None
        if known:
            self.experiment.schedule.observe(value, self.higher_is_better)
        if known and (at.best is None or sign * value < sign * at.best):
            at.best, at.best_epoch, at.best_step = value, at.epoch, at.step
            if self.run is not None:
                self._best = capture(self.experiment, at)
        stopping = training.early_stopping
        if stopping is None:
            return
        if known and (
            at.reference is None or sign * (at.reference - value) > stopping.min_delta
        ):
            at.reference, at.stalled_from = value, at.epoch
        at.stopped = at.epoch - at.stalled_from >= stopping.patience

    @property
    def best_at(self) -> str:
        """When the best value was measured: ``epoch 3``, or ``step 1,500``."""
        best = {"epoch": self.progress.best_epoch, "step": self.progress.best_step}
        return f"{self.unit} {best[self.unit]:,}"

    @property
    def higher_is_better(self) -> bool:
        """Whether larger monitored values are better."""
        return any(
            metric.higher_is_better
            for metric in self.experiment.metrics
            if metric.key == self.experiment.config.training.monitor
        )

    def _save_when_due(self, *, evaluated: bool = False) -> None:
        if self.run is None or self.done:
            return
        # A pause of 0 means every evaluation, not every step.
        pause = self.experiment.config.training.checkpoint_seconds
        due = time.monotonic() - self._saved_at >= pause if pause else evaluated
        if due:
            self.save()

    def save(self) -> None:
        """Write the checkpoints; the rows they count are on disk before them."""
        if self.run is None:
            return
        self.run.sync_rows()
        self._collect()
        # Best before last: what a resumed run finds again is never lost.
        self._save_best()
        save_checkpoint(self.run.last, capture(self.experiment, self.progress))
        self._saved_at = time.monotonic()

    def _collect(self) -> None:
        """Have here what a checkpoint holds, where batches are cut into shards."""
        if self._sharded is not None:
            self._sharded.collect()

    def _save_best(self) -> None:
        if self.run is not None and self._best is not None:
            save_checkpoint(self.run.best, self._best)
            self._best = None

    def _tell(self, event: str, *details: Any) -> None:
        for callback in self.callbacks:
            getattr(callback, event)(self, *details)

"""The training loop: updates, validation, the best checkpoint, and a state to resume from."""

import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch

from s2s.errors import InputError
from s2s.model.product import multiplies_bfloat16, narrow_products
from s2s.model.seq2seq import Seq2Seq
from s2s.run import Run
from s2s.search.hypothesis import Search
from s2s.text.batching import ParallelIds
from s2s.training.acceleration import make_accelerator
from s2s.training.average import MovingAverage
from s2s.training.compatibility import check_compatible
from s2s.training.data import TrainingData
from s2s.training.guard import Guard
from s2s.training.interruption import Interruption
from s2s.training.mishaps import MOST_SKIPPED, diagnosis, halved, is_finite, is_out_of_memory
from s2s.training.objective import Objective
from s2s.training.portion import Plan, planned
from s2s.training.processes import ALONE, Processes
from s2s.training.progress import ProgressDisplay
from s2s.training.resume import Tally, TrainingState, load_training_state, save_training_state
from s2s.training.running_text import carried_by_all, carried_by_one
from s2s.training.schedule import Schedule, stale
from s2s.training.scheduled_sampling import ScheduledSampling
from s2s.training.settings import TrainingSettings
from s2s.training.tracking import nobody, recorder
from s2s.training.validation import as_record, criterion_score, validate
from s2s.translator import LONGEST, Translator

__all__ = ["Trainer"]

UPDATES_PER_RECORD = 50


class Trainer:
    """Train a run's model on its data.

    Args:
        run: where weights, metrics and state are kept.
        data: what to train and validate on.
        model: weights to begin with.
        objective: what an update lowers.
        optimizer: makes the optimizer, given the weights.
        schedule: factor on the learning rate.
        scheduled_sampling: how likely the decoder reads the true token in training.
        search: what validation decodes with, the search that translation will use.
        settings: limits, batches, regularisation.
        seed: of the batches; dropout and sampled tokens follow torch's own generator.
        device: where to compute.
        say: takes each line that the person should read.
        processes: which train together.

    Raises:
        InputError: an optimizer that cannot be made, or options that make no sense together or on this device.
    """

    def __init__(
        self,
        *,
        run: Run,
        data: TrainingData,
        model: Seq2Seq,
        objective: Objective,
        optimizer: Callable[..., torch.optim.Optimizer],
        schedule: Schedule,
        scheduled_sampling: ScheduledSampling,
        search: Search,
        settings: TrainingSettings,
        seed: int,
        device: torch.device,
        say: Callable[[str], None],
        processes: Processes = ALONE,
    ) -> None:
        self.accelerator = make_accelerator(device, settings, run.folder)
        on_cpu, wanted = device.type == "cpu", settings.precision
        self.narrow = on_cpu and (wanted == "bfloat16" or (wanted == "auto" and multiplies_bfloat16()))
        halves = {"bfloat16": torch.bfloat16, "float16": torch.float16, "auto": torch.bfloat16 if self.narrow else None}
        self.products = halves.get(wanted) or torch.float32
        self.run, self.data, self.objective = run, data, objective
        self.schedule, self.scheduled_sampling = schedule, scheduled_sampling
        self.settings, self.seed, self.say = settings, seed, say
        self.processes = processes
        check_compatible(settings, model, data, objective, schedule, scheduled_sampling)
        if settings.compile:
            if on_cpu:
                raise InputError(
                    "training.compile=true is for a GPU, got device=cpu; leave it out, or give another device="
                )
            model.decoder.compile_step()
        try:
            self.optimizer = self.accelerator.prepare(optimizer(model.parameters()))
        except (TypeError, ValueError) as error:
            raise InputError(f"the optimizer cannot be made: {error}; see conf/optimizer for its options") from error
        self._base_rates = [group["lr"] for group in self.optimizer.param_groups]
        # Gradients are summed here, once an update, which leaves nothing to do for a wrapper.
        self.model = self.accelerator.prepare_model(model, evaluation_mode=True)
        processes.seed(seed)
        self.average = MovingAverage(model, settings.moving_average) if settings.moving_average else None
        self.guard = Guard(self.optimizer, self.average, self.accelerator.scaler, self.accelerator.device)
        self._new_translator = partial(
            Translator,
            model,
            source=data.source,
            target=data.target,
            search=search,
            device=self.accelerator.device,
            longest=min(LONGEST, settings.longest),
        )
        self.translator = self._new_translator()
        self.state = TrainingState()
        self._started = self._saved = 0.0
        self.interruption = Interruption()  # of this process
        self._interrupted = False  # whether any process was

    def resume(self) -> None:
        """Go back to where the run was saved."""
        with self.processes.first_before_others():
            self.state = load_training_state(self.run.training_state, *self._changing(), say=self.say)
            if self.processes.is_first:
                self.run.forget_after(self.state.updates, self.state.validated)
        self.processes.seed(self.seed + self.state.updates)

    def begin(self) -> None:
        """Begin with weights that were trained before, and validate them, so that what is kept is no worse."""
        self.state.validated = -1

    def train(self) -> bool:
        """Train to a limit; return False where Ctrl-C ended it first. The state is saved either way."""
        self._saved = self.state.seconds
        self._started = time.perf_counter() - self.state.seconds
        display = ProgressDisplay(since=self.state.seconds, silent=not self.processes.is_first)
        recording = recorder(self.run, self.accelerator) if self.processes.is_first else nobody()
        with display, self.interruption, recording as record:
            plan, device = self._plan(), self.accelerator.device
            self.state.carried = carried_by_one(self.state.carried, plan.streams, self.processes, device)
            self._validate_if_due(display, record)  # an interruption may have left one out
            while not self._ended():
                for update in range(self.state.position, len(plan.groups)):
                    self._set_learning_rate()
                    nll, tokens = self._update(plan, update)
                    self._count(nll, tokens, record)
                    display.update(self.state, share=self._share(), nll=nll, tokens=tokens)
                    self._validate_if_due(display, record)
                    self._save_if_due()
                    if self._ended():
                        break
                else:
                    plan = self._plan()
            if self._interrupted:
                self._save()
        return not self._interrupted

    def _plan(self) -> Plan:
        """The updates of the portion under way, or of the next where none of its updates is left."""
        state = self.state
        portion = self.data.portion(state.epoch, state.portion, state.readers)
        plan = planned(portion, self.settings, seed=self.seed, epoch=state.epoch, processes=self.processes)
        state.enter(portion, len(plan.groups))
        if state.position >= len(plan.groups):  # none of it can be used, or an older state does not tell its length
            state.leave()
            if state.epoch and not state.updates:
                raise InputError(
                    f"no training pair is left of a whole epoch; raise training.longest={self.settings.longest} or "
                    "look at the data"
                )
            return self._plan()
        if state.updates == 0:
            self._describe(plan)
        return plan

    def _ended(self) -> bool:
        """Whether a limit is reached, patience is at its end or Ctrl-C was pressed."""
        patience = self.settings.patience
        tired = patience is not None and stale(self.state.scores) >= patience
        return self._interrupted or self._share() >= 1 or tired

    def _count(self, nll: torch.Tensor, tokens: torch.Tensor, record: Callable[[dict[str, Any]], None]) -> None:
        """Count one update and record the numbers now and then."""
        state = self.state
        state.advance()
        self._agree_on_the_time()
        state.tally.add(nll, tokens)
        if state.updates % UPDATES_PER_RECORD == 0:
            self._read_skipped()
            line: dict[str, Any] = {"split": "train", "updates": state.updates, "epoch": state.epoch}
            line.update(seconds=round(state.seconds, 1), **state.tally.measured(state.seconds))
            line["learning_rate"] = self.optimizer.param_groups[0]["lr"]
            truth = float(self.scheduled_sampling.truth(state.updates - 1))  # of the update just made
            record(
                line | ({"truth": truth} if truth < 1 else {}) | ({"skipped": state.skipped} if state.skipped else {})
            )
            state.tally = Tally(since=state.seconds)
        if state.skipped_in_a_row >= MOST_SKIPPED:
            raise self._diagnosis()

    def _agree_on_the_time(self) -> None:
        """Take the seconds of the first process for all, and Ctrl-C of any."""
        seconds, interrupted = time.perf_counter() - self._started, float(self.interruption.asked)
        if self.processes.count > 1:
            mine = [seconds if self.processes.is_first else 0.0, interrupted]
            told = torch.tensor(mine, dtype=torch.float64, device=self.accelerator.device)
            self.processes.sum_(told)
            seconds, interrupted = told.tolist()
        self.state.seconds, self._interrupted = seconds, interrupted > 0

    def _diagnosis(self) -> InputError:
        """Why training cannot go on."""
        return diagnosis(
            self.translator.model,
            skipped=self.state.skipped_in_a_row,
            updates=self.state.updates,
            learning_rate=self.optimizer.param_groups[0]["lr"],
            clip_norm=self.settings.clip_norm,
        )

    def _share(self, *, foreseen: bool = False) -> float:
        """Share of training done, by the limit that is nearest; where foreseen of those alone whose end is known."""
        settings, state = self.settings, self.state
        done = [(state.updates, settings.steps), (state.seconds / 60, settings.minutes)]
        if state.portions or not foreseen:
            done.append((state.epochs, settings.epochs))
        return max((value / limit for value, limit in done if limit is not None), default=0.0)

    def _validate_if_due(self, display: ProgressDisplay, record: Callable[[dict[str, Any]], None]) -> None:
        """Validate and save at the end and at the times between, once each, unless Ctrl-C was pressed."""
        every, state = self.settings.validate_every, self.state
        due = self._share() >= 1 or (state.is_between_epochs if every is None else state.updates % every == 0)
        if not due or state.validated == state.updates or self._interrupted:
            return
        with self.average.in_place() if self.average else nullcontext():
            record(self._validate(display))
        state.validated = state.updates
        self._agree_on_the_time()
        self._save()

    def _set_learning_rate(self) -> None:
        progress, scores = self._share(foreseen=True), self.state.scores
        factor = self.schedule.factor(updates=self.state.updates, progress=progress, scores=scores)
        for group, rate in zip(self.optimizer.param_groups, self._base_rates, strict=True):
            group["lr"] = rate * factor

    def _save_if_due(self) -> None:
        """Save where the last state is older than it may get."""
        minutes = self.settings.save_minutes
        if minutes is not None and self.state.seconds - self._saved > 60 * minutes:
            self._save()

    def _save(self) -> None:
        self._read_skipped()
        state = replace(self.state, carried=carried_by_all(self.state.carried, self.processes))
        if self.processes.is_first:
            save_training_state(self.run.training_state, state, *self._changing())
        self._saved = state.seconds

    def _changing(self) -> tuple[Any, ...]:
        """What an update changes, beside the state."""
        return self.translator.model, self.optimizer, self.average, self.accelerator.scaler

    def _update(self, plan: Plan, update: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Make one update of a plan, or skip it where its numbers are not finite; a GPU is not waited for.

        Returns:
            the negative log-likelihood in sum and the number of target tokens; of a skipped update both are 0.
        """
        self.model.train()
        tokens = plan.tokens[update]
        nll = self._gradients(plan.ids, plan.groups[update], tokens)
        norm = self.accelerator.clip_grad_norm_(self.model.parameters(), self.settings.clip_norm or math.inf)
        finite = is_finite(nll, norm)
        self.guard.step(self.state.updates + 1, finite)
        self.optimizer.zero_grad()
        if self.state.carried:
            self.state.carried = self.state.carried.where(finite)
        if self.guard.is_due:
            self._read_skipped()
        return nll.masked_fill(~finite, 0), finite * tokens

    def _read_skipped(self) -> None:
        """Count the updates that were skipped, and say which."""
        for number, made in self.guard.read():
            self.state.skipped_in_a_row = 0 if made else self.state.skipped_in_a_row + 1
            if not made:
                self.state.skipped += 1
                self.say(f"update {number:,}: loss or gradients are not finite; it is skipped")

    def _gradients(self, ids: ParallelIds, group: list[np.ndarray], tokens: int) -> torch.Tensor:
        """Take the gradients of an update, in smaller batches where memory does not hold these.

        Returns:
            the negative log-likelihood in sum, which like the gradients is that of all processes.
        """
        truth = self.scheduled_sampling.truth(self.state.updates)
        group = [rows for rows in group if len(rows)]
        while True:
            nll, carried = torch.zeros((), device=self.accelerator.device), self.state.carried
            try:
                for rows in group:
                    batch = ids.batch(rows.tolist()).to(self.accelerator.device)
                    with self.accelerator.autocast(), narrow_products(self.narrow):
                        loss, batch_nll, carried = self.objective(self.model, batch, truth=truth, carried=carried)
                    self.accelerator.backward(loss / tokens)
                    nll += batch_nll
                self.state.carried = carried
                break
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                if self.settings.truncated_length:  # each stream has a state that it alone goes on from
                    raise InputError(
                        "memory does not hold the streams of an update; lower training.batch_tokens="
                    ) from error
                group, line = halved(ids, group)
            self.say(line)
            self.optimizer.zero_grad()
        if self.processes.count > 1:
            weights = [weight for weight in self.model.parameters() if weight.requires_grad]
            for weight in weights:
                weight.grad = torch.zeros_like(weight) if weight.grad is None else weight.grad
            self.processes.sum_(nll, *(weight.grad for weight in weights if weight.grad is not None))
        return nll

    def _validate(self, display: ProgressDisplay) -> dict[str, Any]:
        """Score the validation pairs, keep the weights where they are the best so far, and say so."""
        data, settings, state = self.data, self.settings, self.state
        # Translators lay weights out for their products, and a fused optimizer changes weights unnoticed.
        self.translator = self._new_translator()
        display.note("validation")
        try:
            scores = validate(
                self.translator,
                data.valid_sources,
                data.valid_targets,
                language=data.language,
                batch_tokens=settings.batch_tokens,
                criterion=settings.criterion,
                running=bool(settings.truncated_length),
                processes=self.processes,
            )
        except FloatingPointError:
            raise self._diagnosis() from None
        first = self.processes.is_first
        if settings.keep_attention and first:
            self._keep_attention(settings.keep_attention - 1)
        record = as_record(scores)
        state.scores.append(criterion_score(record, settings.criterion))
        if (best := stale(state.scores) == 0) and first:
            self.run.save_weights(self.translator.model)
        if settings.keep_checkpoints and first:
            self.run.keep_checkpoint(self.translator.model, state.updates, most=settings.keep_checkpoints)
        minutes, seconds = divmod(round(state.seconds), 60)
        text = ", ".join(f"{score.name} {score.value:.2f}" for score in scores.values())
        self.say(f"epoch {state.epochs:.3g}, {minutes}:{seconds:02d}: validation {text}{' (best)' if best else ''}")
        place = {"split": "valid", "updates": state.updates, "epoch": state.epoch}
        return {**place, **record, "best": best, "seconds": round(state.seconds, 1)}

    def _keep_attention(self, row: int) -> None:
        """Keep what one validation pair is aligned by now, under forced decoding."""
        (forced,) = self.translator.score([self.data.valid_sources[row]], [self.data.valid_targets[row]])
        self.run.log({"updates": self.state.updates, **forced.as_dict()}, self.run.attention)

    def _describe(self, plan: Plan) -> None:
        """Say how large everything is before the first update."""
        weights = sum(parameter.numel() for parameter in self.translator.model.parameters())
        of_source = f"{len(self.data.source):,} source and " if self.translator.model.reads_source else ""
        of = plan.portion.of
        begins = "an epoch" if of == 1 else "the first buffer" if of is None else f"the first of {of} parts of an epoch"
        self.say(
            f"{weights:,} weights, {of_source}{len(self.data.target):,} target pieces; "
            f"{begins}: {sum(map(len, plan.groups)):,} batches, {sum(plan.tokens):,} target tokens, "
            f"{plan.padding:.1%} padding" + ("; products in bfloat16" if self.narrow else "")
        )

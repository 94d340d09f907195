"""How fast a model trains and translates: stretches of either are timed and become figures."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from s2s.model.cost import multiply_adds
from s2s.report.speed import SQUARES, Figures, peak_memory, product_rate, seconds_since_start, timed, wait_for
from s2s.search.beam import BeamSearch
from s2s.text.batching import ParallelIds
from s2s.training.trainer import Trainer
from s2s.translator import Translator

__all__ = ["Stretch", "mean_lengths", "time_training", "time_translating", "training_figures"]

WARM_UP_SENTENCES = 8


@dataclass(frozen=True)
class Stretch:
    """Updates that were timed together.

    Args:
        seconds: that they took.
        updates: their number.
        lengths: tokens of the sources and of the targets of every batch, end marks included, padding not.
    """

    seconds: float
    updates: int
    lengths: Sequence[tuple[np.ndarray, np.ndarray]]

    @property
    def target_tokens(self) -> int:
        """Target pieces and end marks."""
        return sum(int(targets.sum()) for _, targets in self.lengths)


def time_training(trainer: Trainer, *, warm_up: int, updates: int, repeats: int, say: Callable[[str], None]) -> Figures:
    """Train without validation and time stretches of updates.

    Args:
        trainer: at its start; its weights change.
        warm_up: updates before the first stretch.
        updates: of a stretch.
        repeats: stretches.
        say: takes progress.
    """
    made, device = _updates(trainer), trainer.accelerator.device
    next(made)
    wait_for(device)
    first = seconds_since_start()
    list(islice(made, warm_up - 1))
    rates = [product_rate(device, trainer.products)]

    def stretch() -> list[tuple[ParallelIds, np.ndarray]]:
        batches = [batch for group in islice(made, updates) for batch in group]
        wait_for(device)
        return batches

    seconds, drawn = timed(stretch, repeats=repeats, name=f"{updates} updates", say=say)
    memory = peak_memory(device)  # before the product, and before the cost is counted, on a copy of the model
    rates.append(product_rate(device, trainer.products))
    stretches = [
        Stretch(taken, updates, [(ids.source.lengths_of(rows), ids.target.lengths_of(rows)) for ids, rows in batches])
        for taken, batches in zip(seconds, drawn, strict=True)
    ]
    source, target = (round(length) for length in mean_lengths(stretches))
    cost = multiply_adds(trainer.translator.model, source_tokens=source, target_tokens=target)
    figures = training_figures(stretches, cost=cost, product_rates=rates, square=SQUARES[device.type])
    return {**figures, **memory, "seconds to the first update": first}


def mean_lengths(stretches: Sequence[Stretch]) -> tuple[float, float]:
    """Tokens per source and per target."""
    sources, targets = zip(*(pair for stretch in stretches for pair in stretch.lengths), strict=True)
    return float(np.concatenate(sources).mean()), float(np.concatenate(targets).mean())


def training_figures(
    stretches: Sequence[Stretch], *, cost: int, product_rates: Sequence[float], square: int = SQUARES["cpu"]
) -> Figures:
    """Turn what was timed into figures, one value for each stretch.

    Args:
        stretches: at least one.
        cost: multiply-adds per target token in a forward pass. The backward pass makes two products for each of the
            forward's, and a multiply-add is two operations: an update makes six times as many.
        product_rates: of a single large product on the same device, GFLOP/s.
        square: rows and columns of its matrices.
    """
    tokens = [stretch.target_tokens / stretch.seconds for stretch in stretches]
    work = [6 * cost * rate / 1e9 for rate in tokens]
    attainable = sum(product_rates) / len(product_rates)
    sides = [side for stretch in stretches for pair in stretch.lengths for side in pair]
    real, padded = sum(side.sum() for side in sides), sum(side.max() * len(side) for side in sides)
    return {
        "target tokens/s": tokens,
        "updates/s": [stretch.updates / stretch.seconds for stretch in stretches],
        "matrix products of the model in GFLOP/s": work,
        f"product of {square:,}-square matrices in GFLOP/s": product_rates,
        "share of it in %": [100 * rate / attainable for rate in work],
        "padding in %": [100 * float(1 - real / padded)],
    }


def _updates(trainer: Trainer) -> Iterator[list[tuple[ParallelIds, np.ndarray]]]:
    """Make updates without end; yield the batches of each, as the ids of its epoch and the rows."""
    while True:
        plan = trainer._plan()
        for update, group in enumerate(plan.groups):
            trainer._set_learning_rate()
            trainer._update(plan, update)
            trainer.state.advance()
            yield [(plan.ids, rows) for rows in group]


def time_translating(
    translator: Translator, sentences: Sequence[str], *, batch_size: int, repeats: int, say: Callable[[str], None]
) -> Figures:
    """Time translations of sentences, from text to text, after some that are not timed.

    Args:
        translator: one with beam search, whose size the names of the figures tell.
        sentences: at least one.
        batch_size: sentences that are worked on together.
        repeats: how often all sentences are translated.
        say: takes progress.
    """
    assert isinstance(translator.search, BeamSearch)
    name = f"beam {translator.search.beam_size}, batch {batch_size}"

    def output_tokens() -> int:
        return sum(len(translation.target_tokens) for translation in translator(sentences, batch_size=batch_size))

    translator(sentences[:WARM_UP_SENTENCES], batch_size=batch_size)
    seconds, tokens = timed(output_tokens, repeats=repeats, name=f"{name}, {len(sentences):,} sentences", say=say)
    return {
        f"{name}: output tokens/s": [count / taken for count, taken in zip(tokens, seconds, strict=True)],
        f"{name}: sentences/s": [len(sentences) / taken for taken in seconds],
    }

"""Training pairs as a stream: portion by portion, each process with pairs of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from s2s.errors import InputError
from s2s.run import Run
from s2s.text.batching import ParallelIds
from s2s.text.corpus import Corpus
from s2s.text.readers import Readers, Share
from s2s.text.several import SeveralCorpora
from s2s.text.streaming import PairStream
from s2s.text.tokenizer import TokenizerRecipe
from s2s.training.data import (
    HOLD_OUT_EVERY,
    HOLD_OUT_MOST,
    TOKENIZER_PAIRS,
    AnyCorpus,
    TrainingData,
    pairs_of_several,
    split_pairs,
)
from s2s.training.portion import Portion
from s2s.training.processes import Processes

if TYPE_CHECKING:
    from datasets import Dataset

__all__ = ["Stream", "load_streamed_data", "valid_pairs"]

COUNTED_PAIRS = 100_000  # from which a shortlist is made


@dataclass
class Stream:
    """The portions of a stream, each the shuffle buffers of all processes.

    Args:
        readers: of this process.
        longest: pairs with more pieces than this on a side are left out.
        processes: which share the stream.
        say: takes a line for each epoch that left pairs out.
    """

    readers: Readers
    longest: int
    processes: Processes
    say: Callable[[str], None]
    _shares: Iterator[list[Share]] | None = None
    _next: tuple[int, int] = (-1, -1)
    _counts: list[int] = field(default_factory=lambda: [0, 0, 0])

    def portion(self, epoch: int, number: int, states: Sequence[Any]) -> Portion:
        """Read the next portion, or go to this one.

        Args:
            epoch, number: of the portion.
            states: where each reader of any process stands at its beginning; empty at the beginning of an epoch.

        Raises:
            InputError: the data is damaged, or the epoch was begun by another number of readers.
        """
        if states and len(states) != self.readers.readers:
            raise InputError(
                f"this epoch was begun by {len(states)} readers (processes times data.workers), and now there are "
                f"{self.readers.readers}; start as many as before"
            )
        if self._shares is None or self._next != (epoch, number):
            own = self.processes.share(states)
            self._shares, self._counts = self.readers.shares(epoch, number, own), [0, 0, 0]
        shares = next(self._shares)
        for share in shares:
            if share.error:
                raise InputError(share.error)
        ids = ParallelIds.joined([share.ids for share in shares])
        rows, empty, over_long = ids.usable(self.longest)
        told = [(share.state, share.is_last) for share in shares]
        counts = self.processes.gathered([(len(ids), empty, over_long)])
        of_all = self.processes.gathered(told)
        self._counts = [sum(some) for some in zip(self._counts, *counts, strict=True)]
        is_last = all(last for _, last in of_all)
        if is_last:
            self._tell(epoch)
            self._shares = None
        self._next = (epoch, number + 1)
        return Portion(ids, rows, number, None, is_last, [state for state, _ in of_all])

    def _tell(self, epoch: int) -> None:
        """Say what an epoch has left out."""
        pairs, empty, over_long = self._counts
        if empty or over_long:
            self.say(
                f"epoch {epoch + 1}: of {pairs:,} pairs that were read, left out {empty:,} with an empty side, "
                f"{over_long:,} with more than {self.longest} pieces"
            )


def load_streamed_data(
    corpus: AnyCorpus,
    recipe: TokenizerRecipe,
    run: Run,
    *,
    longest: int | None,
    seed: int,
    say: Callable[[str], None],
    guided: bool,
    processes: Processes,
) -> TrainingData:
    """Open a corpus as a stream, train the tokenizers on its first pairs unless the run has them, and start reading.

    Args:
        corpus, recipe, run, longest, seed, say, guided: as in ``load_training_data``.
        processes: which share the stream.

    Raises:
        InputError: what is asked for does not go with a stream.
    """
    if not isinstance(corpus, Corpus) or longest is None or guided:
        raise InputError(
            "data.streaming=true reads pairs to translate, without word links; leave it out for model=lm and "
            "training.guided_alignment"
        )
    valid, held_out = _valid(corpus, say)
    say(f"{corpus.label}: a stream, {len(valid):,} validation pairs, {corpus.languages}")
    pairs = corpus.stream("train")
    if run.has_tokenizers():
        source, target = run.tokenizers()
    else:
        say(f"tokenizers learn from the first {TOKENIZER_PAIRS:,} pairs")
        source, target = recipe.train_pair(*(_texts(pairs, side, held_out) for side in (0, 1)))
        run.save_tokenizers(source, target)
    workers = max(1, corpus.workers)
    readers = Readers(
        pairs=pairs,
        source=source,
        target=target,
        sampling=recipe.sampling,
        seed=seed,
        held_out=held_out,
        pairs_at_once=-(-corpus.shuffle_buffer // workers),
        workers=corpus.workers,
        offset=processes.rank,
        step=processes.count,
        readers=workers * processes.count,
    )

    def first(_: int) -> ParallelIds:
        return readers.cut([pair for pair in pairs.first(COUNTED_PAIRS) if pair not in held_out])

    return TrainingData(
        epoch=first,
        rows=np.zeros(0, np.int32),
        portion_size=corpus.shuffle_buffer,
        seed=seed,
        valid_sources=list(valid["source"]),
        valid_targets=list(valid["target"]),
        source=source,
        target=target,
        language=corpus.language,
        guide=None,
        stream=Stream(readers, longest, processes, say),
    )


def _texts(pairs: PairStream, side: int, held_out: frozenset[tuple[str, str]]) -> Iterator[str]:
    """The texts of one side that tokenizers are trained on."""
    return (pair[side] for pair in pairs.first(TOKENIZER_PAIRS) if pair not in held_out)


def valid_pairs(corpus: AnyCorpus, say: Callable[[str], None], *, in_order: bool = False) -> Dataset:
    """Load the pairs a corpus is validated on, as training does."""
    if isinstance(corpus, Corpus) and corpus.streaming:
        return _valid(corpus, say)[0]
    if isinstance(corpus, SeveralCorpora):
        return pairs_of_several(corpus, say)[1]
    return split_pairs(corpus, say, in_order=in_order)[1]


def _valid(corpus: Corpus, say: Callable[[str], None]) -> tuple[Dataset, frozenset[tuple[str, str]]]:
    """Load the validation pairs of a stream, and those that training leaves out.

    Where there is no validation split these are the first ones, a thousand at most, or a twentieth of a short stream;
    and whatever equals them.
    """
    import datasets

    if "valid" in corpus.splits():
        return corpus.load("valid"), frozenset()
    found = list(corpus.stream("train").first(HOLD_OUT_EVERY * HOLD_OUT_MOST))
    if len(found) < HOLD_OUT_EVERY:
        raise InputError(f"{len(found)} training pairs are too few to hold any out; add pairs, or a valid split")
    found = found[: len(found) // HOLD_OUT_EVERY]
    say(f"no validation split: the first {len(found):,} training pairs are held out for it, and what equals them")
    sources, targets = zip(*found, strict=True)
    return datasets.Dataset.from_dict({"source": sources, "target": targets}), frozenset(found)

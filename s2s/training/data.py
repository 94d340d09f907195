"""What a run trains on: the corpus as ids, and the validation pairs as text."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from s2s.errors import InputError
from s2s.run import Run
from s2s.text.batching import ParallelIds
from s2s.text.corpus import Corpus
from s2s.text.tokenised import tokenise
from s2s.text.tokenizer import Tokenizer, TokenizerRecipe

if TYPE_CHECKING:
    from datasets import Dataset

__all__ = ["TrainingData", "load_training_data", "split_pairs"]

HOLD_OUT_EVERY, HOLD_OUT_MOST = 20, 1000


@dataclass(frozen=True)
class TrainingData:
    """Training pairs as ids and validation pairs as text.

    Args:
        epoch: ids of the training pairs for an epoch, given its number; the same ones unless segmentation is sampled.
        rows: the training pairs that are used.
        valid_sources, valid_targets: validation pairs as text.
        source, target: tokenizers.
        language: code of the target language.
    """

    epoch: Callable[[int], ParallelIds]
    rows: np.ndarray
    valid_sources: list[str]
    valid_targets: list[str]
    source: Tokenizer
    target: Tokenizer
    language: str


def load_training_data(
    corpus: Corpus, recipe: TokenizerRecipe, run: Run, *, longest: int, seed: int, say: Callable[[str], None]
) -> TrainingData:
    """Load the corpus, train the tokenizers on its training split unless the run has them, and tokenise.

    Args:
        corpus: where the pairs are.
        recipe: how to train tokenizers.
        run: where they are kept.
        longest: pairs with more pieces than this on a side are left out.
        seed: of sampled segmentations.
        say: takes each line that the person should read.
    """
    train, valid = split_pairs(corpus, say)
    languages = f"{corpus.source} to {corpus.target}"
    say(f"{corpus.label}: {len(train):,} training and {len(valid):,} validation pairs, {languages}")
    if (run.folder / "tokenizer").is_dir():
        source, target = run.tokenizers()
    else:
        source, target = recipe.train_pair(train["source"], train["target"])
        run.save_tokenizers(source, target)
    ids = tokenise(train, source, target)
    rows, empty, over_long = ids.usable(longest)
    if empty or over_long:
        say(f"left out of training: {empty:,} pairs with an empty side, {over_long:,} with more than {longest} pieces")
    if not len(rows):
        raise InputError(
            f"no training pair is left of {len(train):,}; raise training.longest={longest} or look at the data"
        )

    def epoch(number: int) -> ParallelIds:
        if not recipe.sampling:
            return ids
        return tokenise(train, source, target, sampling=recipe.sampling, seed=hash((seed, number)))

    return TrainingData(
        epoch=epoch,
        rows=rows,
        valid_sources=list(valid["source"]),
        valid_targets=list(valid["target"]),
        source=source,
        target=target,
        language=corpus.target,
    )


def split_pairs(corpus: Corpus, say: Callable[[str], None]) -> tuple["Dataset", "Dataset"]:
    """Load training and validation pairs.

    Where the corpus has no validation split, every twentieth training pair, about a thousand at most, is held out of
    training and stands in for it.
    """
    train = corpus.load("train")
    if "valid" in corpus.splits():
        return train, corpus.load("valid")
    every = max(HOLD_OUT_EVERY, len(train) // HOLD_OUT_MOST)
    if len(train) < every:
        raise InputError(f"{len(train)} training pairs are too few to hold any out; add pairs, or a valid split")
    say(f"no validation split: every {every}th training pair is held out for it")
    rows = np.arange(len(train))
    held_out = rows % every == every - 1
    return train.select(rows[~held_out]).flatten_indices(), train.select(rows[held_out]).flatten_indices()

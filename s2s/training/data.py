"""What a run trains on: the corpus as ids, and the validation pairs as text."""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from s2s.building import build
from s2s.errors import InputError
from s2s.report.alignment import check_gold, read_links
from s2s.report.words import words
from s2s.run import Run
from s2s.text.batching import ParallelIds
from s2s.text.corpus import Corpus
from s2s.text.one_side import OneSide
from s2s.text.several import Mixture, SeveralCorpora
from s2s.text.tokenised import tokenise
from s2s.text.tokenizer import Tokenizer, TokenizerRecipe, normalise
from s2s.training.guide import Guide
from s2s.training.portion import PAIRS_AT_ONCE, Portion, cut

if TYPE_CHECKING:
    from datasets import Dataset

    from s2s.training.stream import Stream

__all__ = ["TrainingData", "corpus_of", "load_training_data", "split_pairs"]

AnyCorpus = Corpus | OneSide | SeveralCorpora

HOLD_OUT_EVERY, HOLD_OUT_MOST = 20, 1000
TOKENIZER_PAIRS, BLOCK = 500_000, 1000


@dataclass(frozen=True)
class TrainingData:
    """Training pairs as ids and validation pairs as text.

    Args:
        epoch: ids of the training pairs for an epoch, given its number; the same ones unless segmentation is sampled.
        rows: the training pairs that are used.
        portion_size: the most pairs of a portion; no text that is read in order is cut into any.
        seed: of the order of the pairs in portions.
        valid_sources, valid_targets: validation pairs as text.
        source, target: tokenizers.
        language: code of the target language.
        guide: where attention should go in the training pairs, where there are word links.
        mixture: of several corpora, how many pairs of each make an epoch.
        stream: where training pairs come from that are not there all at once; ``epoch`` is then their beginning, and
            ``rows`` is empty.
    """

    epoch: Callable[[int], ParallelIds]
    rows: np.ndarray
    portion_size: int
    seed: int
    valid_sources: list[str]
    valid_targets: list[str]
    source: Tokenizer
    target: Tokenizer
    language: str
    guide: Guide | None
    mixture: Mixture | None = None
    stream: "Stream | None" = None

    def portion(self, epoch: int, number: int, readers: Sequence[Any]) -> Portion:
        """The pairs of an epoch from which batches are planned together, portion by portion; see ``Portion``."""
        if self.stream:
            return self.stream.portion(epoch, number, readers)
        rows = self.mixture.draw(self.rows, seed=self.seed, epoch=epoch) if self.mixture else self.rows
        rows, of = cut(rows, number, self.portion_size, seed=self.seed, epoch=epoch)
        return Portion(self.epoch(epoch), rows, number, of, is_last=number == of - 1)


def corpus_of(run: Run) -> AnyCorpus:
    """The corpus that a run learns from; of a language model its target side."""
    corpus: Corpus | SeveralCorpora = build(run.config.data, "data")
    if not run.is_language_model:
        return corpus
    if isinstance(corpus, SeveralCorpora):
        raise InputError("data=several is of translators; for model=lm give data=text and data.train=[one,two]")
    return OneSide(corpus)


def load_training_data(
    corpus: AnyCorpus,
    recipe: TokenizerRecipe,
    run: Run,
    *,
    longest: int | None,
    seed: int,
    say: Callable[[str], None],
    guided: bool = False,
) -> TrainingData:
    """Load the corpus, train the tokenizers on its training split unless the run has them, and tokenise.

    Args:
        corpus: where the pairs are.
        recipe: how to train tokenizers.
        run: where they are kept.
        longest: pairs with more pieces than this on a side are left out; None for text that is read as one stream.
        seed: of sampled segmentations.
        say: takes each line that the person should read.
        guided: whether attention is told where to go, which takes word links of the training pairs.

    Raises:
        InputError: no pair is left to train on, or word links are wanted that are not there, or that do not go
            with segmentations that change.
    """
    if guided:
        _check_segmentation_stays(recipe)
    mixture = None
    if isinstance(corpus, SeveralCorpora):
        if guided:
            raise InputError("training.guided_alignment takes word links, which data=several has none of; set it to 0")
        train, valid, sizes = pairs_of_several(corpus, say)
        mixture = Mixture(sizes, corpus.weights, corpus.temperature)
        recipe = replace(recipe, symbols=[*recipe.symbols, *corpus.symbols])
    else:
        train, valid = split_pairs(corpus, say, linked=guided, in_order=longest is None)
    alone = isinstance(corpus, OneSide)
    what = "lines" if alone else "pairs"
    say(f"{corpus.label}: {len(train):,} training and {len(valid):,} validation {what}, {corpus.languages}")
    source, target = _tokenizers(run, recipe, train, alone=alone)
    ids = tokenise(train, source, target)
    rows, empty, over_long = ids.usable(sys.maxsize if longest is None else longest, with_source=not alone)
    if empty or over_long:
        missing = "empty lines" if alone else "pairs with an empty side"
        say(f"left out of training: {empty:,} {missing}, {over_long:,} with more than {longest} pieces")
    if not len(rows):
        raise InputError(
            f"no training {what[:-1]} is left of {len(train):,}; raise training.longest={longest} or look at the data"
        )

    @lru_cache(maxsize=1)
    def epoch(number: int) -> ParallelIds:
        if not recipe.sampling:
            return ids
        return tokenise(train, source, target, sampling=recipe.sampling, seed=f"{seed} {number}")

    return TrainingData(
        epoch=epoch,
        rows=rows,
        portion_size=sys.maxsize if longest is None else PAIRS_AT_ONCE,
        seed=seed,
        valid_sources=list(valid["source"]),
        valid_targets=list(valid["target"]),
        source=source,
        target=target,
        language=corpus.language,
        mixture=mixture,
        guide=Guide.of(train, source, target) if guided else None,
    )


def _tokenizers(run: Run, recipe: TokenizerRecipe, train: "Dataset", *, alone: bool) -> tuple[Tokenizer, Tokenizer]:
    """The run's tokenizers, trained where it has none; where targets stand alone, one serves for both sides."""
    if run.has_tokenizers():
        return run.tokenizers()
    recipe = replace(recipe, joint=recipe.joint or alone)
    sources = [] if alone else texts_to_learn(train, "source")
    source, target = recipe.train_pair(sources, texts_to_learn(train, "target"))
    run.save_tokenizers(source, target)
    return source, target


def texts_to_learn(train: "Dataset", side: str) -> Iterator[str]:
    """The texts tokenizers are trained on: all, or of more than half a million as many, in blocks evenly spread."""
    texts = train.select_columns([side])
    every = max(1.0, len(train) / TOKENIZER_PAIRS)
    for block in range(int(-(-len(train) // (every * BLOCK)))):
        start = int(block * every) * BLOCK
        yield from texts[start : start + BLOCK][side]


def _check_segmentation_stays(recipe: TokenizerRecipe) -> None:
    """Raise an InputError for pieces that change, as word links are brought to pieces once."""
    if recipe.sampling:
        raise InputError(
            f"tokenizer.sampling={recipe.sampling} cuts words anew every epoch, which training.guided_alignment cannot "
            "follow; set one of them to 0"
        )


def split_pairs(
    corpus: Corpus | OneSide, say: Callable[[str], None], *, linked: bool = False, in_order: bool = False
) -> tuple["Dataset", "Dataset"]:
    """Load training and validation pairs, with ``linked`` the training pairs' word links as the column ``links``.

    Where the corpus has no validation split, every twentieth training pair, about a thousand at most, is held out of
    training and stands in for it; ``in_order`` those at the end. Extra pairs, which nobody checked, are trained on
    alone.
    """
    import datasets

    train, extra = corpus.load("train"), corpus.load_extra()
    if linked:
        assert isinstance(corpus, Corpus)
        train = train.add_column("links", _word_links(corpus, train))
        if extra is not None:
            raise InputError("data.extra has no word links for training.guided_alignment; set one of them off")
    train, valid = _validation(corpus, train, say, in_order=in_order)
    if extra is not None:
        say(f"extra: {len(extra):,} training pairs")
        train = datasets.concatenate_datasets([train, extra])
    return train, valid


def pairs_of_several(corpus: SeveralCorpora, say: Callable[[str], None]) -> tuple["Dataset", "Dataset", list[int]]:
    """Load training and validation pairs of several corpora, each one after another, and how many each trains on."""
    sides = list(zip(*(split_pairs(one, say) for one in corpus.corpora), strict=True))
    return corpus.together(sides[0]), corpus.together(sides[1]), [len(train) for train in sides[0]]


def _validation(
    corpus: Corpus | OneSide, train: "Dataset", say: Callable[[str], None], *, in_order: bool
) -> tuple["Dataset", "Dataset"]:
    """Load the validation pairs, or hold some of the training pairs out; return what remains to train on, too."""
    if "valid" in corpus.splits():
        return train, corpus.load("valid")
    every = max(HOLD_OUT_EVERY, len(train) // HOLD_OUT_MOST)
    if len(train) < every:
        raise InputError(f"{len(train)} training pairs are too few to hold any out; add pairs, or a valid split")
    rows = np.arange(len(train))
    held_out = rows >= len(train) - len(train) // every if in_order else rows % every == every - 1
    which = "the last training lines are" if in_order else f"every {every}th training pair is"
    say(f"no validation split: {which} held out for it")
    return train.select(rows[~held_out]).flatten_indices(), train.select(rows[held_out]).flatten_indices()


def _word_links(corpus: Corpus, train: "Dataset") -> list[str]:
    """Read the word links of the training pairs, a line for each, and check that they are of these words."""
    name = f"train.{corpus.source}-{corpus.target}.align"
    links = corpus.alignments("train")
    if links is None:
        raise InputError(
            f"training.guided_alignment needs word links of the training pairs, and there is no {name} in "
            f"data.path={corpus.path}; let an aligner write it, a line for each pair such as 0-0 1-2, or set "
            "training.guided_alignment=0"
        )
    if len(links) != len(train):
        raise InputError(
            f"{name} has {len(links)} lines for {len(train)} training pairs; give one for each, and keep empty lines"
        )
    sizes = zip(*([len(words(normalise(text))) for text in train[side]] for side in ("source", "target")), strict=True)
    check_gold(map(read_links, links), sizes, name)
    return links

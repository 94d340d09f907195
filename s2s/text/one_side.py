"""One language of a corpus, as a language model learns it: pairs whose sources are empty."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2s.text.corpus import SYNONYMS, Corpus
from s2s.text.loading import table_suffix

if TYPE_CHECKING:
    from datasets import Dataset

__all__ = ["OneSide"]

FIELDS = (*SYNONYMS, "extra")


class OneSide:
    """The target side of a corpus; its sources need not be there.

    A split is found where ``Corpus`` finds it, or as one text file, ``train.en``. Of two aligned files that are named
    the second counts; where the corpus names one language alone, as ``data=text`` does, all of them do, in order.

    Args:
        corpus: what the text is a side of.
    """

    def __init__(self, corpus: Corpus) -> None:
        self.label, self.target = corpus.label, corpus.target
        self.language = self.languages = corpus.target
        self.streaming = corpus.streaming
        several = corpus.source == corpus.target
        self._parts = {
            split: [_alone(corpus, split, file) for file in files]
            for split in FIELDS
            if several and not isinstance(files := getattr(corpus, split), str | None)
        }
        named = {split: given for split in FIELDS if (given := getattr(corpus, split)) is not None}
        for split, given in named.items():
            corpus = _alone(corpus, split, given) if isinstance(given, str) else corpus
        self._corpus = replace(corpus, source=corpus.target, streaming=False)

    def splits(self) -> list[str]:
        """Name the splits that exist, as ``Corpus`` does."""
        return self._corpus.splits()

    def load(self, split: str) -> Dataset:
        """Load one split as rows of ``source``, which is empty, and ``target``, in the order of the file.

        Raises:
            InputError: what ``Corpus`` refuses.
        """
        import datasets

        parts = [part.load(split) for part in self._parts.get(split, [self._corpus])]
        text = _without_source(datasets.concatenate_datasets(parts) if len(parts) > 1 else parts[0])
        most = self._corpus.most_pairs(split)
        return text if most is None else text.select(range(min(most, len(text))))

    def load_extra(self) -> Dataset | None:
        """Load the extra text; None where there is none."""
        extra = replace(self._corpus, extra_tag=None).load_extra()
        return None if extra is None else _without_source(extra)

    def alignments(self, split: str) -> None:
        """There is nothing that words could be linked to."""


def _alone(corpus: Corpus, split: str, file: str) -> Corpus:
    """The corpus with one file for a split: a table, or a text that stands for both sides."""
    changed: dict[str, Any] = {split: file if table_suffix(Path(file)) else [file, file]}
    return replace(corpus, **changed)


def _without_source(pairs: Dataset) -> Dataset:
    """The same targets with empty sources."""
    return pairs.remove_columns("source").add_column("source", [""] * len(pairs))

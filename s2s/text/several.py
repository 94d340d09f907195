"""Several corpora as one: how often each is drawn from, and tags that say into which language a source goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from s2s.errors import InputError
from s2s.text.corpus import Corpus

if TYPE_CHECKING:
    from datasets import Dataset

__all__ = ["Mixture", "SeveralCorpora", "language_tag"]

CUT_BY_CHARACTERS = ("zh", "ja")  # BLEU's tokenizer for one of these cuts other languages as usual


def language_tag(language: str) -> str:
    """What a source begins with that is to be translated into a language (Johnson et al. 2017, section 3)."""
    return f"<2{language}>"


@dataclass(frozen=True, kw_only=True)
class SeveralCorpora:
    """Corpora that one model is trained on together, each with languages of its own.

    What is one value holds for all of them, what is a list has a value for each.

    Args:
        label: short name, used for runs.
        source, target: codes of the languages.
        path, name: local folders or files, and names on the hub, as in ``Corpus``.
        weights: how many pairs are drawn from each, in proportion; None goes by their sizes.
        temperature: without weights, T: pairs are drawn in proportion to ``size ** (1 / T)`` (Arivazhagan et al. 2019,
            section 4.2); 1 takes every pair once an epoch, more takes more of small corpora.
        tags: begin every source with the tag of its target language.

    Raises:
        InputError: lists of different lengths, or numbers out of range.
    """

    label: str
    source: str | list[str]
    target: str | list[str]
    path: str | list[str] | None = None
    name: str | list[str] | None = None
    weights: list[float] | None = None
    temperature: float = 1.0
    tags: bool = False
    streaming: ClassVar[bool] = False

    def __post_init__(self) -> None:
        lengths = {name: len(value) for name, value in self._fields.items() if not isinstance(value, str | None)}
        if len(set(lengths.values())) != 1 or 0 in lengths.values():
            found = ", ".join(f"data.{name} has {length}" for name, length in lengths.items()) or "there is no list"
            raise InputError(
                f"data=several: {found}; give lists with a value for each corpus, such as data.path=[one,two], and one "
                "value where it is the same for all"
            )
        if self.temperature <= 0 or min(self.weights or [1.0]) <= 0:
            raise InputError(
                f"data.temperature={self.temperature} data.weights={self.weights}: expected numbers above 0; give "
                "others, or null for no weights"
            )

    @property
    def _fields(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("source", "target", "path", "name", "weights")}

    @property
    def corpora(self) -> list[Corpus]:
        """Each of them."""
        fields = self._fields
        number = next(len(value) for value in fields.values() if not isinstance(value, str | None))
        del fields["weights"]
        each = {name: [value] * number if isinstance(value, str | None) else value for name, value in fields.items()}
        return [
            Corpus(label=self.label, **dict(zip(each, values, strict=True)))
            for values in zip(*each.values(), strict=True)
        ]

    @property
    def languages(self) -> str:
        """All directions in words."""
        return ", ".join(corpus.languages for corpus in self.corpora)

    @property
    def language(self) -> str:
        """The target language, for scores; of several one by whose rules all can be scored."""
        return next((one for one in self.targets if one in CUT_BY_CHARACTERS), self.targets[0])

    @property
    def targets(self) -> list[str]:
        """The target languages, each once."""
        return list(dict.fromkeys(corpus.target for corpus in self.corpora))

    @property
    def symbols(self) -> list[str]:
        """The tags, each a piece of its own."""
        return [language_tag(language) for language in self.targets] if self.tags else []

    def splits(self) -> list[str]:
        """Name the splits that all of them have."""
        of_each = [corpus.splits() for corpus in self.corpora]
        return [split for split in of_each[0] if all(split in splits for splits in of_each)]

    def load(self, split: str) -> Dataset:
        """Load one split of all, one after another, as rows of ``source`` and ``target``.

        Raises:
            InputError: what ``Corpus`` refuses.
        """
        return self.together([corpus.load(split) for corpus in self.corpora])

    def together(self, pairs: Sequence[Dataset]) -> Dataset:
        """Put pairs of each corpus one after another, sources with their tags where there are any."""
        import datasets

        if self.tags:
            pairs = [tagged(some, corpus.target) for some, corpus in zip(pairs, self.corpora, strict=True)]
        return datasets.concatenate_datasets(list(pairs))

    def directions(self, split: str) -> dict[str, tuple[slice, str]]:
        """Where the pairs of each corpus stand in a split, and their target language."""
        found, start = dict[str, tuple[slice, str]](), 0
        for number, corpus in enumerate(self.corpora, 1):
            end = start + len(corpus.load(split))
            found[f"{number} ({corpus.source}-{corpus.target})"] = slice(start, end), corpus.target
            start = end
        return found

    def load_extra(self) -> None:
        """There are no extra pairs: they are a corpus."""

    def alignments(self, split: str) -> None:
        """There are no word links of several corpora."""


def tagged(pairs: Dataset, language: str) -> Dataset:
    """The same pairs, their sources with a tag; a source without words stays so."""
    tag = language_tag(language)

    def with_tag(rows: dict[str, list[str]]) -> dict[str, list[str]]:
        return {"source": [f"{tag} {text}" if text.strip() else text for text in rows["source"]]}

    return pairs.map(with_tag, batched=True)


@dataclass(frozen=True)
class Mixture:
    """How many pairs of each corpus make an epoch, which has as many as there are in all.

    Args:
        sizes: of the corpora, which stand one after another.
        weights, temperature: as in ``SeveralCorpora``.
    """

    sizes: Sequence[int]
    weights: Sequence[float] | None
    temperature: float

    def counts(self, sizes: np.ndarray) -> np.ndarray:
        """How many pairs to draw from corpora of so many."""
        likely = sizes ** (1 / self.temperature) if self.weights is None else np.array(self.weights, np.float64)
        exact = likely / likely.sum() * sizes.sum()
        counts: np.ndarray = np.floor(exact + 1e-6).astype(np.int64)
        rest = int(sizes.sum() - counts.sum())
        counts[np.argsort(counts - exact, kind="stable")[:rest]] += 1
        return counts

    def draw(self, rows: np.ndarray, *, seed: int, epoch: int) -> np.ndarray:
        """Draw the rows of an epoch from those that can be used: each as often as others of its corpus, or once more.

        Raises:
            InputError: a corpus of which none can be used.
        """
        ends = np.searchsorted(rows, np.cumsum(self.sizes))
        parts = np.split(rows, ends[:-1])
        if empty := [number for number, part in enumerate(parts, 1) if not len(part)]:
            raise InputError(
                f"no training pair is left of corpus {empty[0]} of {len(parts)}; leave it out or look at it"
            )
        counts = self.counts(np.array([len(part) for part in parts]))
        generator = np.random.default_rng([seed, epoch, len(parts)])
        drawn = []
        for part, count in zip(parts, counts, strict=True):
            times, rest = divmod(int(count), len(part))
            drawn += [part] * times
            if rest:
                drawn.append(generator.choice(part, rest, replace=False))
        return np.concatenate(drawn)

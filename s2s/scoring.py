"""Given texts and what a model thinks of them: read from lines, scored, and ranked among their alternatives."""

import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from statistics import fmean
from typing import Any

from s2s.errors import InputError
from s2s.report.metrics import Score, perplexity, text_perplexities, words_and_characters
from s2s.text.reading import first_line
from s2s.text.tokenizer import normalise
from s2s.translator import Translation, Translator

__all__ = ["Given", "Scored", "Totals", "accuracies", "form_of", "given", "ranked", "read_pairs", "scored"]

FORMS = ("text", "tsv", "jsonl")
HEADER = ("kind", "right", "wrong")
GREATEST_EXPONENT = 700


@dataclass(frozen=True)
class Given:
    """A text to be scored, and what it is a translation of, empty for a language model.

    Texts that stand together with one ``group`` and one ``block``, which an empty line ends, are alternatives.
    """

    text: str
    source: str = ""
    group: str = ""
    block: int = 0


@dataclass(frozen=True)
class Scored:
    """A text with its score, and among alternatives its rank from 1 and ``ratio``, P(best) / P(this)."""

    given: Given
    found: Translation
    rank: int = 1
    ratio: float = 1.0

    @property
    def perplexity(self) -> float:
        """Per token, the end mark counted."""
        return perplexity(-self.found.log_prob, len(self.found.target_tokens)).value

    @property
    def line(self) -> str:
        """The text on one line."""
        return re.sub("[\r\n]+", " ", self.given.text)

    def as_record(self) -> dict[str, Any]:
        """Everything in JSON's types."""
        named = {"group": self.given.group, "source": self.given.source}
        return {
            **{name: value for name, value in named.items() if value},
            "text": self.given.text,
            "log_prob": self.found.log_prob,
            "perplexity": self.perplexity,
            "tokens": self.found.target_tokens,
            "token_log_probs": self.found.token_log_probs,
        }


class Totals:
    """What all texts so far are worth together."""

    def __init__(self) -> None:
        self._nll, self._tokens, self._texts, self._words, self._characters = 0.0, 0, 0, 0, 0

    def add(self, one: Scored) -> Scored:
        """Count one and pass it on."""
        self._nll -= one.found.log_prob
        self._tokens += len(one.found.target_tokens)
        of_words, characters = words_and_characters(normalise(one.given.text))
        self._texts, self._words = self._texts + 1, self._words + of_words
        self._characters += characters
        return one

    def __str__(self) -> str:
        if not self._texts:
            return "nothing to score"
        counts = [(self._words, self._characters)]
        values = perplexity(self._nll, self._tokens), *text_perplexities(self._nll, counts)
        return f"{self._texts:,} texts: " + ", ".join(map(str, values))


def form_of(name: str, asked: str | None, *, translates: bool) -> str:
    """How lines are to be read: as asked, else by the ending of the file, else as the run needs them."""
    if asked is not None and asked not in FORMS:
        raise InputError(f"read={asked} is unknown; expected {', '.join(FORMS)}")
    ending = name.lower().rpartition(".")[2]
    return asked or (ending if ending in FORMS[1:] else "tsv" if translates else "text")


def given(chunks: Iterable[list[str]], form: str, *, translates: bool, grouped: bool) -> Iterator[list[Given]]:
    """Read the lines of each chunk, which are counted from 1.

    A line of text is a text. Two columns are a source and a target, or for a language model a group and a text. JSON
    has ``text``, or ``source`` and ``target``, and may have ``group``. Translations of one source are a group, and
    where there are groups an empty line ends one.

    Raises:
        InputError: a line of another form.
    """
    block = number = 0
    for lines in chunks:
        texts = []
        for line in lines:
            number += 1
            if grouped and not line.strip():
                block += 1
            else:
                texts.append(replace(_from_line(line, form, number, translates=translates), block=block))
        yield texts


def _from_line(line: str, form: str, number: int, *, translates: bool) -> Given:
    """Read one line."""
    if form == "text":
        return Given(line)
    if form == "jsonl":
        return _from_json(line, number, translates=translates)
    cells = line.split("\t")
    if len(cells) != 2:
        names = "source and target" if translates else "group and text"
        raise InputError(f"line {number:,} has {len(cells)} columns, expected 2, {names}; put a tab between them")
    group, text = cells
    return Given(text, group if translates else "", group)


def _from_json(line: str, number: int, *, translates: bool) -> Given:
    """Read one object."""
    names = ("source", "target") if translates else ("text",)
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"line {number:,} is no JSON ({first_line(error)}); expected one object a line") from error
    if not isinstance(row, dict) or any(not isinstance(row.get(name), str) for name in names):
        raise InputError(f"line {number:,} has no {' and '.join(names)}, expected text under each; add them")
    source = row["source"] if translates else ""
    return Given(row[names[-1]], source, str(row.get("group", source)))


def scored(translator: Translator, chunks: Iterable[list[Given]], *, batch_size: int) -> Iterator[Scored]:
    """Score the texts of each chunk as it comes; what one gets does not depend on the others."""
    for texts in chunks:
        sources, targets = [one.source for one in texts], [one.text for one in texts]
        found = translator.score(sources, targets, batch_size=batch_size)
        yield from (Scored(one, translation) for one, translation in zip(texts, found, strict=True))


def ranked(texts: Iterable[Scored]) -> Iterator[list[Scored]]:
    """Yield each group of alternatives, the likeliest first; of equal ones the earlier."""
    for _, group in groupby(texts, lambda one: (one.given.block, one.given.group)):
        ordered = sorted(group, key=lambda one: -one.found.log_prob)
        best = ordered[0].found.log_prob
        yield [
            replace(one, rank=rank, ratio=math.exp(min(best - one.found.log_prob, GREATEST_EXPONENT)))
            for rank, one in enumerate(ordered, 1)
        ]


def accuracies(translator: Translator, pairs: Sequence[tuple[str, str, str]], *, batch_size: int) -> dict[str, Score]:
    """In how many of pairs a language model finds the right text likelier than the wrong one, by kind and in all.

    Such pairs differ in one thing that makes one of them wrong (Linzen, Dupoux & Goldberg 2016; Warstadt et al. 2020).

    Args:
        translator: of a language model.
        pairs: kind, right text and wrong text of each.
        batch_size: texts that are worked on together.

    Returns:
        accuracy in percent by kind, ``all`` last.
    """
    texts = [text for _, *both in pairs for text in both]
    found = [one.log_prob for one in translator.score([""] * len(texts), texts, batch_size=batch_size)]
    kinds = dict.fromkeys([*(kind for kind, *_ in pairs), "all"])
    scores = {}
    for name in kinds:
        right = [
            found[2 * place] > found[2 * place + 1] for place, (kind, *_) in enumerate(pairs) if name in (kind, "all")
        ]
        scores[name] = Score(name, 100 * fmean(right), f"pairs:{len(right)}")
    return scores


def read_pairs(lines: Iterable[str], name: str) -> list[tuple[str, str, str]]:
    """Read minimal pairs: a header line, then kind, right and wrong text in three columns.

    Raises:
        InputError: another form, or no pair.
    """
    pairs = []
    for number, line in enumerate(lines, 1):
        cells = line.split("\t")
        if len(cells) != 3 or (number == 1 and tuple(cells) != HEADER):
            raise InputError(
                f"{name}, line {number:,}: {line[:60]!r} is none of its lines; expected {', '.join(HEADER)} in three "
                "columns with tabs between them, and these names in the first line"
            )
        pairs.append((cells[0], cells[1], cells[2]))
    if len(pairs) < 2:
        raise InputError(f"{name} has no pairs; give kind, right and wrong text in three columns below the header")
    return pairs[1:]

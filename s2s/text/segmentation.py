"""Segmentations drawn at random: BPE-dropout and unigram sampling, the same for one seed in any process.

SentencePiece draws such segmentations as well, but salts its generator anew in every process, so that a run could
neither be repeated nor resumed. The distributions here are its own.
"""

import heapq
import math
import random
import re
from collections.abc import Sequence

__all__ = ["SegmentationSampler"]

BLANK = "▁"
UNKNOWN_PENALTY = 10.0  # below the least likely piece, as in SentencePiece

Candidates = tuple[list[tuple[int, int]], list[float]]
"""Of what may end at a place, where each begins and its id; and how likely each is."""


class SegmentationSampler:
    """Cut texts at random, with the pieces of one SentencePiece model.

    Args:
        pieces: of the vocabulary, by id.
        scores: of the pieces. BPE's are 0, -1, -2, …, the order of its merges; unigram's are log-probabilities.
        special: the first so many ids are no pieces of text.
        unknown: the id of what has no piece.
    """

    def __init__(self, pieces: Sequence[str], scores: Sequence[float], *, special: int, unknown: int) -> None:
        self._ids = {piece: index for index, piece in enumerate(pieces) if index >= special}
        self._scores = {piece: scores[index] for piece, index in self._ids.items()}
        self._unknown = unknown
        # Symbols of the user, which stay whole, come first and score +0.0; the first merge of BPE scores -0.0.
        symbols = [piece for piece, score in self._scores.items() if score == 0 and math.copysign(1, score) > 0]
        longest_first = sorted(symbols, key=len, reverse=True)
        self._symbols = re.compile("(" + "|".join(map(re.escape, longest_first)) + ")") if symbols else None
        learnt = [score for piece, score in self._scores.items() if piece not in symbols]
        self._is_bpe = learnt == [-rank for rank in range(len(learnt))]
        self._longest = max(map(len, self._ids), default=1)
        self._lowest = min(learnt, default=0.0) - UNKNOWN_PENALTY
        self._lattices: dict[str, list[Candidates]] = {}

    def draw(self, text: str, strength: float, generator: random.Random) -> list[int]:
        """Cut a text, normalised, into ids.

        Args:
            text: words with single blanks between them.
            strength: of BPE the probability to pass over a merge (Provilkov, Emelianenko & Voita 2020, section 4); of
                a unigram model the exponent on a segmentation's probability (Kudo 2018, section 3.3), the same for
                all texts of this sampler.
            generator: where chance comes from.
        """
        cut = self._merge if self._is_bpe else self._walk
        ids: list[int] = []
        for word in (BLANK + word for word in text.split()):
            for part in self._symbols.split(word) if self._symbols else [word]:
                whole = self._ids.get(part) if self._symbols and self._symbols.fullmatch(part) else None
                for index in cut(part, strength, generator) if whole is None else [whole]:
                    if index != self._unknown or ids[-1:] != [index]:  # unknown neighbours are one, as when translating
                        ids.append(index)
        return ids

    def _merge(self, word: str, skipped: float, generator: random.Random) -> list[int]:
        """Merge characters in the order of the vocabulary, each merge left out with this probability when its turn
        comes.
        """
        parts, end = list(word), len(word)
        after, before = list(range(1, end + 1)), list(range(-1, end - 1))
        agenda: list[tuple[float, int, int, str]] = []

        def offer(left: int, right: int) -> None:
            if left >= 0 and right < end:
                joined = parts[left] + parts[right]
                if (score := self._scores.get(joined)) is not None:
                    heapq.heappush(agenda, (-score, left, right, joined))

        for left in range(end - 1):
            offer(left, left + 1)
        while agenda:
            _, left, right, joined = heapq.heappop(agenda)
            if not parts[left] or not parts[right] or parts[left] + parts[right] != joined:
                continue  # one of the two has been merged into another
            if generator.random() < skipped:
                continue
            parts[left], parts[right] = joined, ""
            after[left] = after[right]
            if after[right] < end:
                before[after[right]] = left
            offer(before[left], left)
            offer(left, after[left])
        return [self._ids.get(part, self._unknown) for part in parts if part]

    def _walk(self, word: str, exponent: float, generator: random.Random) -> list[int]:
        """Walk back from the end of a word, each step by its probability among all segmentations."""
        if word not in self._lattices:
            self._lattices[word] = self._lattice(word, exponent)
        steps, ids, place = self._lattices[word], list[int](), len(word)
        while place:
            ((place, index),) = generator.choices(*steps[place])
            ids.append(index)
        return ids[::-1]

    def _lattice(self, word: str, exponent: float) -> list[Candidates]:
        """For every place in a word: which pieces may end there, from where, and how likely each of them is.

        The forward sums are those of all segmentations up to a place (Kudo 2018, section 3.3, by the forward-filtering
        and backward-sampling algorithm).
        """
        sums, steps = [0.0], [([(0, 0)], [1.0])]
        for end in range(1, len(word) + 1):
            found: list[tuple[int, int, float]] = []
            for start in range(max(0, end - self._longest), end):
                score = self._scores.get(word[start:end])
                if score is None and start == end - 1:
                    score = self._lowest
                if score is not None:
                    index = self._ids.get(word[start:end], self._unknown)
                    found.append((start, index, sums[start] + exponent * score))
            greatest = max(weight for _, _, weight in found)
            total = greatest + math.log(sum(math.exp(weight - greatest) for _, _, weight in found))
            sums.append(total)
            steps.append(([(start, index) for start, index, _ in found], [math.exp(w - total) for _, _, w in found]))
        return steps

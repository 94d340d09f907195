"""How like each other texts are: sentence chrF and BLEU of every text against every other, all at once.

Both count the n-grams that two texts share, ``sum_g min(count(g, a), count(g, b))``. An n-gram that is found k times in
a text stands here as k items, the first of its kind to the k-th. So two texts share as many n-grams as they have items
in common, and a product of (texts, items) matrices of zeros and ones counts them for all pairs.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence

import numpy as np
from numpy.typing import NDArray
from sacrebleu.metrics.chrf import CHRF

from s2s.report.corpus_metrics import bleu_words

__all__ = ["UTILITIES", "sentence_bleu", "sentence_chrf"]

Numbers = NDArray[np.float64]


def sentence_chrf(texts: Sequence[str], *, language: str | None = None) -> Numbers:
    """Score chrF2 of every text, as a hypothesis, against every text, as its reference: U texts -> (U, U), 0 to 100.

    What sacreBLEU's ``CHRF().sentence_score`` gives; Popović (2015). The language plays no part.
    """
    letters = ["".join(text.split()) for text in texts]
    beta = CHRF.BETA**2
    precision, recall, orders = (np.zeros((len(texts), len(texts))) for _ in range(3))
    for order in range(1, CHRF.CHAR_ORDER + 1):
        shared, totals = shared_ngrams(letters, order)
        counted = (totals[:, None] > 0) & (totals > 0)
        precision += shared / np.maximum(totals[:, None], 1)
        recall += shared / np.maximum(totals, 1)
        orders += counted
    weighted = beta * precision + recall
    return 100 * (1 + beta) * precision * recall / np.where(weighted > 0, weighted * np.maximum(orders, 1), 1)


def sentence_bleu(texts: Sequence[str], *, language: str | None = None) -> Numbers:
    """Score BLEU of every text, as a hypothesis, against every text, as its reference: U texts -> (U, U), 0 to 100.

    What sacreBLEU's ``BLEU(effective_order=True).sentence_score`` gives: orders up to 4 that the hypothesis has,
    and those without a match smoothed (Chen & Cherry 2014, method 3).

    Args:
        texts: as people write them.
        language: of the texts, which decides what a word is; see ``s2s.report.metrics.bleu``.
    """
    words = [*map(bleu_words(language), texts)]
    lengths = np.array([len(own) for own in words], dtype=np.float64)
    logs, orders = np.zeros((len(texts), len(texts))), np.zeros(len(texts))
    smooth, any_match = np.ones_like(logs), np.zeros(logs.shape, dtype=np.bool_)
    for order in range(1, 5):
        shared, totals = shared_ngrams(words, order)
        smooth = np.where(shared > 0, smooth, 2 * smooth)
        counts = np.where(shared > 0, shared, 1 / smooth)
        has_order = totals > 0
        logs += np.where(has_order[:, None], np.log(counts / np.maximum(totals, 1)[:, None]), 0.0)
        orders += has_order
        any_match |= shared > 0
    brevity = np.minimum(0.0, 1 - lengths / np.maximum(lengths, 1)[:, None])
    scores = 100 * np.exp(brevity + logs / np.maximum(orders, 1)[:, None])
    return np.where(any_match, scores, 0.0)


def shared_ngrams(texts: Sequence[Sequence[Hashable]], order: int) -> tuple[Numbers, Numbers]:
    """How many n-grams of an order every two of U texts share, (U, U), and how many each has, (U,)."""
    numbers: dict[Hashable, int] = {}
    rows, columns = [], []
    for row, text in enumerate(texts):
        seen: Counter[Hashable] = Counter()
        for ngram in zip(*(text[start:] for start in range(order)), strict=False):
            seen[ngram] += 1
            rows.append(row)
            columns.append(numbers.setdefault((ngram, seen[ngram]), len(numbers)))
    items = np.zeros((len(texts), len(numbers)), dtype=np.float32)
    items[rows, columns] = 1
    return (items @ items.T).astype(np.float64), items.sum(axis=1, dtype=np.float64)


UTILITIES: dict[str, Callable[..., Numbers]] = {"chrf": sentence_chrf, "bleu": sentence_bleu}

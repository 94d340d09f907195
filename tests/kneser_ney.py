"""An n-gram language model that a recurrent one has to beat: interpolated modified Kneser-Ney smoothing.

Chen & Goodman (1999), An empirical study of smoothing techniques for language modeling; the start of a sequence is
counted as in Heafield et al. (2013), Scalable modified Kneser-Ney language model estimation, whose KenLM agrees.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from math import log

__all__ = ["FALLBACK", "START", "KneserNey"]

START = object()  # what stands before the first token; none of the tokens, and never predicted
FALLBACK = (0.5, 1.0, 1.5)

Gram = tuple[Hashable, ...]


@dataclass(frozen=True)
class KneserNey:
    """Probabilities of tokens after up to ``order - 1`` others, made by ``KneserNey.of``.

    ``p(w | h) = discounted[h w] + backoff[h] p(w | h')``, where h' is h without its first token, down to the uniform
    distribution: ``p(w) = discounted[w] + backoff[] / V``. What was never counted has a ``discounted`` of zero and a
    ``backoff`` of one, so a token that was never seen has a probability too, as if it was one of the V.

    Args:
        order: length of the longest n-gram, N.
        vocabulary_size: number of tokens that could come next, the end mark among them and START not, V.
        discounts: D1, D2 and D3+ of every order from 1 to N.
        discounted: of every n-gram the share ``(c - D(c)) / sum of c`` that is left to it among those of its context.
        backoff: of every context the share that its n-grams lost.
    """

    order: int
    vocabulary_size: int
    discounts: tuple[tuple[float, float, float], ...]
    discounted: dict[Gram, float]
    backoff: dict[Gram, float]

    @classmethod
    def of(cls, sequences: Iterable[Sequence[Hashable]], order: int = 5, *, vocabulary_size: int) -> "KneserNey":
        """Estimate from sequences, the last token of each being the end mark.

        Raises:
            ValueError: the order is below one, or there are more tokens than the vocabulary has.
        """
        if order < 1:
            raise ValueError(f"order={order} is no length of an n-gram; give 1 or more")
        counts = count(sequences, order)
        if len(counts[0]) > vocabulary_size:
            raise ValueError(
                f"vocabulary_size={vocabulary_size}, but the sequences have {len(counts[0])} different tokens; "
                "give the number of all tokens, the end mark included"
            )
        discounts = tuple(discounts_of(grams) for grams in counts)
        discounted: dict[Gram, float] = {}
        backoff: dict[Gram, float] = {}
        for grams, amounts in zip(counts, discounts, strict=True):
            total: Counter[Gram] = Counter()
            lost: dict[Gram, float] = {}
            for gram, number in grams.items():
                context = gram[:-1]
                total[context] += number
                lost[context] = lost.get(context, 0.0) + amounts[min(number, 3) - 1]
            for gram, number in grams.items():
                discounted[gram] = (number - amounts[min(number, 3) - 1]) / total[gram[:-1]]
            for context, amount in lost.items():
                backoff[context] = amount / total[context]
        return cls(order, vocabulary_size, discounts, discounted, backoff)

    def probability(self, token: Hashable, context: Sequence[Hashable] = ()) -> float:
        """Return p(token | context), of which the last ``order - 1`` tokens matter; a whole one begins with START."""
        context = tuple(context[max(0, len(context) - self.order + 1) :])
        probability = 1 / self.vocabulary_size
        for start in range(len(context), -1, -1):
            known = context[start:]
            if known not in self.backoff:
                break  # nor is any longer context
            probability = self.discounted.get((*known, token), 0.0) + self.backoff[known] * probability
        return probability

    def log_probs(self, sequence: Sequence[Hashable]) -> list[float]:
        """Return the natural logarithm of the probability of every token of a sequence, after all before it."""
        padded = (START, *sequence)
        return [
            log(self.probability(padded[end], padded[max(0, end - self.order + 1) : end]))
            for end in range(1, len(padded))
        ]


def count(sequences: Iterable[Sequence[Hashable]], order: int) -> list[Counter[Gram]]:
    """Count the n-grams of every length from 1 to the order, of which none ends in START.

    The longest are counted as often as they occur; a shorter one by the different tokens it follows, START being one,
    or, when it begins with START and follows nothing, as often as it occurs.
    """
    counts: list[Counter[Gram]] = [Counter() for _ in range(order)]
    for sequence in sequences:
        padded = (START, *sequence)
        for end in range(2, len(padded) + 1):
            gram = padded[max(0, end - order) : end]
            counts[len(gram) - 1][gram] += 1
    for length in range(order - 1, 0, -1):
        counts[length - 1].update(gram[1:] for gram in counts[length])
    return counts


def discounts_of(grams: Counter[Gram]) -> tuple[float, float, float]:
    """Estimate what is taken from counts of one, of two, and of three or more, from the counts of one length.

    D1 = 1 - 2 Y n2 / n1, D2 = 2 - 3 Y n3 / n2, D3+ = 3 - 4 Y n4 / n3 with Y = n1 / (n1 + 2 n2), where so many n-grams
    nk have a count of k. None is above its count. Where n1, n2 or n3 is zero or one is not above zero, as in small or
    artificial data, all three are FALLBACK, as with KenLM's ``lmplz --discount_fallback``.
    """
    of_count = Counter(grams.values())
    n1, n2, n3, n4 = (of_count[number] for number in (1, 2, 3, 4))
    if not (n1 and n2 and n3):
        return FALLBACK
    y = n1 / (n1 + 2 * n2)
    discounts = (1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3)
    return discounts if min(discounts) > 0 else FALLBACK

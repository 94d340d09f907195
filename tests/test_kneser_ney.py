"""The n-gram language model against sums worked by hand and against its equations written down once more."""

import random
from collections import Counter
from itertools import combinations
from math import exp, log

import pytest
from kneser_ney import FALLBACK, START, KneserNey

END = "."
TINY = [["a", "b", END], ["a", "c", END]]


def random_sequences(number, *, tokens=8, longest=7, seed=0):
    """Sequences of the tokens 1, 2, ..., token k being drawn as often as 1 / k; each ends in 0."""
    draw = random.Random(seed)
    weights = [1 / token for token in range(1, tokens + 1)]
    return [[*draw.choices(range(1, tokens + 1), weights, k=draw.randint(0, longest)), 0] for _ in range(number)]


def markov_sequences(number, *, tokens=6, seed=0):
    """Sequences in which the two tokens before mostly say which is next: a Markov source of order two."""
    draw = random.Random(seed)
    sequences = []
    for _ in range(number):
        sequence = [0, 0]
        for _ in range(20):
            likely = (3 * sequence[-1] + 2 * sequence[-2] + 1) % tokens
            sequence.append(likely if draw.random() < 0.8 else draw.randrange(tokens))
        sequences.append([*sequence[2:], tokens])
    return sequences


class ByTheEquations:
    """The same model, one probability after another from how often every stretch of tokens occurs."""

    def __init__(self, sequences, order, vocabulary):
        self.order, self.vocabulary = order, vocabulary
        padded = [(START, *sequence) for sequence in sequences]
        stretches = [combinations(range(len(one) + 1), 2) for one in padded]
        self.occurrences = Counter(
            one[start:end] for one, places in zip(padded, stretches, strict=True) for start, end in places
        )

    def c(self, gram):
        """Occurrences of the longest n-grams and those at the start, N1+(• gram) of all others."""
        if len(gram) == self.order or gram[0] is START:
            return self.occurrences[gram]
        return sum(self.occurrences[before, *gram] > 0 for before in [START, *self.vocabulary])

    def discount(self, length, number):
        counts = [self.c(gram) for gram in self.occurrences if len(gram) == length and gram != (START,)]
        n1, n2, n3, n4 = (counts.count(k) for k in (1, 2, 3, 4))
        discounts = FALLBACK
        if 0 not in (n1, n2, n3):
            y = n1 / (n1 + 2 * n2)
            estimated = (1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3)
            discounts = estimated if all(one > 0 for one in estimated) else FALLBACK
        return discounts[0] if number == 1 else discounts[1] if number == 2 else discounts[2]

    def p(self, token, context):
        """Chen & Goodman's interpolation, with the uniform distribution below unigrams."""
        lower = self.p(token, context[1:]) if context else 1 / len(self.vocabulary)
        counts = {word: self.c((*context, word)) for word in self.vocabulary}
        total = sum(counts.values())
        if not total:
            return lower
        lost = {word: self.discount(len(context) + 1, number) for word, number in counts.items() if number}
        return (counts[token] - lost.get(token, 0)) / total + sum(lost.values()) / total * lower


@pytest.mark.parametrize("order", [1, 2, 3, 5])
@pytest.mark.parametrize("context", [(), (START,), (START, 1), (1, 2, 1, 1), (8, 7, 8, 7), (99,), (99, 1), (1, 99)])
def test_probabilities_of_the_vocabulary_sum_to_one_after_any_context(order, context):
    model = KneserNey.of(random_sequences(200), order, vocabulary_size=12)
    probabilities = [model.probability(token, context) for token in range(12)]
    assert sum(probabilities) == pytest.approx(1, abs=1e-9)
    assert min(probabilities) > 0


@pytest.mark.parametrize("order", [2, 3])
def test_probabilities_are_those_worked_by_hand(order):
    """Two sequences, a b . and a c ., and a vocabulary of five: no n3, so D = 0.5, 1, 1.5 in every order.

    Unigrams follow so many different tokens: a, b and c one each (a follows START), the end two; five together.
    They lose 3 (0.5) + 1 = 2.5 of 5, a half, to the uniform 1/5: unseen 0.1, a, b and c 0.5/5 + 0.1 = 0.2,
    the end (2 - 1)/5 + 0.1 = 0.3.
    Bigrams: START a is counted twice, so p(a | START) = (2 - 1)/2 + 1/2 (0.2) = 0.6. After a come b and c, once each:
    p(b | a) = 0.5/2 + 1/2 (0.2) = 0.35. After b the end alone: p(. | b) = 0.5/1 + 0.5 (0.3) = 0.65.
    p(. | a) = 1/2 (0.3) = 0.15. After the end and after what was never seen nothing comes: as unigrams.
    Trigrams: p(b | START a) = 0.5/2 + 1/2 (0.35) = 0.425 and p(. | a b) = 0.5/1 + 0.5 (0.65) = 0.825.
    """
    model = KneserNey.of(TINY, order, vocabulary_size=5)
    assert [model.probability(token) for token in "abc.?"] == pytest.approx([0.2, 0.2, 0.2, 0.3, 0.1], abs=1e-12)
    assert model.probability("a", [START]) == pytest.approx(0.6, abs=1e-12)
    assert model.probability("b", ["a"]) == pytest.approx(0.35, abs=1e-12)
    assert model.probability(END, ["a"]) == pytest.approx(0.15, abs=1e-12)
    assert model.probability("a", [END]) == model.probability("a", ["?"]) == model.probability("a")
    expected = [0.6, 0.35, 0.65] if order == 2 else [0.6, 0.425, 0.825]
    assert model.log_probs(TINY[0]) == pytest.approx([log(one) for one in expected], abs=1e-12)


def test_discounts_are_those_worked_by_hand():
    """Of eight tokens four are counted once, two twice, one three times and one four times: Y = 4 / (4 + 4) = 1/2.

    D1 = 1 - 2 (1/2) 2/4 = 0.5, D2 = 2 - 3 (1/2) 1/2 = 1.25, D3+ = 3 - 4 (1/2) 1/1 = 1. Of 15 they take
    4 (0.5) + 2 (1.25) + 2 (1) = 6.5, of which each of ten tokens has a tenth.
    """
    model = KneserNey.of(["abcdeeffggghhhh"], 1, vocabulary_size=10)
    assert model.discounts == ((0.5, 1.25, 1.0),)
    expected = [(left + 0.65) / 15 for left in (0.5, 0.75, 2, 3, 0)]
    assert [model.probability(token) for token in "aegh?"] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("tokens", "what"),
    [
        ("", "nothing"),
        ("aab", "no count of three"),
        ("aabbb", "no count of one"),
        ("abcdeefffggg", "D2 below zero"),
        ("abccdddeeeeffffgggg", "D3+ below zero"),
    ],
)
def test_discounts_that_make_no_sense_fall_back(tokens, what):
    model = KneserNey.of([tokens] if tokens else [], 1, vocabulary_size=10)
    assert model.discounts == (FALLBACK,), what
    assert sum(map(model.probability, "abcdefgh??")) == pytest.approx(1, abs=1e-9)


def test_a_model_of_nothing_is_uniform():
    assert KneserNey.of([], vocabulary_size=4).log_probs("ab") == pytest.approx([log(1 / 4)] * 2)


def test_francisco_is_frequent_but_seldom_comes_after_anything_but_san():
    places = [["in", "San", "Francisco", END]] * 9
    glasses = [[colour, "glasses", END] for colour in ("my", "dark", "red", "two", "broken")]
    model = KneserNey.of(places + glasses, 2, vocabulary_size=20)
    assert model.probability("Francisco", ["reading"]) < model.probability("glasses", ["reading"])
    assert model.probability("Francisco", ["San"]) > 0.8
    frequencies = KneserNey.of(places + glasses, 1, vocabulary_size=20)
    assert frequencies.probability("Francisco") > frequencies.probability("glasses")


@pytest.mark.parametrize(("order", "number"), [(1, 3), (2, 12), (3, 12), (4, 8), (5, 8)])
def test_probabilities_are_those_of_the_equations(order, number):
    sequences, unseen = random_sequences(number, tokens=9, seed=1), [[10, 1, 1, 9, 2, 0], [0]]
    model = KneserNey.of(sequences, order, vocabulary_size=11)
    naive = ByTheEquations(sequences, order, range(11))
    assert any(discounts != FALLBACK for discounts in model.discounts)
    for sequence in [*sequences[:4], *unseen]:
        padded = (START, *sequence)
        expected = [naive.p(padded[end], padded[max(0, end + 1 - order) : end]) for end in range(1, len(padded))]
        assert [exp(one) for one in model.log_probs(sequence)] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("order", "expected"), [(2, -206.82723), (3, -209.89496), (4, -210.81625), (5, -216.70123)])
def test_kenlm_gives_the_same(order, expected):
    """What ``lmplz -o ORDER --discount_fallback`` of KenLM 0.3.0 made of the same; its floats have 32 bits."""
    model = KneserNey.of(random_sequences(200), order, vocabulary_size=10)
    test = random_sequences(20, tokens=9, seed=1)
    assert sum(sum(model.log_probs(sequence)) for sequence in test) == pytest.approx(expected, abs=1e-4)


def test_longer_contexts_foresee_a_markov_source_better():
    train, test = markov_sequences(300), markov_sequences(50, seed=1)

    def loss(order):
        model = KneserNey.of(train, order, vocabulary_size=7)
        return -sum(sum(model.log_probs(sequence)) for sequence in test) / sum(map(len, test))

    assert loss(3) + 0.2 < loss(2) < loss(1) - 0.02
    assert loss(5) == pytest.approx(loss(3), abs=0.1)


def test_tokens_may_be_anything_that_can_be_a_key():
    sequences = random_sequences(50)
    words = [[f"word {token}" for token in sequence] for sequence in sequences]
    of_numbers, of_words = (KneserNey.of(one, vocabulary_size=9) for one in (sequences, words))
    assert [of_numbers.log_probs(one) for one in sequences] == [of_words.log_probs(one) for one in words]


def test_a_vocabulary_that_is_too_small_is_refused():
    with pytest.raises(ValueError, match="vocabulary_size=3, but the sequences have 4 different tokens"):
        KneserNey.of(TINY, vocabulary_size=3)


def test_an_order_below_one_is_refused():
    with pytest.raises(ValueError, match="order=0"):
        KneserNey.of(TINY, 0, vocabulary_size=4)

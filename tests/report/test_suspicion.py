"""Measures of suspicion on matrices made by hand, and the order they put good and bad translations into."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from translations import ABSENT, GERMAN, GOOD, HALF, LOOP, view

from s2s.errors import InputError
from s2s.report.sheet import View
from s2s.report.suspicion import confidence, suspicion
from s2s.report.words import merge_pieces


def spread(source: str, target: str) -> View:
    sure = view(source, target, [0] * len(target.split()))
    return View(sure.source, sure.target, np.full(sure.weights.shape, 1 / len(sure.source)), sure.log_probs)


def unsure(words: View, **probabilities: float) -> View:
    log_probs = [math.log(probabilities.get(word, 1.0)) for word in words.target]
    return View(words.source, words.target, words.weights, tuple(log_probs))


GUESSED = view(GERMAN, "The little dog runs very fast through the park . </s>", probability=0.4)


def test_nothing_speaks_against_a_certain_translation_that_looks_at_each_word_once() -> None:
    found = suspicion(view(GERMAN, "The little dog runs very fast through the park . </s>"))
    assert found.score == found.confidence == found.coverage_deviation == found.attention_entropy == 0
    assert (found.perplexity, found.length_ratio, found.reasons) == (1, 1, ())


@given(order=st.permutations(range(6)))
def test_one_to_one_attention_has_full_confidence_in_any_order(order: list[int]) -> None:
    assert confidence(np.eye(6)[order]) == 0


@given(seed=st.integers(0, 2**16), rows=st.integers(1, 8), columns=st.integers(1, 8))
def test_confidence_is_never_above_zero(seed: int, rows: int, columns: int) -> None:
    weights = np.random.default_rng(seed).dirichlet(np.full(columns, 0.3), size=rows)
    assert confidence(weights) <= 1e-12


def test_confidence_is_the_sum_of_the_three_penalties() -> None:
    weights = np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]])
    deviation = -(math.log(1 + 0.5**2) + math.log(1 + 0.5**2) + math.log(2)) / 3
    outwards = -math.log(2) / 2
    inwards = (math.log(1 / 3) / 3 + 2 / 3 * math.log(2 / 3)) / 3
    assert confidence(weights) == pytest.approx(deviation + outwards + inwards, abs=1e-12)


def test_coverage_is_measured_against_the_average_weight_of_a_word() -> None:
    assert suspicion(view("a b", "A A B B", [0, 0, 1, 1])).coverage_deviation == 0
    uneven = suspicion(view("a b", "A A A B", [0, 0, 0, 1]))
    assert uneven.coverage_deviation == pytest.approx(math.log(1 + 0.5**2), abs=1e-12)


def test_entropy_tells_how_many_words_are_looked_at_whatever_the_length() -> None:
    for size in (2, 9):
        found = suspicion(spread("a " * size, "b c"))
        assert math.exp(found.attention_entropy) == pytest.approx(size)
    assert suspicion(spread("a b c", "d e")).reasons == ("attention is spread over 3.0 words",)


def test_phrases_never_looked_at_are_named_with_their_marks_the_longest_first() -> None:
    source = "Der Hund , schnell und schön , läuft im Park . </s>"
    found = suspicion(view(source, "The dog . </s>", [0, 1, 10, 11]))
    assert found.never_looked_at == ("schnell und schön, läuft im Park",)
    found = suspicion(view(source, "The dog and runs . </s>", [0, 1, 4, 7, 10, 11]))
    assert found.never_looked_at == ("im Park",)
    found = suspicion(view("a b c d e f", "C", [2]))
    assert found.never_looked_at == ("d e f", "a b")
    assert "never looked at: d e f / a b" in found.reasons


def test_an_article_read_from_the_word_beside_it_is_no_reason() -> None:
    assert suspicion(view("in einem Park </s>", "in park park </s>", [0, 2, 2, 3])).never_looked_at == ()


def test_marks_and_the_end_may_go_unseen() -> None:
    assert suspicion(view("Hund ! ! . </s>", "dog", [0])).never_looked_at == ()
    assert suspicion(view("! . </s>", "! . </s>")).reasons == ()


def test_characters_of_one_piece_that_was_looked_at_are_all_seen() -> None:
    pieces = View(
        ("▁我", "在", "图书馆", "学习", "。", "</s>"),
        ("▁I", "▁study", "▁in", "▁the", "▁library", ".", "</s>"),
        np.eye(6)[[0, 3, 1, 1, 2, 4, 5]],
        (0.0,) * 7,
    )
    found = suspicion(merge_pieces(pieces))
    assert (found.never_looked_at, found.looked_at_often, found.reasons) == ((), (), ())
    dropped = View(pieces.source, pieces.target, np.eye(6)[[0, 3, 1, 1, 3, 4, 5]], pieces.log_probs)
    assert suspicion(merge_pieces(dropped)).never_looked_at == ("图书馆",)


def test_a_short_translation_does_not_hide_what_it_dropped() -> None:
    assert suspicion(view("我 喜 欢 图 书 馆 </s>", "I </s>", [0, 6])).never_looked_at == ("喜欢图书馆",)


def test_a_little_weight_is_enough_to_be_seen_and_less_of_it_in_a_long_source() -> None:
    assert suspicion(spread("a " * 40, "b c")).never_looked_at == ()
    glance = View(("a", "b", "c"), ("A", "B", "C"), np.array([[0.8, 0.1, 0.1]] * 3), (0.0,) * 3)
    assert suspicion(glance).never_looked_at == ()
    less = View(("a", "b", "c"), ("A", "B", "C"), np.array([[0.94, 0.03, 0.03]] * 3), (0.0,) * 3)
    assert suspicion(less).never_looked_at == ("b c",)


def test_words_looked_at_too_often_are_named_with_their_weight() -> None:
    found = suspicion(view("a Haus c d e f g", "a h h h h c d", [0, 1, 1, 1, 1, 2, 3]))
    assert found.looked_at_often == (("Haus", 4.0),)
    assert "looked at too often: Haus (4.0)" in found.reasons


def test_in_a_long_translation_every_word_is_due_more_weight() -> None:
    assert suspicion(view("a Haus c d", "a h h h h c d", [0, 1, 1, 1, 1, 2, 3])).looked_at_often == ()


def test_a_word_with_three_counterparts_is_no_reason() -> None:
    assert (
        suspicion(view("Kaffeemaschine a b c </s>", "coffee making machine </s>", [0, 0, 0, 4])).looked_at_often == ()
    )
    assert suspicion(view("library . </s>", "图 书 馆 。 </s>", [0, 0, 0, 1, 2])).looked_at_often == ()
    assert suspicion(view("狗 在 这 里 。 </s>", "the dog here . </s>", [0, 0, 2, 4, 5])).looked_at_often == ()


def test_characters_looked_at_too_often_are_told_as_one_phrase_with_the_weight_of_all() -> None:
    pieces = View(
        ("▁我们今天不要去那个", "书店", "</s>"), ("▁shop",) * 6 + ("</s>",), np.eye(3)[[1] * 6 + [2]], (0.0,) * 7
    )
    assert suspicion(merge_pieces(pieces)).looked_at_often == (("书店", 6.0),)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("the dog runs in the park and in the sun", ()),
        ("a man in dark suits , A Man in dark suits", ("A Man in dark suits",)),
        ("he wants to be to be to be to be", ("to be",)),
        ("the the end", ("the",)),
        ("谢 谢 你 看 看 书", ()),
        ("一 个 男 人 和 一 个 女 人", ()),
        ("我 们 研 究 研 究 研 究", ("研究",)),
        ("在 公 园 的 长 椅 旁 坐 在 公 园 的 长 椅", ("在公园的长椅",)),
        ("我 用 iPhone 上 网 看 书 用 iPhone 上 网 看", ("用iPhone上网看",)),
        (". . . . </s>", ()),
    ],
)
def test_what_the_target_says_again_is_found(target: str, expected: tuple[str, ...]) -> None:
    assert suspicion(view("a b", target, [0] * len(target.split()))).said_again == expected


def test_what_the_source_repeats_may_be_repeated() -> None:
    target = "this and that , this and that"
    as_often = suspicion(view("dies und das , dies und das", target))
    assert (as_often.said_again, as_often.repeated_share) == ((), 0)
    assert suspicion(view("dies und das , dies und jenes", target)).repeated_share == 0.5


def test_the_least_likely_word_is_named_with_its_probability() -> None:
    found = suspicion(unsure(view("die Bank </s>", "the bank </s>"), bank=0.03))
    assert (found.least_likely, round(found.least_probability, 6)) == ("bank", 0.03)
    assert found.reasons == ("unsure of: bank (p = 0.03)",)
    assert (
        suspicion(unsure(view("die Bank </s>", "the bank </s>"), the=1e-5)).reasons[0] == "unsure of: the (p < 0.001)"
    )
    early = suspicion(unsure(view("die Bank </s>", "the bank </s>"), **{"</s>": 0.01}))
    assert early.reasons == ("unsure of: ending here (p = 0.01)",)


def test_perplexity_is_the_exponential_of_the_mean_per_word() -> None:
    found = suspicion(unsure(view("a b", "A B"), A=0.5, B=0.125))
    assert found.mean_log_prob == pytest.approx(math.log(0.25))
    assert found.perplexity == pytest.approx(4)
    assert "unsure throughout (perplexity 10)" in suspicion(view("a b", "A B", probability=0.1)).reasons


def test_lengths_are_compared_in_words_of_which_two_chinese_characters_make_one() -> None:
    assert suspicion(view("a b c .", "我 在 图 书 馆 学 。 </s>", [0] * 8)).length_ratio == 1
    assert "short (length ratio 0.25)" in suspicion(view("a b c d", "a")).reasons
    assert "long (length ratio 3.00)" in suspicion(view("a", "a b c", [0, 0, 0])).reasons


def test_the_score_is_the_sum_of_four_measures() -> None:
    found = suspicion(view("a b", "A A A B", [0, 0, 0, 1], probability=0.5))
    expected = math.log(2) + math.log(1 + 0.5**2) + 0.5
    assert found.score == pytest.approx(expected, abs=1e-12)
    assert suspicion(spread("a b", "A B")).score == pytest.approx(math.log(2), abs=1e-12)


def test_bad_translations_score_higher_than_a_good_one() -> None:
    scores = {name: suspicion(words).score for name, words in {"half": HALF, "loop": LOOP, "absent": ABSENT}.items()}
    assert min(scores.values()) > 2 * suspicion(GOOD).score > 0
    assert suspicion(GUESSED).score > suspicion(GOOD).score
    assert suspicion(GOOD).reasons == ()


def test_each_kind_of_bad_translation_has_its_own_reason() -> None:
    kinds = [suspicion(words).reasons for words in (HALF, LOOP, ABSENT)]
    assert [reasons[0].split(":")[0] for reasons in kinds] == [
        "never looked at",
        "said again",
        "attention is spread over 8.3 words",
    ]


def test_score_and_reasons_are_in_the_record() -> None:
    record = suspicion(LOOP).as_dict()
    assert json.loads(json.dumps(record)) == record
    assert record["score"] == pytest.approx(suspicion(LOOP).score, abs=1e-6)
    assert record["reasons"] == ["said again: little dog runs"]
    assert record["perplexity"] == round(1 / 0.9, 6)
    often = suspicion(view("a Haus c d e f g", "a h h h h c d", [0, 1, 1, 1, 1, 2, 3])).as_dict()
    assert often["looked_at_often"] == [["Haus", 4.0]]


def test_a_side_without_words_is_refused() -> None:
    with pytest.raises(InputError, match="0 source and 1 target words, expected at least 1 of each"):
        suspicion(View((), ("a",), np.zeros((1, 0)), (0.0,)))

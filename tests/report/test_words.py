"""Words and attention between them, each against an answer worked by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2s.errors import InputError
from s2s.report.sheet import View
from s2s.report.words import merge_pieces, spread_links, words

PIECES = st.lists(st.sampled_from(["▁", "▁Haus", "es", "n.", "我们", "，好", "<unk>", "-", "’s", " ", ""]), max_size=8)


def merge(weights, source, target, log_probs=None):
    return merge_pieces(View(tuple(source), tuple(target), weights, log_probs or (0.0,) * len(target)))


def cut(text: str) -> list[str]:
    return [text[start:end] for start, end in words(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Die Katze sitzt.", ["Die", "Katze", "sitzt", "."]),
        ("don't l’eau Baden-Baden", ["don't", "l’eau", "Baden-Baden"]),
        ("我们见面。", ["我", "们", "见", "面", "。"]),
        ("我有3只iPhone！", ["我", "有", "3", "只", "iPhone", "！"]),
        ("'tis - so", ["'", "tis", "-", "so"]),
        (" \t", []),
    ],
)
def test_words_are_runs_of_letters_chinese_characters_and_marks(text: str, expected: list[str]) -> None:
    assert cut(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("वह किताब पढ़ती है।", ["वह", "किताब", "पढ़ती", "है", "।"]),
        ("\u0915\u094d\u200d\u0937", ["\u0915\u094d\u200d\u0937"]),
        ("السَّلَامُ عَلَيْكُمْ؟", ["السَّلَامُ", "عَلَيْكُمْ", "؟"]),
        ("می\u200cخواهم", ["می\u200cخواهم"]),
        ("cafe\u0301 l’e\u0301te\u0301", ["cafe\u0301", "l’e\u0301te\u0301"]),
        ("สวัสดี ฉัน", ["สวัสดี", "ฉัน"]),
        ("한국어가 좋다", ["한국어가", "좋다"]),
        ("Wort\u00adtrennung", ["Wort\u00adtrennung"]),
        ("葛\U000e0100城𠮷", ["葛\U000e0100", "城", "𠮷"]),
    ],
)
def test_marks_and_joiners_stay_with_their_letters(text: str, expected: list[str]) -> None:
    assert cut(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("人々は食べる。", ["人", "々", "は", "食", "べる", "。"]),
        ("これはラーメンです", ["これは", "ラーメン", "です"]),
        ("らーめんとﾊﾞﾅﾅ", ["らーめんと", "ﾊﾞﾅﾅ"]),
        ("か\u3099きiPhoneは", ["か\u3099き", "iPhone", "は"]),
    ],
)
def test_kanji_are_words_and_so_are_runs_of_one_kind_of_kana(text: str, expected: list[str]) -> None:
    assert cut(text) == expected


FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
EMOJI = [FAMILY, "👍🏽", "❤\ufe0f", "❤\ufe0f\u200d🔥", "🇩🇪", "🇫🇷", "1\ufe0f\u20e3", "#\ufe0f\u20e3", "😀"]


@given(emoji=st.lists(st.sampled_from(EMOJI), max_size=6))
def test_an_emoji_is_one_word_however_it_is_made_up(emoji: list[str]) -> None:
    assert cut("".join(emoji)) == emoji
    assert cut("".join(f"{one}a" for one in emoji)) == [word for one in emoji for word in (one, "a")]


@pytest.mark.parametrize("unseen", ["\u200b", "\u200e", "\ufeff", "\x07"])
def test_a_character_that_shows_nothing_is_no_word(unseen: str) -> None:
    assert cut(f"{unseen} 好{unseen}。{unseen}") == ["好", "。"]
    merged = merge(np.array([[0.25, 0.25, 0.5]]), ["▁", unseen, "好"], ["▁x"])
    assert (merged.source, merged.weights.tolist()) == (("好",), [[1.0]])


def test_words_are_spans_of_the_text_as_given() -> None:
    assert words("  a 我") == [(2, 3), (4, 5)]


def test_source_pieces_are_summed_and_target_pieces_averaged() -> None:
    attention = np.array([[0.5, 0.25, 0.25], [0.125, 0.25, 0.625], [0.0, 0.0, 1.0]])
    merged = merge(attention, ["▁Haus", "es", "</s>"], ["▁hou", "se", "</s>"])
    assert list(merged.source) == ["Hauses", "</s>"]
    assert list(merged.target) == ["house", "</s>"]
    np.testing.assert_allclose(merged.weights, [[0.5625, 0.4375], [0.0, 1.0]], atol=1e-15)


def test_a_source_piece_over_several_words_is_shared_by_characters() -> None:
    merged = merge(np.array([[0.9, 0.1]]), ["▁an.", "我们"], ["▁x"])
    assert list(merged.source) == ["an", ".", "我", "们"]
    np.testing.assert_allclose(merged.weights, [[0.6, 0.3, 0.05, 0.05]], atol=1e-15)


def test_a_target_piece_over_several_words_counts_for_each() -> None:
    merged = merge(np.array([[1.0, 0.0], [0.0, 1.0]]), ["▁a", "▁b"], ["▁了", "面。"])
    assert list(merged.target) == ["了", "面", "。"]
    np.testing.assert_array_equal(merged.weights, [[1, 0], [0, 1], [0, 1]])


def test_a_blank_piece_goes_to_the_word_after_it() -> None:
    merged = merge(np.array([[0.25, 0.25, 0.25, 0.25]]), ["▁a", "▁", "我", "</s>"], ["▁x"])
    np.testing.assert_allclose(merged.weights, [[0.25, 0.5, 0.25]], atol=1e-15)


def test_a_blank_piece_after_the_last_word_goes_to_that_word() -> None:
    merged = merge(np.array([[0.25, 0.75]]), ["▁a", "▁"], ["▁x"])
    np.testing.assert_allclose(merged.weights, [[1.0]], atol=1e-15)


def test_the_end_of_an_empty_sentence_is_its_only_word() -> None:
    merged = merge(np.array([[1.0]]), ["</s>"], ["</s>"])
    assert (merged.source, merged.target) == (("</s>",), ("</s>",))


@given(source=PIECES, target=PIECES, seed=st.integers(0, 2**16))
def test_rows_keep_summing_to_one_whatever_the_pieces(source: list[str], target: list[str], seed: int) -> None:
    source, target = [*source, "</s>"], [*target, "</s>"]
    attention = np.random.default_rng(seed).dirichlet(np.ones(len(source)), size=len(target))
    merged = merge(attention, source, target)
    assert merged.weights.shape == (len(merged.target), len(merged.source))
    np.testing.assert_allclose(merged.weights.sum(axis=1), 1, atol=1e-12)
    assert (merged.weights >= 0).all()


def test_merged_words_are_those_of_the_text_the_pieces_came_from() -> None:
    pieces = ["▁Sie", "▁sah", "en", "▁Baden", "-", "Baden", "▁don", "’", "t", "我们", "。", "</s>"]
    merged = merge(np.ones((1, 12)) / 12, pieces, ["▁x"])
    assert list(merged.source) == [*cut("Sie sahen Baden-Baden don’t我们。"), "</s>"]


def test_log_probabilities_of_pieces_are_summed_and_shared_out_over_their_words() -> None:
    merged = merge(np.ones((4, 1)), ["▁a"], ["▁hou", "se", "面。", "</s>"], (-1.0, -0.5, -3.0, -0.25))
    assert list(merged.target) == ["house", "面", "。", "</s>"]
    np.testing.assert_allclose(merged.log_probs, [-1.5, -1.5, -1.5, -0.25])


def test_every_part_is_merged_like_the_weights() -> None:
    weights = np.array([[0.5, 0.25, 0.25]])
    pieces = View(("▁Haus", "es", "</s>"), ("▁x",), weights, (0.0,), {"head 1": weights[:, ::-1].copy()})
    np.testing.assert_allclose(merge_pieces(pieces).parts["head 1"], [[0.5, 0.5]])


def test_a_matrix_that_does_not_fit_its_pieces_is_refused() -> None:
    with pytest.raises(InputError, match=r"shape \(2, 3\), expected \(target, source\) = \(3, 2\)"):
        merge(np.ones((2, 3)), ["▁a", "▁b"], ["▁a", "▁b", "▁c"])


@pytest.mark.parametrize("pieces", [[], ["▁"]])
def test_pieces_without_a_word_are_refused(pieces: list[str]) -> None:
    with pytest.raises(InputError, match="no word in the source pieces"):
        merge(np.ones((1, len(pieces))), pieces, ["▁x"])


def test_links_are_spread_over_pieces_by_their_characters() -> None:
    source, target = ["我们", "图书", "馆", "</s>"], ["▁we", "▁lib", "rary", "!", "</s>"]
    weights = spread_links([(0, 0), (1, 0), (2, 1), (3, 1), (4, 1)], source, target)
    library = [0, 2 / 3, 1 / 3, 0]
    expected = [[1, 0, 0, 0], library, library, [0, 0, 0, 1], [0, 0, 0, 1]]
    np.testing.assert_allclose(weights, expected, atol=1e-15)


def test_a_piece_over_two_linked_words_has_a_share_of_each() -> None:
    weights = spread_links([(0, 0), (1, 1)], ["▁a", "▁b", "</s>"], ["我的书", "</s>"])
    np.testing.assert_allclose(weights, [[1 / 3, 1 / 3, 1 / 3], [0, 0, 1]], atol=1e-15)


def test_sentences_that_stand_in_a_line_share_no_word() -> None:
    """By hand: each has its own end, which is a word, and no piece before it counts for the next."""
    tokens = ("▁ein", "s", "</s>", "zwei", "</s>")
    found = merge_pieces(View(tokens, tokens, np.eye(5), (-1.0, -2.0, -3.0, -4.0, -5.0)))
    assert found.source == found.target == ("eins", "</s>", "zwei", "</s>")
    assert found.log_probs == (-3.0, -3.0, -4.0, -5.0)
    assert found.weights.tolist() == np.eye(4).tolist()

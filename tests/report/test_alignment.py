"""Words, merged attention, links and the alignment error rate, each against an answer worked by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2s.errors import InputError
from s2s.report.alignment import (
    WordAttention,
    alignment_error_rate,
    hard_links,
    merge_pieces,
    read_links,
    words,
)

PIECES = st.lists(st.sampled_from(["▁", "▁Haus", "es", "n.", "我们", "，好", "<unk>", "-", "’s", " ", ""]), max_size=8)


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


def test_words_are_spans_of_the_text_as_given() -> None:
    assert words("  a 我") == [(2, 3), (4, 5)]


def test_source_pieces_are_summed_and_target_pieces_averaged() -> None:
    attention = np.array([[0.5, 0.25, 0.25], [0.125, 0.25, 0.625], [0.0, 0.0, 1.0]])
    merged = merge_pieces(attention, ["▁Haus", "es", "</s>"], ["▁hou", "se", "</s>"])
    assert merged.source_words == ["Hauses", "</s>"]
    assert merged.target_words == ["house", "</s>"]
    np.testing.assert_allclose(merged.weights, [[0.5625, 0.4375], [0.0, 1.0]], atol=1e-15)


def test_a_source_piece_over_several_words_is_shared_by_characters() -> None:
    merged = merge_pieces(np.array([[0.9, 0.1]]), ["▁an.", "我们"], ["▁x"])
    assert merged.source_words == ["an", ".", "我", "们"]
    np.testing.assert_allclose(merged.weights, [[0.6, 0.3, 0.05, 0.05]], atol=1e-15)


def test_a_target_piece_over_several_words_counts_for_each() -> None:
    merged = merge_pieces(np.array([[1.0, 0.0], [0.0, 1.0]]), ["▁a", "▁b"], ["▁了", "面。"])
    assert merged.target_words == ["了", "面", "。"]
    np.testing.assert_array_equal(merged.weights, [[1, 0], [0, 1], [0, 1]])


def test_a_blank_piece_goes_to_the_word_after_it() -> None:
    merged = merge_pieces(np.array([[0.25, 0.25, 0.25, 0.25]]), ["▁a", "▁", "我", "</s>"], ["▁x"])
    np.testing.assert_allclose(merged.weights, [[0.25, 0.5, 0.25]], atol=1e-15)


def test_a_blank_piece_after_the_last_word_goes_to_that_word() -> None:
    merged = merge_pieces(np.array([[0.25, 0.75]]), ["▁a", "▁"], ["▁x"])
    np.testing.assert_allclose(merged.weights, [[1.0]], atol=1e-15)


def test_the_end_of_an_empty_sentence_is_its_only_word() -> None:
    merged = merge_pieces(np.array([[1.0]]), ["</s>"], ["</s>"])
    assert (merged.source_words, merged.target_words) == (["</s>"], ["</s>"])


@given(source=PIECES, target=PIECES, seed=st.integers(0, 2**16))
def test_rows_keep_summing_to_one_whatever_the_pieces(source: list[str], target: list[str], seed: int) -> None:
    source, target = [*source, "</s>"], [*target, "</s>"]
    attention = np.random.default_rng(seed).dirichlet(np.ones(len(source)), size=len(target))
    merged = merge_pieces(attention, source, target)
    assert merged.weights.shape == (len(merged.target_words), len(merged.source_words))
    np.testing.assert_allclose(merged.weights.sum(axis=1), 1, atol=1e-12)
    assert (merged.weights >= 0).all()


def test_merged_words_are_those_of_the_text_the_pieces_came_from() -> None:
    pieces = ["▁Sie", "▁sah", "en", "▁Baden", "-", "Baden", "▁don", "’", "t", "我们", "。", "</s>"]
    merged = merge_pieces(np.ones((1, 12)) / 12, pieces, ["▁x"])
    assert merged.source_words == [*cut("Sie sahen Baden-Baden don’t我们。"), "</s>"]


def test_a_matrix_that_does_not_fit_its_pieces_is_refused() -> None:
    with pytest.raises(InputError, match=r"shape \(2, 3\), expected \(target, source\) = \(3, 2\)"):
        merge_pieces(np.ones((2, 3)), ["▁a", "▁b"], ["▁a", "▁b", "▁c"])


@pytest.mark.parametrize("pieces", [[], ["▁"]])
def test_pieces_without_a_word_are_refused(pieces: list[str]) -> None:
    with pytest.raises(InputError, match="no word in the source pieces"):
        merge_pieces(np.ones((1, len(pieces))), pieces, ["▁x"])


def attention_of(rows: list[list[float]], source: str, target: str) -> WordAttention:
    return WordAttention(np.array(rows), source.split(), target.split())


def test_links_follow_the_maximum_and_all_near_it() -> None:
    attention = attention_of([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]], "a b c", "x y")
    assert hard_links(attention) == {(0, 0), (1, 0), (2, 1)}
    assert hard_links(attention, share=1.0) == {(0, 0), (2, 1)}
    assert hard_links(attention, share=0.4) == {(0, 0), (1, 0), (2, 0), (2, 1)}


def test_every_character_of_the_attended_piece_is_linked() -> None:
    merged = merge_pieces(np.array([[0.7, 0.2, 0.1]]), ["▁图书馆", "在", "</s>"], ["▁library"])
    assert hard_links(merged, share=1.0) == {(0, 0), (1, 0), (2, 0)}


def test_a_long_piece_is_not_outdone_by_a_lighter_single_character() -> None:
    merged = merge_pieces(np.array([[0.6, 0.25, 0.15]]), ["▁图书馆", "在", "</s>"], ["▁library"])
    assert {(0, 0), (1, 0), (2, 0)} <= hard_links(merged)


def test_sentence_ends_are_never_linked_and_take_no_word_s_link() -> None:
    attention = attention_of([[0.4, 0.0, 0.6], [0.1, 0.2, 0.7], [0.9, 0.0, 0.1]], "a b </s>", "x y </s>")
    assert hard_links(attention, share=1) == {(0, 0), (1, 1)}


def test_the_last_word_of_a_source_without_sentence_end_can_be_linked() -> None:
    assert hard_links(attention_of([[0.1, 0.9]], "a b", "x")) == {(1, 0)}


def test_a_row_without_weight_has_no_link() -> None:
    assert hard_links(attention_of([[0.0, 0.0]], "a b", "x")) == set()
    assert hard_links(attention_of([[1.0]], "</s>", "x")) == set()


@pytest.mark.parametrize("share", [0.0, -1.0, 1.5])
def test_a_share_outside_its_range_is_refused(share: float) -> None:
    with pytest.raises(InputError, match=f"share is {share}, expected a number above 0"):
        hard_links(attention_of([[1.0]], "a", "x"), share=share)


def test_gold_links_are_read_as_sure_and_possible() -> None:
    assert read_links("0-0 1?2  10-3\n") == ({(0, 0), (10, 3)}, {(0, 0), (1, 2), (10, 3)})
    assert read_links("") == (set(), set())


@pytest.mark.parametrize("item", ["0", "0-", "-1-2", "0:0", "1-2-3", "a-b", "١-٢"])
def test_a_malformed_link_is_refused(item: str) -> None:
    with pytest.raises(InputError, match=rf"alignment link '{item}', expected source-target such as 0-0"):
        read_links(f"0-0 {item}")


def test_the_error_rate_is_as_worked_by_hand_over_two_sentences() -> None:
    # 4 predicted, 3 sure; 2 of the predicted are sure, 3 are possible: 1 - (2 + 3) / (4 + 3).
    gold = [read_links("0-0 1-1 1?2"), read_links("0-0")]
    score = alignment_error_rate([{(0, 0), (1, 2), (2, 2)}, {(0, 0)}], gold)
    assert score.error_rate == pytest.approx(2 / 7)
    assert score.precision == pytest.approx(3 / 4)
    assert score.recall == pytest.approx(2 / 3)
    assert str(score) == "AER = 0.286 (precision 0.750, recall 0.667)"


def test_sure_links_alone_make_no_error() -> None:
    sure, possible = read_links("0-0 1-1 2?1")
    assert alignment_error_rate([sure], [(sure, possible)]).error_rate == 0
    assert alignment_error_rate([possible], [(sure, possible)]).error_rate == 0


def test_a_sure_link_counts_as_possible_even_where_gold_leaves_that_out() -> None:
    assert alignment_error_rate([{(0, 0)}], [({(0, 0)}, set())]).precision == 1


def test_predicting_nothing_is_all_error() -> None:
    score = alignment_error_rate([set()], [read_links("0-0")])
    assert (score.error_rate, score.precision, score.recall) == (1, 0, 0)


def test_different_numbers_of_sentences_are_refused() -> None:
    with pytest.raises(InputError, match="2 predicted alignments and 1 gold alignments"):
        alignment_error_rate([set(), set()], [read_links("0-0")])


@pytest.mark.parametrize("gold", [[], [(set(), {(0, 0)})]])
def test_gold_without_a_sure_link_is_refused(gold: list[tuple[set[tuple[int, int]], set[tuple[int, int]]]]) -> None:
    with pytest.raises(InputError, match=f"no sure link in {len(gold)} gold alignments"):
        alignment_error_rate([{(0, 0)} for _ in gold], gold)

"""Links and the alignment error rate, each against an answer worked by hand."""

import numpy as np
import pytest

from s2s.errors import InputError
from s2s.report.alignment import alignment_error_rate, hard_links, read_links
from s2s.report.sheet import View
from s2s.report.words import merge_pieces


def attention_of(rows: list[list[float]], source: str, target: str) -> View:
    return View(tuple(source.split()), tuple(target.split()), np.array(rows), (0.0,) * len(target.split()))


def test_links_follow_the_maximum_and_all_near_it() -> None:
    attention = attention_of([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]], "a b c", "x y")
    assert hard_links(attention) == {(0, 0), (1, 0), (2, 1)}
    assert hard_links(attention, share=1.0) == {(0, 0), (2, 1)}
    assert hard_links(attention, share=0.4) == {(0, 0), (1, 0), (2, 0), (2, 1)}


def test_every_character_of_the_attended_piece_is_linked() -> None:
    merged = merge_pieces(attention_of([[0.7, 0.2, 0.1]], "▁图书馆 在 </s>", "▁library"))
    assert hard_links(merged, share=1.0) == {(0, 0), (1, 0), (2, 0)}


def test_a_long_piece_is_not_outdone_by_a_lighter_single_character() -> None:
    merged = merge_pieces(attention_of([[0.6, 0.25, 0.15]], "▁图书馆 在 </s>", "▁library"))
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

"""Links and the alignment error rate, each against an answer worked by hand."""

import numpy as np
import pytest

from s2s.errors import InputError
from s2s.report.alignment import (
    alignment_error_rate,
    check_gold,
    hard_links,
    pharaoh,
    read_gold,
    read_links,
    read_pharaoh,
    threshold_links,
)
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


def test_sentence_ends_are_never_linked() -> None:
    attention = attention_of([[0.6, 0.0, 0.4], [0.0, 0.6, 0.4], [0.9, 0.0, 0.1]], "a b </s>", "x y </s>")
    assert hard_links(attention) == {(0, 0), (1, 1)}


def test_a_word_that_looks_at_the_sentence_end_is_linked_to_those_it_looks_at_nearly_as_much() -> None:
    attention = attention_of([[0.4, 0.0, 0.6], [0.1, 0.2, 0.7]], "a b </s>", "x y")
    assert hard_links(attention) == {(0, 0)}
    assert hard_links(attention, share=1) == set()


def test_the_last_word_of_a_source_without_sentence_end_can_be_linked() -> None:
    assert hard_links(attention_of([[0.1, 0.9]], "a b", "x")) == {(1, 0)}


def test_a_row_without_weight_has_no_link() -> None:
    assert hard_links(attention_of([[0.0, 0.0]], "a b", "x")) == set()
    assert hard_links(attention_of([[1.0]], "</s>", "x")) == set()


@pytest.mark.parametrize("share", [0.0, -1.0, 1.5])
def test_a_share_outside_its_range_is_refused(share: float) -> None:
    with pytest.raises(InputError, match=f"share is {share}, expected a number above 0"):
        hard_links(attention_of([[1.0]], "a", "x"), share=share)


def test_a_threshold_takes_every_weight_that_reaches_it() -> None:
    attention = attention_of([[0.5, 0.3, 0.2], [0.1, 0.15, 0.75], [0.1, 0.1, 0.8]], "a b </s>", "x y </s>")
    assert threshold_links(attention, threshold=0.3) == {(0, 0), (1, 0)}
    assert threshold_links(attention, threshold=0.15) == {(0, 0), (1, 0), (1, 1)}
    assert threshold_links(attention, threshold=0.6) == set()


def test_equal_shares_of_a_piece_reach_a_threshold_together() -> None:
    merged = merge_pieces(attention_of([[0.3, 0.7]], "▁图书馆 </s>", "▁library"))
    assert threshold_links(merged, threshold=0.1) == {(0, 0), (1, 0), (2, 0)}


@pytest.mark.parametrize("threshold", [0.0, -0.1, 1.5, float("nan")])
def test_a_threshold_outside_its_range_is_refused(threshold: float) -> None:
    with pytest.raises(InputError, match=f"threshold is {threshold}, expected a weight above 0"):
        threshold_links(attention_of([[1.0]], "a", "x"), threshold=threshold)


def test_links_are_written_by_source_and_then_by_target() -> None:
    assert pharaoh({(10, 0), (2, 3), (2, 1), (0, 12)}) == "0-12 2-1 2-3 10-0"
    assert pharaoh(set()) == ""


def test_what_is_written_is_read_again() -> None:
    links = {(source, target) for source in range(12) for target in range(12) if (source * target) % 5 == 1}
    assert read_links(pharaoh(links)) == (links, links)


def test_gold_links_are_read_as_sure_and_possible() -> None:
    assert read_links("0-0 1?2  10-3\n") == ({(0, 0), (10, 3)}, {(0, 0), (1, 2), (10, 3)})
    assert read_links("0-0 1p2") == read_links("0-0 1?2")
    assert read_links("") == (set(), set())


@pytest.mark.parametrize("item", ["0", "0-", "-1-2", "0:0", "1-2-3", "a-b", "١-٢"])
def test_a_malformed_link_is_refused(item: str) -> None:
    with pytest.raises(InputError, match=rf"alignment link '{item}', expected source-target such as 0-0"):
        read_links(f"0-0 {item}")


NAACL = ["0001 1 1 S", "1 2 3 P", "", "3 2 1", " 3\t10 4 P "]
PHARAOH = ["0-0 1?2", "", "1-0 9p3"]


def test_both_forms_of_gold_say_the_same() -> None:
    expected = [({(0, 0)}, {(0, 0), (1, 2)}), (set(), set()), ({(1, 0)}, {(1, 0), (9, 3)})]
    assert read_gold(NAACL, "gold.naacl", sentences=3) == expected
    assert read_gold(PHARAOH, "gold.align", sentences=3) == expected
    assert read_pharaoh(PHARAOH, "gold.align") == expected


def test_the_first_line_that_is_not_empty_tells_the_form() -> None:
    assert read_gold(["", "0-0"], "gold.align", sentences=2)[1] == ({(0, 0)}, {(0, 0)})
    assert read_gold(["", "1 1 1"], "gold.naacl", sentences=1)[0] == ({(0, 0)}, {(0, 0)})


def test_sentences_without_links_may_end_a_naacl_file() -> None:
    assert read_gold(NAACL, "gold.naacl", sentences=5)[3:] == [(set(), set())] * 2


def test_a_link_that_is_both_sure_and_possible_is_sure() -> None:
    for lines in (["1 1 1 S", "1 1 1 P"], ["1 1 1 P", "1 1 1 S"], ["0-0 0?0"], ["0p0 0-0"]):
        assert read_gold(lines, "gold", sentences=1) == [({(0, 0)}, {(0, 0)})]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["0-0", "1-1 2"], "gold, line 2: alignment link '2', expected source-target such as 0-0"),
        (["1 1 1", "1 1"], "gold, line 2: '1 1', expected the numbers of sentence, source word and target word"),
        (["1 1 1", "", "0-0"], "gold, line 3: '0-0', expected the numbers of sentence"),
        (["1 0 1 S"], "gold, line 1: '1 0 1 S', expected .* from 1, and S"),
        (["1 1 0"], "gold, line 1: '1 1 0', expected"),
        (["0 1 1"], "gold, line 1: '0 1 1', expected"),
        (["1 1 1 Q"], "gold, line 1: '1 1 1 Q', expected"),
        (["2 1 1", "3 1 1"], "gold, line 2: a link of sentence 3, expected 1 to 2; check"),
        (["0-0"], "gold has 1 lines of gold links, expected one for each of 2 sentences"),
        (["0-0"] * 3, "gold has 3 lines of gold links, expected one for each of 2 sentences"),
    ],
)
def test_a_mistake_in_a_file_is_named_with_file_and_line(lines: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        read_gold(lines, "gold", sentences=2)
    assert "\n" not in str(error.value)


def test_gold_of_words_that_are_there_passes_and_others_are_refused() -> None:
    gold = read_gold(["0-0 2?1", "0-1"], "gold", sentences=2)
    check_gold(gold, [(3, 2), (1, 2)], "gold")
    with pytest.raises(InputError, match="gold, sentence 1: link 2-1, counted from 0, but 2 source words and 2 target"):
        check_gold(gold, [(2, 2), (1, 2)], "gold")
    with pytest.raises(InputError, match="gold, sentence 2: link 0-1, counted from 0, but 1 source words and 1 target"):
        check_gold(gold, [(3, 2), (1, 1)], "gold")


def test_the_error_rate_is_as_worked_by_hand_over_two_sentences() -> None:
    # 4 predicted, 3 sure; 2 of the predicted are sure, 3 are possible: 1 - (2 + 3) / (4 + 3).
    gold = [read_links("0-0 1-1 1?2"), read_links("0-0")]
    score = alignment_error_rate([{(0, 0), (1, 2), (2, 2)}, {(0, 0)}], gold)
    assert score.value == pytest.approx(100 * 2 / 7)
    assert score.precision == pytest.approx(100 * 3 / 4)
    assert score.recall == pytest.approx(100 * 2 / 3)
    assert str(score) == "AER = 28.57 (precision:75.0|recall:66.7|sentences:2|words)"
    values = {"value": score.value, "precision": score.precision, "recall": score.recall}
    assert score.as_dict() == {**values, "signature": score.signature}


def test_sure_links_alone_make_no_error() -> None:
    sure, possible = read_links("0-0 1-1 2?1")
    assert alignment_error_rate([sure], [(sure, possible)]).value == 0
    assert alignment_error_rate([possible], [(sure, possible)]).value == 0


def test_a_sure_link_counts_as_possible_even_where_gold_leaves_that_out() -> None:
    assert alignment_error_rate([{(0, 0)}], [({(0, 0)}, set())]).precision == 100


def test_predicting_nothing_is_all_error() -> None:
    score = alignment_error_rate([set()], [read_links("0-0")])
    assert (score.value, score.precision, score.recall) == (100, 0, 0)


def test_different_numbers_of_sentences_are_refused() -> None:
    with pytest.raises(InputError, match="2 predicted alignments and 1 gold alignments"):
        alignment_error_rate([set(), set()], [read_links("0-0")])


@pytest.mark.parametrize("gold", [[], [(set(), {(0, 0)})]])
def test_gold_without_a_sure_link_is_refused(gold: list[tuple[set[tuple[int, int]], set[tuple[int, int]]]]) -> None:
    with pytest.raises(InputError, match=f"no sure link in {len(gold)} gold alignments"):
        alignment_error_rate([{(0, 0)} for _ in gold], gold)

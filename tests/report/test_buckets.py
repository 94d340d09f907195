"""Sentences and words by kind: counted by hand, and none lost."""

from collections import Counter

import pytest

from s2s.report.buckets import Matches, by_frequency, by_length, by_rarest_word, count_words

FREQUENCIES = Counter({"the": 5000, "a": 1000, "dog": 999, "runs": 10, "fast": 4, "barks": 2, "once": 1})


def ranges(buckets):
    return {bucket.label: bucket.rows.tolist() for bucket in buckets}


def test_sentences_are_divided_by_their_length_and_none_is_lost():
    lengths = [0, 1, 5, 6, 60, 61, 200, 10, 21]
    buckets = by_length([["w"] * length for length in lengths])
    assert ranges(buckets) == {
        "0": [0],
        "1–5": [1, 2],
        "6–10": [3, 7],
        "21–30": [8],
        "51–60": [4],
        "61+": [5, 6],
    }


def test_the_rarest_word_of_a_reference_decides_its_bucket():
    references = ["the dog runs", "the", "the dog barks", "a cat", "the dog runs once", "", "a dog"]
    buckets = by_rarest_word([reference.split() for reference in references], FREQUENCIES)
    assert ranges(buckets) == {"0": [3], "1": [4], "2–4": [2], "10–99": [0], "100–999": [6], "1000+": [1]}


def test_words_match_as_often_as_the_sentence_has_them():
    references = [["the", "the", "dog"], ["once", "cat"]]
    hypotheses = [["the", "the", "the", "cat"], ["once", "dog", "the"]]
    found = by_frequency(hypotheses, references, FREQUENCIES)
    assert list(found) == ["0", "1", "2–4", "5–9", "10–99", "100–999", "1000+"]
    assert found["0"] == Matches(references=1, hypotheses=1, matched=0)
    assert found["1"] == Matches(references=1, hypotheses=1, matched=1)
    assert found["100–999"] == Matches(references=1, hypotheses=1, matched=0)
    assert found["1000+"] == Matches(references=2, hypotheses=4, matched=2)
    assert sum(one.references for one in found.values()) == 5
    assert sum(one.hypotheses for one in found.values()) == 7


def test_precision_recall_and_f_are_of_a_hundred():
    matches = Matches(references=4, hypotheses=2, matched=1)
    assert (matches.precision, matches.recall, matches.f_measure) == (50, 25, pytest.approx(100 / 3))
    assert matches.as_dict() == {
        "references": 4,
        "hypotheses": 2,
        "matched": 1,
        "precision": 50,
        "recall": 25,
        "f_measure": pytest.approx(100 / 3),
    }
    nothing = Matches(0, 0, 0)
    assert (nothing.precision, nothing.recall, nothing.f_measure) == (0, 0, 0)


def test_only_words_that_are_wanted_are_counted():
    assert count_words(["a b a", "c a"], str.split, ["a", "c", "d"]) == {"a": 3, "c": 1}

"""Systems compared: what is said of them agrees with scoring each alone, and with counting by hand."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from s2s.errors import InputError
from s2s.report.corpus_metrics import bleu_words, metrics_by_name
from s2s.report.counted_systems import System, now_and_then, telling
from s2s.report.score import Score
from s2s.report.systems import Comparison, compare_systems
from s2s.report.systems_record import comparison_record, sentence_records
from s2s.report.systems_table import bucket_tables, score_tables

REFERENCES = ["the old dog sleeps here", "a cat eats the small fish", "we drink tea"] * 4
FIRST = ["the old dog sleeps there", "a cat eats a small fish", "we drink tea"] * 4
SECOND = ["the old dog sleeps here", "a dog eats a small fish", "we drink tea"] * 4
SOURCES = ["eins", "eins zwei drei vier fünf sechs", "eins zwei"] * 4
TRAINING = ["the old dog sleeps", "the fish", "we drink", "a a a a a"]


def comparison(*names: str, systems: tuple[System, ...] | None = None, **options: Any) -> Comparison:
    return compare_systems(
        systems or (System("first", FIRST), System("second", SECOND)),
        REFERENCES,
        metrics=metrics_by_name(list(names or ("bleu", "ter")), None),
        cut=bleu_words(None),
        say=lambda line: None,
        **options,
    )


WHOLE = comparison(sources=SOURCES, training=TRAINING)


def test_every_system_scores_what_it_scores_alone() -> None:
    for metric in metrics_by_name(["bleu", "ter"], None):
        alone = [metric.score(hypotheses, REFERENCES, confidence=True) for hypotheses in (FIRST, SECOND)]
        found = WHOLE.scores[metric.name]
        assert [(one.value, one.confidence) for one in found] == [(one.value, one.confidence) for one in alone]
        assert all("|bs:1000|ar:10000|seed:12345|" in one.signature for one in found)


def test_one_system_has_nothing_to_differ_from() -> None:
    alone = comparison("bleu", systems=(System("first", FIRST),))
    assert alone.differences == {"BLEU": []}
    assert "|ar:" not in alone.scores["BLEU"][0].signature


def test_sentences_are_better_or_worse_in_the_direction_of_the_metric() -> None:
    for name in ("BLEU", "TER"):
        [found] = WHOLE.differences[name]
        assert (found.better, found.worse, found.equal) == (4, 4, 4)
    [difference] = comparison("wer", "exact").differences["token error rate"]
    assert difference.value == pytest.approx(0)
    assert (difference.better, difference.worse, difference.equal) == (4, 4, 4)
    better = comparison("wer", systems=(System("first", FIRST), System("reference", REFERENCES)))
    [difference] = better.differences["token error rate"]
    assert difference.value == pytest.approx(-100 * 8 / 56)
    assert (difference.better, difference.worse, difference.equal) == (8, 0, 4)


def test_buckets_hold_every_sentence_once_and_score_it_as_if_alone() -> None:
    assert [(one.label, one.sentences) for one in WHOLE.by_length] == [("1–5", 8), ("6–10", 4)]
    [metric] = metrics_by_name(["bleu"], None)
    long = metric.score(SECOND[1::3], REFERENCES[1::3], confidence=True)
    found = WHOLE.by_length[1].scores["BLEU"][1]
    assert (found.value, found.confidence) == (long.value, long.confidence)
    # "here", "cat", "eats", "small" and "tea" are in no line of the training data.
    assert [(one.label, one.sentences) for one in WHOLE.by_rarest_word] == [("0", 12)]


def test_words_are_counted_by_their_training_frequency() -> None:
    assert list(WHOLE.by_frequency) == ["0", "1", "2–4", "5–9"]
    first, second = WHOLE.by_frequency["5–9"]
    assert (first.references, first.hypotheses, first.matched) == (4, 8, 4)
    assert first == second
    once = WHOLE.by_frequency["1"]
    assert [one.matched for one in once] == [24, 24]
    assert [one.hypotheses for one in once] == [24, 28]


def test_frequencies_of_no_reference_word_are_left_out() -> None:
    # "there" is written, but in no reference.
    found = comparison("bleu", training=["there", "nothing else"])
    assert list(found.by_frequency) == ["0"]


def test_what_is_not_known_is_left_out() -> None:
    bare = comparison("bleu")
    assert (bare.by_length, bare.by_rarest_word, bare.by_frequency) == ([], [], {})
    assert not {"by_length", "by_rarest_word", "by_frequency"} & set(comparison_record(bare))
    assert "source" not in sentence_records(bare)[0]
    assert bucket_tables(bare) == ""


@pytest.mark.parametrize(
    ("systems", "options", "message"),
    [
        ((System("a", FIRST), System("b", SECOND[1:])), {}, "b: 11 lines, but 12 references; all must be of the same"),
        ((System("a", FIRST), System("a", SECOND)), {}, "a is given twice; leave one out, or rename it"),
        ((System("a", FIRST),), {"sources": SOURCES[1:]}, "the sources: 11 lines, but 12 references"),
    ],
)
def test_what_cannot_be_compared_is_refused(systems: tuple[System, ...], options: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        comparison(systems=systems, **options)


def test_a_test_set_without_sentences_is_refused() -> None:
    with pytest.raises(InputError, match="0 references, expected at least 1"):
        compare_systems([System("a", [])], [], metrics=metrics_by_name(["bleu"], None), cut=str.split, say=print)


def test_the_record_holds_all_in_jsons_types() -> None:
    extra = Score("AER", 12.5, "precision:90.0|words")
    record = comparison_record(replace(WHOLE, systems=(replace(WHOLE.systems[0], others=(extra,)), WHOLE.systems[1])))
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert record["baseline"] == "first"
    assert set(record["versions"]) == {"s2s", "sacrebleu", "numpy"}
    assert record["metrics"][1]["lower_is_better"]
    first, second = record["systems"]
    assert first["scores"]["AER"] == {"value": 12.5, "signature": "precision:90.0|words"}
    assert "against_baseline" not in first
    assert second["against_baseline"]["BLEU"] == vars(WHOLE.differences["BLEU"][0])
    assert record["by_length"][1]["systems"]["second"]["BLEU"]["value"] == WHOLE.by_length[1].scores["BLEU"][1].value
    assert record["by_frequency"][3]["systems"]["first"]["f_measure"] == pytest.approx(100 * 8 / 12)


def test_every_sentence_has_a_record_with_its_scores() -> None:
    records = sentence_records(WHOLE)
    assert [one["line"] for one in records] == list(range(1, 13))
    assert records[1]["source"] == SOURCES[1]
    assert records[1]["hypotheses"] == [FIRST[1], SECOND[1]]
    assert records[1]["scores"]["TER"] == pytest.approx([100 / 6, 200 / 6], abs=1e-4)
    assert np.array_equal(WHOLE.sentence_scores["TER"][:, 2], [0, 0])


def test_tables_show_each_system_its_differences_and_signatures() -> None:
    text = score_tables(WHOLE)
    lines = text.splitlines()
    first, second = WHOLE.scores["BLEU"]
    assert lines[0].split() == ["system", "BLEU", "TER", "↓"]
    assert lines[2].startswith(f"first    {first.value:.2f} ± {first.confidence:.2f}   ")
    assert lines[3].startswith(f"second   {second.value:.2f} ± ")
    [difference] = WHOLE.differences["BLEU"]
    assert lines[7].split()[:3] == ["second", "BLEU", f"{difference.value:+.2f}"]
    assert f" {difference.randomisation_p:.4f} " in lines[7]
    assert lines[7].split()[-3:] == ["4", "4", "4"]
    assert lines[-2].split() == ["BLEU", first.signature]
    tables = bucket_tables(WHOLE)
    assert "BLEU by words of the source" in tables
    assert "F-measure of words by training frequency" in tables


def test_long_names_and_other_scores_stand_whole_in_the_table() -> None:
    name = "a-name-of-a-hundred-letters-" + "x" * 100
    systems = (System(name, FIRST, (Score("AER", 12.5, "words"),)), System("[b]短[/b]", SECOND))
    text = score_tables(comparison("exact", systems=systems))
    assert name in text
    assert "[b]短[/b]" in text
    assert "12.50" in text
    assert f"AER of {name}" in text


def test_progress_is_told_every_few_seconds_and_not_for_short_work(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 1.0, 6.0, 6.0, 7.0, 12.0, 12.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    said: list[str] = []
    assert list(telling(map(str, range(400)), now_and_then(said.append), "x")) == [str(number) for number in range(400)]
    assert said == ["x: 200 lines", "x: 400 lines"]

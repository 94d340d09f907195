"""Scores agree with answers worked by hand and with sacreBLEU called directly."""

import math
from collections.abc import Callable

import pytest
import sacrebleu

from s2s.errors import InputError
from s2s.report.corpus_metrics import METRICS, bleu_words, metrics_by_name
from s2s.report.metrics import Score, bleu, chrf, perplexity
from s2s.report.token_metrics import edit_distance

HYPOTHESES = ["The cat sat on the mat.", "It rains, and nobody goes out today."]
REFERENCES = ["The cat sat on a mat.", "It rains and nobody wants to go out today."]
PAIRED = [bleu, chrf, *(metric.score for metric in metrics_by_name(list(METRICS), None))]


def score(name: str, hypotheses: list[str], references: list[str], language: str | None = None) -> Score:
    return METRICS[name](language).score(hypotheses, references)


def test_a_score_is_printed_with_its_signature() -> None:
    assert str(Score("BLEU", 39.519, "nrefs:1|case:mixed")) == "BLEU = 39.52 (nrefs:1|case:mixed)"


def test_a_confidence_interval_stands_behind_its_value() -> None:
    assert str(Score("BLEU", 41.451, "nrefs:1|bs:1000", 1.234)) == "BLEU = 41.45 ± 1.23 (nrefs:1|bs:1000)"
    assert Score("BLEU", 41.5, "x", 1.25).as_dict() == {"value": 41.5, "confidence": 1.25, "signature": "x"}
    assert Score("BLEU", 41.5, "x").as_dict() == {"value": 41.5, "signature": "x"}


def corpus(sentences: int) -> tuple[list[str], list[str]]:
    """Sentences of eight words, of which the same share is wrong whatever their number."""
    references = [" ".join(f"w{(7 * row + 3 * place) % 31}" for place in range(8)) for row in range(sentences)]
    hypotheses = [line if row % 3 else line.replace("w1", "x") for row, line in enumerate(references)]
    return hypotheses, references


def test_the_confidence_interval_is_sacrebleus_and_leaves_the_value_alone() -> None:
    score, plain = bleu(*corpus(50), confidence=True), bleu(*corpus(50))
    metric = sacrebleu.BLEU()
    expected = metric.corpus_score(corpus(50)[0], [corpus(50)[1]], n_bootstrap=1000)
    assert score.confidence is not None
    assert f"± {score.confidence:.3f}" in expected.format(width=3)
    assert score.value == plain.value
    assert plain.confidence is None
    assert score.signature == str(metric.get_signature())
    assert "|bs:1000|seed:12345|" in score.signature


def test_the_confidence_interval_is_the_same_every_time() -> None:
    assert bleu(*corpus(40), confidence=True) == bleu(*corpus(40), confidence=True)


def test_the_confidence_interval_narrows_as_the_root_of_the_sentences() -> None:
    few, many = (bleu(*corpus(sentences), confidence=True).confidence for sentences in (60, 960))
    assert few is not None
    assert many is not None
    assert few / many == pytest.approx(4, rel=0.15)


def test_one_sentence_has_an_interval_of_no_width() -> None:
    assert bleu(["a b c d e"], ["a b c d f"], confidence=True).confidence == 0


def test_bleu_of_one_wrong_word_in_six_is_as_worked_by_hand() -> None:
    score = bleu(["the cat sat on the mat"], ["the cat sat on a mat"])
    assert score.value == pytest.approx(100 * (5 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** 0.25, abs=1e-9)


def test_bleu_of_chinese_counts_characters() -> None:
    score = bleu(["我喜欢吃肉"], ["我喜欢吃鱼"], language="zh")
    assert score.value == pytest.approx(100 * (4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** 0.25, abs=1e-9)


@pytest.mark.parametrize(
    ("language", "tokenizer"),
    [(None, "13a"), ("de", "13a"), ("zh", "zh"), ("zh-CN", "zh"), ("ZH_tw", "zh"), ("ja", "char")],
)
def test_bleu_names_the_tokenizer_of_the_language(language: str | None, tokenizer: str) -> None:
    assert f"|tok:{tokenizer}|" in bleu(["a b c d"], ["a b c d"], language=language).signature


@pytest.mark.parametrize(
    ("language", "sentence", "found"),
    [
        (None, "The cat's tail, here. ", ["The", "cat's", "tail", ",", "here", "."]),
        ("zh", "我喜欢GPU。", ["我", "喜", "欢", "GPU", "。"]),
        ("ja", "猫が好き", ["猫", "が", "好", "き"]),
    ],
)
def test_words_are_found_as_bleu_finds_them(language: str | None, sentence: str, found: list[str]) -> None:
    assert bleu_words(language)(sentence) == found


def test_bleu_ignores_case_only_when_told_to() -> None:
    mixed, lower = (score(name, ["THE OLD GREY CAT"], ["the old grey cat"]) for name in ("bleu", "bleu_lc"))
    assert mixed.value < 1
    assert lower.value == pytest.approx(100)
    assert (mixed.name, lower.name) == ("BLEU", "BLEU lc")
    assert "|case:lc|" in lower.signature


def test_chrf_of_one_wrong_letter_in_two_is_as_worked_by_hand() -> None:
    # Letters: one of two is right. Pairs: none of one. The mean over the two orders is a quarter.
    assert chrf(["ab"], ["ac"]).value == pytest.approx(25)


def test_ter_counts_one_edit_in_six_words() -> None:
    assert score("ter", ["the cat sat on the mat"], ["the cat sat on a mat"]).value == pytest.approx(100 / 6)


def test_ter_of_chinese_counts_characters_and_says_so() -> None:
    of_chinese = score("ter", ["我喜欢狗"], ["我喜欢猫"], language="zh")
    assert of_chinese.value == pytest.approx(25)
    assert "|norm:yes|" in of_chinese.signature
    assert "|asian:yes|" in of_chinese.signature


def test_scores_equal_those_of_sacrebleu_called_directly() -> None:
    references = [REFERENCES]
    assert bleu(HYPOTHESES, REFERENCES).value == sacrebleu.corpus_bleu(HYPOTHESES, references).score
    assert chrf(HYPOTHESES, REFERENCES).value == sacrebleu.corpus_chrf(HYPOTHESES, references).score
    plus_plus = sacrebleu.corpus_chrf(HYPOTHESES, references, word_order=2)
    of_words = score("chrf++", HYPOTHESES, REFERENCES)
    assert (of_words.name, of_words.value) == (plus_plus.name, plus_plus.score) == ("chrF2++", plus_plus.score)
    assert "|nw:2|" in of_words.signature
    assert score("ter", HYPOTHESES, REFERENCES).value == sacrebleu.corpus_ter(HYPOTHESES, references).score


def test_sentences_are_scored_as_sacrebleu_advises() -> None:
    metric, alone = METRICS["bleu"](None), sacrebleu.BLEU(effective_order=True)
    rows = metric.statistics(["one two", *HYPOTHESES], ["one two", *REFERENCES]).tolist()
    expected = [
        alone.sentence_score(one, [other]).score
        for one, other in zip(["one two", *HYPOTHESES], ["one two", *REFERENCES], strict=True)
    ]
    assert [metric.sentence_value(row) for row in rows] == expected
    assert expected[0] == pytest.approx(100)


def test_signatures_carry_the_version_of_sacrebleu() -> None:
    for name in ("bleu", "bleu_lc", "chrf", "chrf++", "ter"):
        signature = score(name, HYPOTHESES, REFERENCES).signature
        assert signature.startswith("nrefs:1|")
        assert signature.endswith(f"|version:{sacrebleu.__version__}")


def test_perplexity_of_a_fair_die_is_its_number_of_faces() -> None:
    score = perplexity(10 * math.log(6), 10)
    assert score.value == pytest.approx(6)
    assert score.signature == "tokens:10"


def test_perplexity_beyond_floating_point_is_infinite() -> None:
    assert perplexity(1e6, 1).value == math.inf


@pytest.mark.parametrize("tokens", [0, -1])
def test_perplexity_needs_tokens(tokens: int) -> None:
    with pytest.raises(InputError, match=f"over {tokens} tokens, expected at least 1"):
        perplexity(1.0, tokens)


@pytest.mark.parametrize("total", [-0.5, math.nan])
def test_perplexity_needs_a_sum_of_costs(total: float) -> None:
    with pytest.raises(InputError, match=f"log-likelihood of {total}, expected 0 or more"):
        perplexity(total, 3)


def test_exact_match_counts_equal_tokens_and_keeps_case() -> None:
    exact = score("exact", ["a b", " c ", "D", "e", "f  g"], ["a b", "c", "d", "f", "f g"])
    assert exact.value == 60
    assert exact.signature == "nrefs:1|case:mixed|tok:blanks"


def test_token_error_rate_counts_edits_over_all_reference_tokens() -> None:
    # One replaced, none, one left out and one added, over 3 + 2 + 2 + 3 tokens.
    hypotheses, references = ["k æ t", "d ɔ", "a", "x y z w"], ["k ʌ t", "d ɔ", "a b", "x y z"]
    rate = score("wer", hypotheses, references)
    assert (rate.name, rate.value) == ("token error rate", 30)
    assert rate.signature == "nrefs:1|case:mixed|tok:blanks"


def test_token_error_rate_may_be_above_a_hundred_and_has_no_reference_of_nothing() -> None:
    assert score("wer", ["a b c"], ["x"]).value == 300
    assert score("wer", ["a b c"], [""]).value == 100
    assert score("wer", [""], [""]).value == 0


@pytest.mark.parametrize(
    ("one", "other", "edits"),
    [("kitten", "sitting", 3), ("", "abc", 3), ("abc", "", 3), ("abc", "abc", 0), ("abcd", "dabc", 2), ("ab", "ba", 2)],
)
def test_the_edit_distance_is_levenshteins(one: str, other: str, edits: int) -> None:
    assert edit_distance(one, other) == edit_distance(other, one) == edits


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ["bleu", "blue"],
            "metrics=blue is unknown; expected some of bleu, bleu_lc, chrf, chrf\\+\\+, ter, exact, wer",
        ),
        (["ter", "ter"], "metrics= names ter twice; leave one out"),
        ([], r"metrics=\[\] names none; expected some of bleu"),
    ],
)
def test_metrics_are_known_and_named_once(names: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        metrics_by_name(names, None)


@pytest.mark.parametrize("metric", PAIRED)
def test_lists_of_different_length_are_refused_with_both_counts(metric: Callable[..., Score]) -> None:
    with pytest.raises(InputError, match="2 hypotheses and 3 references"):
        metric(["a", "b"], ["a", "b", "c"])


@pytest.mark.parametrize("metric", PAIRED)
def test_empty_lists_are_refused(metric: Callable[..., Score]) -> None:
    with pytest.raises(InputError, match="0 hypotheses and 0 references, expected at least 1"):
        metric([], [])


@pytest.mark.parametrize("metric", PAIRED)
def test_a_bare_sentence_is_not_taken_for_a_list_of_letters(metric: Callable[..., Score]) -> None:
    with pytest.raises(InputError, match="single string"):
        metric("abcd", "abcd")

"""Scores agree with answers worked by hand and with sacreBLEU called directly."""

import math
from collections.abc import Callable

import pytest
import sacrebleu

from s2s.errors import InputError
from s2s.report.metrics import Score, bleu, chrf, exact_match, perplexity, ter

HYPOTHESES = ["The cat sat on the mat.", "It rains, and nobody goes out today."]
REFERENCES = ["The cat sat on a mat.", "It rains and nobody wants to go out today."]
PAIRED = [bleu, chrf, ter, exact_match]


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


def test_bleu_ignores_case_only_when_told_to() -> None:
    mixed, lower = (
        bleu(["THE OLD GREY CAT"], ["the old grey cat"], lowercase=lowercase) for lowercase in (False, True)
    )
    assert mixed.value < 1
    assert lower.value == pytest.approx(100)
    assert "|case:lc|" in lower.signature


def test_chrf_of_one_wrong_letter_in_two_is_as_worked_by_hand() -> None:
    # Letters: one of two is right. Pairs: none of one. The mean over the two orders is a quarter.
    assert chrf(["ab"], ["ac"]).value == pytest.approx(25)


def test_ter_counts_one_edit_in_six_words() -> None:
    assert ter(["the cat sat on the mat"], ["the cat sat on a mat"]).value == pytest.approx(100 / 6)


def test_ter_of_chinese_counts_characters_and_says_so() -> None:
    score = ter(["我喜欢狗"], ["我喜欢猫"], language="zh")
    assert score.value == pytest.approx(25)
    assert "|norm:yes|" in score.signature
    assert "|asian:yes|" in score.signature


def test_scores_equal_those_of_sacrebleu_called_directly() -> None:
    references = [REFERENCES]
    assert bleu(HYPOTHESES, REFERENCES).value == sacrebleu.corpus_bleu(HYPOTHESES, references).score
    assert chrf(HYPOTHESES, REFERENCES).value == sacrebleu.corpus_chrf(HYPOTHESES, references).score
    assert ter(HYPOTHESES, REFERENCES).value == sacrebleu.corpus_ter(HYPOTHESES, references).score


def test_signatures_carry_the_version_of_sacrebleu() -> None:
    for score in (bleu(HYPOTHESES, REFERENCES), chrf(HYPOTHESES, REFERENCES), ter(HYPOTHESES, REFERENCES)):
        assert score.signature.startswith("nrefs:1|")
        assert score.signature.endswith(f"|version:{sacrebleu.__version__}")


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


def test_exact_match_counts_equal_sentences_and_keeps_case() -> None:
    score = exact_match(["a b", " c ", "D", "e"], ["a b", "c", "d", "f"])
    assert score.value == 50
    assert score.signature.startswith("sentences:4|")


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

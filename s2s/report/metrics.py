"""Scores of whole translations: sacreBLEU (Post 2018) on detokenised text, each with its signature."""

import math
from collections.abc import Iterable, Sequence

from s2s.errors import InputError
from s2s.report.corpus_metrics import METRICS, bleu_tokenizer
from s2s.report.score import Score
from s2s.report.words import words

__all__ = ["Score", "bleu", "bleu_tokenizer", "chrf", "perplexity", "text_perplexities", "words_and_characters"]


def bleu(
    hypotheses: Sequence[str], references: Sequence[str], *, language: str | None = None, confidence: bool = False
) -> Score:
    """Score n-gram precision of the whole corpus, 0 to 100; Papineni et al. (2002).

    Args:
        hypotheses: translations as people read them, never pieces.
        references: one per hypothesis.
        language: target language, which decides what a word is; see ``bleu_tokenizer``.
        confidence: estimate the 95 % confidence interval by scoring a thousand corpora of sentences drawn with
            replacement (Koehn 2004); the signature then has their number and sacreBLEU's seed, 12345.

    Raises:
        InputError: the lists are empty or differ in length.
    """
    return METRICS["bleu"](language).score(hypotheses, references, confidence=confidence)


def chrf(hypotheses: Sequence[str], references: Sequence[str]) -> Score:
    """Score character n-grams up to 6 by chrF2, recall counting twice, 0 to 100; Popović (2015).

    Raises:
        InputError: the lists are empty or differ in length.
    """
    return METRICS["chrf"](None).score(hypotheses, references)


def perplexity(negative_log_likelihood_sum: float, tokens: int) -> Score:
    """Exponentiate the mean negative log-likelihood per token: ``exp(sum / tokens)``.

    Args:
        negative_log_likelihood_sum: in nats, over all tokens of the corpus, without label smoothing.
        tokens: how many tokens the sum covers, EOS included where the sum includes it.

    Raises:
        InputError: no tokens, or a sum that is negative or not a number.
    """
    if tokens <= 0:
        raise InputError(f"perplexity over {tokens} tokens, expected at least 1; give it a text that is not empty")
    if not negative_log_likelihood_sum >= 0:
        raise InputError(
            f"perplexity of a negative log-likelihood of {negative_log_likelihood_sum}, expected 0 or more; "
            "pass the sum of -log p in nats"
        )
    try:
        value = math.exp(negative_log_likelihood_sum / tokens)
    except OverflowError:
        value = math.inf
    return Score("perplexity", value, f"tokens:{tokens}")


def words_and_characters(text: str) -> tuple[int, int]:
    """Count a line, normalised; a word is one of ``words``, so every Chinese character and punctuation mark is one.

    The end of the line counts as a word and as a character, as it is predicted too.
    """
    return len(words(text)) + 1, len(text) + 1


def text_perplexities(negative_log_likelihood_sum: float, counts: Iterable[tuple[int, int]]) -> tuple[Score, Score]:
    """What a text's negative log-likelihood is per word and per character, whatever pieces it was summed over.

    Args:
        negative_log_likelihood_sum: in nats, over all lines, their end marks included.
        counts: ``words_and_characters`` of each line, or sums of them.

    Returns:
        perplexity per word, ``exp(sum / words)``, and bits per character, ``sum / ln 2 / characters``.
    """
    of_words, characters = (sum(column) for column in zip(*counts, strict=True))
    per_word = perplexity(negative_log_likelihood_sum, of_words)
    bits = negative_log_likelihood_sum / math.log(2) / characters
    return (
        Score("perplexity per word", per_word.value, f"words:{of_words}"),
        Score("bits per character", bits, f"characters:{characters}"),
    )

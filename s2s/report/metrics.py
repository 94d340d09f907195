"""Scores of whole translations: sacreBLEU (Post 2018) on detokenised text, each with its signature."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sacrebleu.metrics.base import Metric
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER

from s2s.errors import InputError

__all__ = ["Score", "bleu", "chrf", "exact_match", "perplexity", "ter"]

BLEU_TOKENIZERS = {"zh": "zh", "ja": "char"}
DEFAULT_BLEU_TOKENIZER = "13a"
RESAMPLES = 1000
UNSPACED_LANGUAGES = {"zh", "ja"}


@dataclass(frozen=True)
class Score:
    """A number with what is needed to compare it: ``BLEU = 39.52 ± 1.13 (nrefs:1|bs:1000|…|version:2.6.0)``.

    Args:
        name: the name of the metric, as printed.
        value: the number; percent for everything but perplexity.
        signature: how it was computed, in sacreBLEU's form ``key:value|key:value``.
        confidence: half the width of the 95 % confidence interval, in the unit of the value; None if not estimated.
    """

    name: str
    value: float
    signature: str
    confidence: float | None = None

    def __str__(self) -> str:
        interval = "" if self.confidence is None else f" ± {self.confidence:.2f}"
        return f"{self.name} = {self.value:.2f}{interval} ({self.signature})"

    def as_dict(self) -> dict[str, float | str]:
        """Value, confidence where it was estimated, and signature, in JSON's types."""
        interval = {} if self.confidence is None else {"confidence": self.confidence}
        return {"value": self.value, **interval, "signature": self.signature}


def bleu(
    hypotheses: Sequence[str],
    references: Sequence[str],
    *,
    language: str | None = None,
    lowercase: bool = False,
    confidence: bool = False,
) -> Score:
    """Score n-gram precision of the whole corpus, 0 to 100; Papineni et al. (2002).

    Args:
        hypotheses: translations as people read them, never pieces.
        references: one per hypothesis.
        language: target language; ``zh`` takes sacreBLEU's ``zh`` tokenizer, ``ja`` takes ``char`` (the customary
            ``ja-mecab`` would need MeCab, which is no dependency here), all others ``13a``.
        lowercase: ignore case.
        confidence: estimate the 95 % confidence interval by scoring a thousand corpora of sentences drawn with
            replacement (Koehn 2004); the signature then has their number and sacreBLEU's seed, 12345.

    Raises:
        InputError: the lists are empty or differ in length.
    """
    tokenizer = BLEU_TOKENIZERS.get(_primary_language(language), DEFAULT_BLEU_TOKENIZER)
    metric = BLEU(lowercase=lowercase, tokenize=tokenizer)
    return _corpus_score("BLEU", metric, hypotheses, references, resamples=RESAMPLES if confidence else 1)


def chrf(hypotheses: Sequence[str], references: Sequence[str]) -> Score:
    """Score character n-grams up to 6 by chrF2, recall counting twice, 0 to 100; Popović (2015).

    Raises:
        InputError: the lists are empty or differ in length.
    """
    return _corpus_score("chrF2", CHRF(), hypotheses, references)


def ter(hypotheses: Sequence[str], references: Sequence[str], *, language: str | None = None) -> Score:
    """Count edits per hundred reference words, lower is better; Snover et al. (2006).

    Chinese and Japanese (``language`` ``zh``, ``ja``) are normalised and cut into characters first, since blanks do not
    part their words; the signature then says ``norm:yes`` and ``asian:yes``. Case is ignored, as in Tercom.

    Raises:
        InputError: the lists are empty or differ in length.
    """
    unspaced = _primary_language(language) in UNSPACED_LANGUAGES
    return _corpus_score("TER", TER(normalized=unspaced, asian_support=unspaced), hypotheses, references)


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


def exact_match(hypotheses: Sequence[str], references: Sequence[str]) -> Score:
    """Score the percentage of hypotheses that equal their reference, blanks at either end aside.

    Raises:
        InputError: the lists are empty or differ in length.
    """
    _check_pairs("exact match", hypotheses, references)
    matches = sum(
        hypothesis.strip() == reference.strip() for hypothesis, reference in zip(hypotheses, references, strict=True)
    )
    signature = f"sentences:{len(references)}|nrefs:1|case:mixed|space:stripped"
    return Score("exact match", 100 * matches / len(references), signature)


def _corpus_score(
    name: str, metric: Metric, hypotheses: Sequence[str], references: Sequence[str], *, resamples: int = 1
) -> Score:
    """Run one of sacreBLEU's metrics with a single reference per sentence, and on resamples of them."""
    _check_pairs(name, hypotheses, references)
    result = metric.corpus_score(list(hypotheses), [list(references)], n_bootstrap=resamples)
    confidence = float(result._ci) if resamples > 1 else None
    return Score(name, float(result.score), str(metric.get_signature()), confidence)


def _check_pairs(name: str, hypotheses: Sequence[str], references: Sequence[str]) -> None:
    if isinstance(hypotheses, str) or isinstance(references, str):
        raise InputError(f"{name} got a single string, expected lists of sentences; wrap it in a list")
    if len(hypotheses) != len(references):
        raise InputError(
            f"{name} got {len(hypotheses)} hypotheses and {len(references)} references, expected one reference for "
            "each hypothesis; check that both files are of the same test set, line by line"
        )
    if not hypotheses:
        raise InputError(f"{name} got 0 hypotheses and 0 references, expected at least 1; check that no file is empty")


def _primary_language(language: str | None) -> str:
    """Return the first part of a language tag: ``zh-CN`` and ``zh_TW`` are ``zh``."""
    return (language or "").replace("_", "-").split("-")[0].lower()

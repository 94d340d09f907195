"""The metrics there are, by name: sacreBLEU's (Post 2018), on detokenised text, and those of exact answers."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from sacrebleu.metrics.base import Metric as SacreBleuMetric
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER

from s2s.errors import InputError
from s2s.report.score import Metric, told
from s2s.report.token_metrics import ExactMatch, TokenErrorRate

__all__ = ["METRICS", "OfSacreBleu", "bleu_tokenizer", "bleu_words", "metrics_by_name"]

BLEU_TOKENIZERS = {"zh": "zh", "ja": "char"}
DEFAULT_BLEU_TOKENIZER = "13a"
UNSPACED_LANGUAGES = {"zh", "ja"}


class OfSacreBleu(Metric):
    """One of sacreBLEU's metrics, with a single reference per sentence.

    Args:
        name, lower_is_better: as in ``Metric``.
        metric: for a corpus.
        of_sentence: for a sentence, where that is another; it must count the same.
    """

    def __init__(
        self,
        name: str,
        metric: SacreBleuMetric,
        of_sentence: SacreBleuMetric | None = None,
        *,
        lower_is_better: bool = False,
    ) -> None:
        super().__init__(name, lower_is_better=lower_is_better)
        self.metric = metric
        self.of_sentence = of_sentence or metric

    def statistics(self, hypotheses: Iterable[str], references: Sequence[str]) -> NDArray[np.float64]:
        """Counts of n-grams or edits, as sacreBLEU keeps them."""
        # It goes through the hypotheses once, so that an iterator which tells of progress will do.
        counts = self.metric._extract_corpus_statistics(hypotheses, [references])  # type: ignore[arg-type]
        return np.array(counts, dtype=np.float64)

    def value(self, sums: Sequence[float]) -> float:
        """The metric's score."""
        return float(self.metric._compute_score_from_stats(list(sums)).score)

    def sentence_value(self, statistics: Sequence[float]) -> float:
        """The score of the metric for sentences."""
        return float(self.of_sentence._compute_score_from_stats(list(statistics)).score)

    def signature(self, **draws: int) -> str:
        """sacreBLEU's signature."""
        signature = self.metric.get_signature()
        signature.info.update(told(draws))
        return str(signature)


def bleu_tokenizer(language: str | None) -> str:
    """The name of sacreBLEU's tokenizer for a target language.

    ``zh`` takes ``zh``, ``ja`` takes ``char`` (the customary ``ja-mecab`` would need MeCab, which is no dependency
    here), all others ``13a``.
    """
    return BLEU_TOKENIZERS.get(_primary_language(language), DEFAULT_BLEU_TOKENIZER)


def bleu_words(language: str | None) -> Callable[[str], list[str]]:
    """Make what finds the words of a sentence as BLEU does, case kept."""
    cut = BLEU(tokenize=bleu_tokenizer(language)).tokenizer
    return lambda sentence: cut(sentence.rstrip()).split()


def _bleu(language: str | None) -> Metric:
    """N-gram precision; Papineni et al. (2002). Sentences are scored by the orders they are long enough for."""
    cut = bleu_tokenizer(language)
    return OfSacreBleu("BLEU", BLEU(tokenize=cut), BLEU(tokenize=cut, effective_order=True))


def _bleu_lc(language: str | None) -> Metric:
    """BLEU without case, which papers on captions report."""
    cut = bleu_tokenizer(language)
    of_sentence = BLEU(lowercase=True, tokenize=cut, effective_order=True)
    return OfSacreBleu("BLEU lc", BLEU(lowercase=True, tokenize=cut), of_sentence)


def _chrf(language: str | None) -> Metric:
    """Character n-grams up to 6, recall counting twice; Popović (2015)."""
    return OfSacreBleu("chrF2", CHRF())


def _chrf_plus_plus(language: str | None) -> Metric:
    """The same with words and pairs of words, which blanks part in Chinese too; Popović (2017)."""
    return OfSacreBleu("chrF2++", CHRF(word_order=2))


def _ter(language: str | None) -> Metric:
    """Edits and shifts per hundred reference words, without case, as in Tercom; Snover et al. (2006).

    Chinese and Japanese are normalised and cut into characters first, since blanks do not part their words; the
    signature then says ``norm:yes`` and ``asian:yes``.
    """
    unspaced = _primary_language(language) in UNSPACED_LANGUAGES
    return OfSacreBleu("TER", TER(normalized=unspaced, asian_support=unspaced), lower_is_better=True)


METRICS: dict[str, Callable[[str | None], Metric]] = {
    "bleu": _bleu,
    "bleu_lc": _bleu_lc,
    "chrf": _chrf,
    "chrf++": _chrf_plus_plus,
    "ter": _ter,
    "exact": lambda language: ExactMatch(),
    "wer": lambda language: TokenErrorRate(),
}


def metrics_by_name(names: Sequence[str], language: str | None) -> list[Metric]:
    """Make the metrics of these names for a target language.

    Raises:
        InputError: a name that is unknown or stands twice, or none.
    """
    for name in names:
        if name not in METRICS:
            raise InputError(f"metrics={name} is unknown; expected some of {', '.join(METRICS)}")
        if names.count(name) > 1:
            raise InputError(f"metrics= names {name} twice; leave one out")
    if not names:
        raise InputError(f"metrics=[] names none; expected some of {', '.join(METRICS)}")
    return [METRICS[name](language) for name in names]


def _primary_language(language: str | None) -> str:
    """Return the first part of a language tag: ``zh-CN`` and ``zh_TW`` are ``zh``."""
    return (language or "").replace("_", "-").split("-")[0].lower()

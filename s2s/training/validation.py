"""What a model is worth on the validation pairs, as it is kept in a run's metrics."""

import math
from collections.abc import Mapping
from typing import Any

import torch

from s2s.report.corpus_metrics import METRICS
from s2s.report.metrics import Score, perplexity
from s2s.text.batching import ParallelIds, SentenceIds, plan_batches
from s2s.training.objective import cross_entropy, teacher_forced
from s2s.translator import Translator

__all__ = ["CRITERIA", "as_record", "criterion_score", "of_text", "validate"]

CRITERIA = ("bleu", "chrf", "exact")


def validate(
    translator: Translator,
    sources: list[str],
    references: list[str],
    *,
    language: str,
    batch_tokens: int,
    criterion: str,
) -> dict[str, Score]:
    """Measure a model on pairs.

    Args:
        translator: the model with its tokenizers and the search to translate with.
        sources, references: the pairs, as text.
        language: code of the target language.
        batch_tokens: the most tokens of a batch that is scored.
        criterion: what the pairs are scored for; ``loss`` needs no translations, which take longer.

    Returns:
        ``perplexity`` per target token, without smoothing, and where it translated what ``of_text`` gives.

    Raises:
        FloatingPointError: the model's numbers are no longer finite.
    """
    sides = ((translator.source, sources), (translator.target, references))
    ids = ParallelIds(*(SentenceIds.of(tokenizer.encode(texts)) for tokenizer, texts in sides))
    model = translator.model.eval()
    nll = 0.0
    with torch.inference_mode():
        for rows in plan_batches(ids.source.lengths, ids.target.lengths, tokens=batch_tokens):
            batch = ids.batch(rows.tolist()).to(translator.device)
            features, _ = teacher_forced(model, batch)
            assert batch.target is not None
            nll += float(cross_entropy(model.readout, features, batch.target)[1])
    if not math.isfinite(nll):
        raise FloatingPointError("the references have no finite log-probability")
    scores = {"perplexity": perplexity(nll, int(ids.target.lengths.sum()))}
    if criterion != "loss":
        hypotheses = [translation.text for translation in translator(sources)]
        scores |= of_text(hypotheses, references, language=language, criterion=criterion)
    return scores


def of_text(
    hypotheses: list[str], references: list[str], *, language: str, criterion: str, confidence: bool = False
) -> dict[str, Score]:
    """Score translations by BLEU and chrF2, and by exact match where that is the criterion; BLEU with confidence."""
    names = ("bleu", "chrf", "exact") if criterion == "exact" else ("bleu", "chrf")
    return {
        name: METRICS[name](language).score(hypotheses, references, confidence=confidence and name != "chrf")
        for name in names
    }


def as_record(scores: Mapping[str, Score]) -> dict[str, Any]:
    """What metrics keep of a validation: the perplexity, and the other scores each with its signature."""
    return {name: score.value if name == "perplexity" else score.as_dict() for name, score in scores.items()}


def criterion_score(record: Mapping[str, Any], criterion: str) -> float:
    """What the best checkpoint goes by, higher being better; the criterion is one of ``CRITERIA`` or ``loss``."""
    return float(-record["perplexity"] if criterion == "loss" else record[criterion]["value"])

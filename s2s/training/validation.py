"""What a model is worth on the validation pairs, as it is kept in a run's metrics."""

from collections.abc import Mapping
from typing import Any

import torch

from s2s.report.metrics import Score, bleu, chrf, perplexity
from s2s.text.batching import ParallelIds, SentenceIds, plan_batches
from s2s.training.objective import cross_entropy, teacher_forced
from s2s.translator import Translator

__all__ = ["as_record", "criterion_score", "validate"]


def validate(
    translator: Translator,
    sources: list[str],
    references: list[str],
    *,
    language: str,
    batch_tokens: int,
    translating: bool = True,
) -> dict[str, Score]:
    """Measure a model on pairs.

    Args:
        translator: the model with its tokenizers and the search to translate with.
        sources, references: the pairs, as text.
        language: code of the target language.
        batch_tokens: the most tokens of a batch that is scored.
        translating: whether to translate, which takes longer, and score the translations.

    Returns:
        ``perplexity`` per target token, without smoothing, and where it translated ``bleu`` and ``chrf``.
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
    scores = {"perplexity": perplexity(nll, int(ids.target.lengths.sum()))}
    if translating:
        hypotheses = [translation.text for translation in translator(sources)]
        scores["bleu"] = bleu(hypotheses, references, language=language)
        scores["chrf"] = chrf(hypotheses, references)
    return scores


def as_record(scores: Mapping[str, Score]) -> dict[str, Any]:
    """What metrics keep of a validation: the perplexity, and the other scores each with its signature."""
    return {name: score.value if name == "perplexity" else score.as_dict() for name, score in scores.items()}


def criterion_score(record: Mapping[str, Any], criterion: str) -> float:
    """What the best checkpoint goes by, higher being better; the criterion is ``bleu``, ``chrf`` or ``loss``."""
    return float(-record["perplexity"] if criterion == "loss" else record[criterion]["value"])

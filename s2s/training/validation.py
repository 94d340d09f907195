"""What a model is worth on the validation pairs, as it is kept in a run's metrics."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from s2s.model.language_model import read_on
from s2s.report.corpus_metrics import METRICS
from s2s.report.metrics import Score, perplexity, text_perplexities, words_and_characters
from s2s.text.batching import ParallelIds, SentenceIds, plan_batches
from s2s.text.streams import streamed
from s2s.text.tokenizer import normalise
from s2s.training.objective import cross_entropy, teacher_forced
from s2s.training.processes import ALONE, Processes
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
    running: bool = False,
    processes: Processes = ALONE,
) -> dict[str, Score]:
    """Measure a model on pairs.

    Args:
        translator: the model with its tokenizers and the search to translate with.
        sources, references: the pairs, as text.
        language: code of the target language.
        batch_tokens: the most tokens of a batch that is scored.
        criterion: what the pairs are scored for; ``loss`` needs no translations, which take longer.
        running: the targets are one running text, each of them read with the state that those before have left.
        processes: which share the pairs; each returns the scores of all.

    Returns:
        ``perplexity`` per target token, without smoothing; of a language model per word and ``bits`` per character,
        too; and where it translated what ``of_text`` gives.

    Raises:
        FloatingPointError: the model's numbers are no longer finite.
    """
    sides = ((translator.source, sources), (translator.target, references))
    ids = ParallelIds(*(SentenceIds.of(tokenizer.encode(texts)) for tokenizer, texts in sides))
    model = translator.model.eval()
    nll, carried = 0.0, None
    plan = plan_batches(ids.source.lengths, ids.target.lengths, tokens=batch_tokens)
    if running:
        ids, plan = streamed(ids, np.arange(len(ids)), length=batch_tokens, tokens=batch_tokens)
    with torch.inference_mode():
        for rows in plan if running else processes.share(plan):
            batch = ids.batch(rows.tolist()).to(translator.device)
            assert batch.target is not None
            if running:
                features, carried = read_on(model, batch.target.ids, carried)
            else:
                features, _ = teacher_forced(model, batch)
            nll += float(cross_entropy(model.readout, features, batch.target)[1])
    if not running:
        total = torch.tensor(nll, dtype=torch.float64, device=translator.device)
        processes.sum_(total)
        nll = float(total)
    if not math.isfinite(nll):
        raise FloatingPointError("the references have no finite log-probability")
    scores = {"perplexity": perplexity(nll, int(ids.target.lengths.sum()))}
    if not model.reads_source:
        per_word, bits = text_perplexities(nll, map(words_and_characters, map(normalise, references)))
        scores |= {"word_perplexity": per_word, "bits": bits}
    if criterion != "loss":
        hypotheses = processes.gathered([translation.text for translation in translator(processes.share(sources))])
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

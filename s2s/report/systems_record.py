"""A comparison of systems in JSON's types: everything that is known of it, with signatures and versions."""

from importlib.metadata import version
from typing import Any

from s2s.report.counted_systems import ScoredBucket
from s2s.report.score import Score
from s2s.report.systems import Comparison

__all__ = ["comparison_record", "sentence_records"]

DIGITS = 4  # after the point, of the score of a sentence


def comparison_record(comparison: Comparison) -> dict[str, Any]:
    """Scores, differences and buckets, without texts; what is not known is left out."""
    names = [system.name for system in comparison.systems]
    record: dict[str, Any] = {
        "baseline": names[0],
        "sentences": len(comparison.references),
        "metrics": [
            {
                "name": metric.name,
                "lower_is_better": metric.lower_is_better,
                "signature": comparison.scores[metric.name][0].signature,
            }
            for metric in comparison.metrics
        ],
        "versions": {package: version(package) for package in ("s2s", "sacrebleu", "numpy")},
        "systems": [_system(comparison, number) for number in range(len(names))],
    }
    for kind in ("by_length", "by_rarest_word"):
        if buckets := getattr(comparison, kind):
            record[kind] = [_bucket(bucket, names) for bucket in buckets]
    if comparison.by_frequency:
        record["by_frequency"] = [
            {
                "frequency": label,
                "systems": {name: one.as_dict() for name, one in zip(names, matches, strict=True)},
            }
            for label, matches in comparison.by_frequency.items()
        ]
    return record


def sentence_records(comparison: Comparison) -> list[dict[str, Any]]:
    """Every sentence: its line counted from 1, texts, and each metric's score for each system, in their order."""
    scores = {name: values.T.round(DIGITS).tolist() for name, values in comparison.sentence_scores.items()}
    sources = comparison.sources
    return [
        {
            "line": row + 1,
            **({} if sources is None else {"source": sources[row]}),
            "reference": reference,
            "hypotheses": [system.hypotheses[row] for system in comparison.systems],
            "scores": {name: values[row] for name, values in scores.items()},
        }
        for row, reference in enumerate(comparison.references)
    ]


def _system(comparison: Comparison, number: int) -> dict[str, Any]:
    """A system with its scores and, where it is not the baseline, what it has over that."""
    system = comparison.systems[number]
    scores = [of_systems[number] for of_systems in comparison.scores.values()]
    record = {"name": system.name, "scores": {score.name: score.as_dict() for score in (*scores, *system.others)}}
    if number:
        record["against_baseline"] = {
            name: vars(of_systems[number - 1]) for name, of_systems in comparison.differences.items()
        }
    return record


def _bucket(bucket: ScoredBucket, names: list[str]) -> dict[str, Any]:
    """Sentences of a kind, and each system's scores on them."""

    def by_metric(number: int) -> dict[str, Any]:
        return {metric: _short(scores[number]) for metric, scores in bucket.scores.items()}

    systems = {name: by_metric(number) for number, name in enumerate(names)}
    return {"range": bucket.label, "sentences": bucket.sentences, "systems": systems}


def _short(score: Score) -> dict[str, float | None]:
    """A score without the signature, which is that of the whole test set."""
    return {"value": score.value, "confidence": score.confidence}

"""A comparison of systems in letters of one width."""

from collections.abc import Sequence

from rich.text import Text

from s2s.report.counted_systems import ScoredBucket
from s2s.report.ruled_table import laid_out, ruled_table
from s2s.report.score import Metric, Score
from s2s.report.systems import Comparison

__all__ = ["bucket_tables", "score_tables"]


def score_tables(comparison: Comparison) -> str:
    """Every score of several systems, their differences from the first, and signatures."""
    return "\n".join([_scores(comparison), _differences(comparison), _signatures(comparison)])


def bucket_tables(comparison: Comparison) -> str:
    """What there is of scores by length, by the rarest word and of words by frequency; the first metric alone."""
    metric = comparison.metrics[0]
    tables = [
        _buckets(comparison, buckets, f"{_title(metric)} by {what}")
        for buckets, what in (
            (comparison.by_length, "words of the source"),
            (comparison.by_rarest_word, "training frequency of the rarest reference word"),
        )
        if buckets
    ]
    return "\n".join([*tables, *([_words(comparison)] if comparison.by_frequency else [])])


def _scores(comparison: Comparison) -> str:
    """A row for each system, a column for each metric."""
    others = list(dict.fromkeys(score.name for system in comparison.systems for score in system.others))
    table = ruled_table("system", *map(_title, comparison.metrics), *others)
    for number, system in enumerate(comparison.systems):
        known = {score.name: score for score in system.others}
        cells = [_with_interval(of_systems[number]) for of_systems in comparison.scores.values()]
        table.add_row(
            Text(system.name), *cells, *(f"{known[name].value:.2f}" if name in known else "" for name in others)
        )
    return laid_out(table)


def _differences(comparison: Comparison) -> str:
    """A row for each metric of each system but the baseline."""
    baseline, *systems = comparison.systems
    titles = ("difference", "p bootstrap", "p randomisation", "better", "worse", "equal")
    table = ruled_table(f"against {baseline.name}", *titles, words=2)
    for number, system in enumerate(systems):
        for place, metric in enumerate(comparison.metrics):
            difference = comparison.differences[metric.name][number]
            p_values = (difference.bootstrap_p, difference.randomisation_p)
            counts = (difference.better, difference.worse, difference.equal)
            table.add_row(
                Text("" if place else system.name),
                _title(metric),
                f"{difference.value:+.2f}",
                *(f"{p:.4f}" for p in p_values),
                *(f"{count:,}" for count in counts),
            )
    return laid_out(table)


def _signatures(comparison: Comparison) -> str:
    """What the figures are, and how each metric was computed."""
    signatures = [(metric.name, comparison.scores[metric.name][0].signature) for metric in comparison.metrics]
    signatures += [
        (f"{score.name} of {system.name}", score.signature) for system in comparison.systems for score in system.others
    ]
    width = max(len(name) for name, _ in signatures)
    return (
        "± half the 95 % confidence interval, ↓ lower is better; better, worse, equal: sentences by their own score\n"
        + "".join(f"{name:{width}}  {signature}\n" for name, signature in signatures)
    )


def _buckets(comparison: Comparison, buckets: Sequence[ScoredBucket], title: str) -> str:
    """A row for each bucket, a column for each system."""
    table = ruled_table(title, "sentences", *(system.name for system in comparison.systems))
    for bucket in buckets:
        scores = bucket.scores[comparison.metrics[0].name]
        table.add_row(bucket.label, f"{bucket.sentences:,}", *map(_with_interval, scores))
    return laid_out(table)


def _words(comparison: Comparison) -> str:
    """A row for each frequency, a column for each system."""
    table = ruled_table(
        "F-measure of words by training frequency", "words", *(system.name for system in comparison.systems)
    )
    for label, matches in comparison.by_frequency.items():
        table.add_row(label, f"{matches[0].references:,}", *(f"{one.f_measure:.2f}" for one in matches))
    return laid_out(table)


def _title(metric: Metric) -> str:
    return f"{metric.name} ↓" if metric.lower_is_better else metric.name


def _with_interval(score: Score) -> str:
    return f"{score.value:.2f} ± {score.confidence:.2f}"

"""Systems against a baseline on one test set: every metric, the chance in it, and what the scores hide."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from s2s.errors import InputError
from s2s.report.buckets import Bucket, Matches, by_frequency, by_length, by_rarest_word, count_words
from s2s.report.counted_systems import CountedSystems, Difference, ScoredBucket, System, now_and_then, telling
from s2s.report.score import Metric, Score

__all__ = ["Comparison", "compare_systems"]

Cut = Callable[[str], Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What is known of systems; lists go by system in the given order, the first of which is the baseline.

    Args:
        systems, references, metrics: what was compared, and by what.
        sources: None where they are not known.
        scores: metric -> a score for each system.
        differences: metric -> a difference for each system but the baseline.
        sentence_scores: metric -> (systems, N).
        by_length: sentences by the number of words of their source; empty where sources are not known.
        by_rarest_word: sentences by the training frequency of the rarest word of their reference.
        by_frequency: training frequency -> words of it for each system, where the references have some; this and the
            last are empty where training data is not known.
    """

    systems: Sequence[System]
    references: Sequence[str]
    metrics: Sequence[Metric]
    sources: Sequence[str] | None
    scores: dict[str, list[Score]]
    differences: dict[str, list[Difference]]
    sentence_scores: dict[str, NDArray[np.float64]]
    by_length: list[ScoredBucket]
    by_rarest_word: list[ScoredBucket]
    by_frequency: dict[str, list[Matches]]


def compare_systems(
    systems: Sequence[System],
    references: Sequence[str],
    *,
    metrics: Sequence[Metric],
    cut: Cut,
    sources: Sequence[str] | None = None,
    cut_source: Cut = str.split,
    training: Iterable[str] | None = None,
    say: Callable[[str], None],
) -> Comparison:
    """Score systems, and test what the others have over the first.

    Args:
        systems: one or more, each of a name of its own.
        references: one for each sentence, N.
        metrics: one or more.
        cut: finds the words of a target sentence, which are looked up in the training data.
        sources: for scores by length.
        cut_source: finds the words of a source, in which its length is counted.
        training: the target side of the training data, for scores by frequency.
        say: takes a line on how far it is, every few seconds.

    Raises:
        InputError: no sentences, unequal numbers of them, or two systems of one name.
    """
    _check(systems, references, sources)
    say = now_and_then(say)
    counted = CountedSystems(systems, references, metrics, say)
    by_words: dict[str, list[Matches]] = {}
    rarest: list[Bucket] = []
    if training is not None:
        cut_references = [cut(reference) for reference in references]
        outputs = [[cut(hypothesis) for hypothesis in system.hypotheses] for system in systems]
        wanted = (word for sentences in (cut_references, *outputs) for words in sentences for word in words)
        frequencies = count_words(telling(training, say, "words of the training data"), cut, wanted)
        rarest = by_rarest_word(cut_references, frequencies)
        of_systems = [by_frequency(output, cut_references, frequencies) for output in outputs]
        by_label = {label: [matches[label] for matches in of_systems] for label in of_systems[0]}
        by_words = {label: matches for label, matches in by_label.items() if matches[0].references}
    scores, differences = counted.compared()
    return Comparison(
        systems=systems,
        references=references,
        metrics=metrics,
        sources=sources,
        scores=scores,
        differences=differences,
        sentence_scores=counted.of_sentences,
        by_length=[counted.scored(bucket) for bucket in by_length([cut_source(source) for source in sources or ()])],
        by_rarest_word=[counted.scored(bucket) for bucket in rarest],
        by_frequency=by_words,
    )


def _check(systems: Sequence[System], references: Sequence[str], sources: Sequence[str] | None) -> None:
    """Refuse what cannot be compared line by line."""
    if not references:
        raise InputError("0 references, expected at least 1; check that the file is not empty")
    texts = [(system.name, system.hypotheses) for system in systems] + [("the sources", sources)] * (
        sources is not None
    )
    for name, lines in texts:
        if lines is not None and len(lines) != len(references):
            raise InputError(
                f"{name}: {len(lines)} lines, but {len(references)} references; all must be of the same test set, line "
                "by line"
            )
    names = [system.name for system in systems]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{name} is given twice; leave one out, or rename it")

"""What beam sizes and penalties are worth on pairs of sentences."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice, product
from typing import Any

from s2s.report.corpus_metrics import METRICS
from s2s.report.metrics import Score
from s2s.reranking import ranked, weighed
from s2s.search.beam import BeamSearch
from s2s.search.grid import PenaltyGrid
from s2s.text.cutting import rejoined
from s2s.translator import Translator, tell_progress

__all__ = ["TUNED", "Result", "grid", "rescored", "table", "tried"]

TUNED = ("beam_size", "length_penalty", "coverage_penalty")


@dataclass(frozen=True)
class Result:
    """What a setting is worth: its score, letters per letter of the references, seconds with its beam size.

    ``weights`` are those of what has a say beside the translator, by name.
    """

    search: BeamSearch
    score: Score
    length: float
    seconds: float
    weights: Mapping[str, float] = field(default_factory=dict)

    def rank(self) -> tuple[float, ...]:
        """Greatest where it is best; of equal scores the smaller beam wins, then what is nearer to the default."""
        far = [-abs(getattr(self.search, name) - getattr(BeamSearch(), name)) for name in TUNED[1:]]
        return self.score.value, -self.search.beam_size, *far, -sum(self.weights.values())


def grid(
    translator: Translator,
    search: BeamSearch,
    values: Sequence[Sequence[float]],
    pairs: tuple[list[str], list[str]],
    **options: Any,
) -> Iterator[Result]:
    """Try every beam size with every setting of the penalties.

    Args:
        translator, pairs, options: as in ``tried``.
        search: limits of length.
        values: beam sizes, alphas and betas.
    """
    sizes, alphas, betas = values
    for size in sizes:
        own = replace(search, beam_size=int(size))
        # Greedy search ends with its first hypothesis, which leaves penalties nothing to rank.
        settings = list(product(alphas, betas)) if size > 1 else [(own.length_penalty, own.coverage_penalty)]
        yield from tried(translator, own, settings, pairs, **options)


def tried(
    translator: Translator,
    search: BeamSearch,
    settings: Sequence[tuple[float, float]],
    pairs: tuple[list[str], list[str]],
    *,
    criterion: str,
    language: str,
    batch_size: int,
    say: Callable[[str], None],
) -> list[Result]:
    """Translate with one beam size and score every setting of the penalties.

    Penalties only rank what a beam has ended, so one search finds what a search with each of them would.

    Args:
        translator: of one run or several.
        search: beam size and limits of length.
        settings: alpha and beta of each.
        pairs: sources and references.
        criterion: ``bleu``, ``chrf`` or ``exact``.
        language: of the references.
        batch_size: sentences that are worked on together.
        say: is told how it goes.
    """
    sources, references = pairs
    begun = time.perf_counter()
    grid = translator.using(PenaltyGrid(search, tuple(settings)))
    lines = [translator.parts(source) for source in sources]
    found = list(tell_progress(grid.stream(chain.from_iterable(lines), batch_size=batch_size), say))
    seconds, letters = time.perf_counter() - begun, sum(map(len, references))
    say(f"beam_size={search.beam_size}: {seconds:.1f} s")
    results = []
    for number, (alpha, beta) in enumerate(settings):
        of_parts = iter([one.hypotheses[number].text if one.source_tokens else "" for one in found])
        texts = [rejoined([*islice(of_parts, len(parts))]) for parts in lines]
        score = METRICS[criterion](language).score(texts, references)
        setting = replace(search, length_penalty=alpha, coverage_penalty=beta)
        results.append(Result(setting, score, sum(map(len, texts)) / max(letters, 1), seconds))
    return results


def rescored(
    translator: Translator,
    names: Sequence[str],
    values: Sequence[float],
    pairs: tuple[list[str], list[str]],
    *,
    criterion: str,
    language: str,
    batch_size: int,
    say: Callable[[str], None],
) -> list[Result]:
    """Translate once, score the candidates by every run once, and choose among them by every combination of weights.

    Args:
        translator: with a beam search, and a ``Rescoring`` that orders what it finds.
        names: of the runs that score.
        values: weights to try for each of them.
        pairs, criterion, language, batch_size, say: as in ``tried``.
    """
    sources, references = pairs
    assert isinstance(translator.search, BeamSearch)
    begun, size = time.perf_counter(), translator.search.beam_size
    found = list(tell_progress(translator.stream(sources, n_best=size, batch_size=batch_size), say))
    seconds, letters = time.perf_counter() - begun, sum(map(len, references))
    results = []
    for weights in product(values, repeat=len(names)):
        best = [
            ranked([weighed(one, [1.0, *weights]) for one in translation.hypotheses])
            if translation.run_scores
            else translation
            for translation in found
        ]
        texts = [one.text for one in best]
        score, length = METRICS[criterion](language).score(texts, references), sum(map(len, texts)) / max(letters, 1)
        by_name = dict(zip(names, weights, strict=True))
        results.append(Result(translator.search, score, length, seconds, by_name))
    return results


def table(results: Sequence[Result], best: Result) -> str:
    """A line for every setting, the best one marked."""
    names = list(results[0].weights)
    titles = (*TUNED, *names, results[0].score.name, "length", "seconds")
    widths = [max(18, len(title) + 2) for title in titles]
    lines = [f"{'':2}{''.join(f'{title:>{width}}' for title, width in zip(titles, widths, strict=True))}"]
    for one in results:
        setting = [str(getattr(one.search, name)) for name in TUNED] + [f"{one.weights[name]:g}" for name in names]
        cells = [*setting, f"{one.score.value:.2f}", f"{one.length:.3f}", f"{one.seconds:.1f}"]
        mark = "*" if one is best else ""
        lines.append(f"{mark:2}{''.join(f'{cell:>{width}}' for cell, width in zip(cells, widths, strict=True))}")
    return "\n".join(lines)

"""What beam sizes and penalties are worth on pairs of sentences."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice

from s2s.report.corpus_metrics import METRICS
from s2s.report.metrics import Score
from s2s.search.beam import BeamSearch
from s2s.search.grid import PenaltyGrid
from s2s.text.cutting import rejoined
from s2s.translator import Translator, tell_progress

__all__ = ["TUNED", "Result", "table", "tried"]

TUNED = ("beam_size", "length_penalty", "coverage_penalty")


@dataclass(frozen=True)
class Result:
    """What a setting is worth: its score, letters per letter of the references, seconds with its beam size."""

    search: BeamSearch
    score: Score
    length: float
    seconds: float

    def rank(self) -> tuple[float, ...]:
        """Greatest where it is best; of equal scores the smaller beam wins, then what is nearer to the default."""
        far = [-abs(getattr(self.search, name) - getattr(BeamSearch(), name)) for name in TUNED[1:]]
        return self.score.value, -self.search.beam_size, *far


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


def table(results: Sequence[Result], best: Result) -> str:
    """A line for every setting, the best one marked."""
    lines = [f"{'':2}{''.join(f'{title:>18}' for title in (*TUNED, results[0].score.name, 'length', 'seconds'))}"]
    for one in results:
        setting = "".join(f"{getattr(one.search, name):>18}" for name in TUNED)
        mark = "*" if one is best else ""
        lines.append(f"{mark:2}{setting}{one.score.value:>18.2f}{one.length:>18.3f}{one.seconds:>18.1f}")
    return "\n".join(lines)

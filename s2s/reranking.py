"""Choosing among the translations that a search has found: the one most like the others, or by what other runs say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from omegaconf import DictConfig, ListConfig

from s2s.errors import InputError
from s2s.run import Run
from s2s.search.beam import BeamSearch
from s2s.search.hypothesis import Search
from s2s.search.sampling import Sampling
from s2s.translation import Translation
from s2s.translator import Translator

__all__ = ["MinimumBayesRisk", "Rescoring", "Scorer", "ranked", "reranked", "weighed"]

SAMPLES = 32


@dataclass(frozen=True, kw_only=True)
class MinimumBayesRisk:
    """Choose the translation whose expected utility is greatest, the one most like all that might be right.

    ``argmax_h sum_y p(y) u(h, y)`` with h and y among the candidates (Kumar & Byrne 2004, section 2). Samples stand for
    the model's distribution as they are, so each counts once and one that was drawn twice counts twice (Eikema & Aziz
    2020, section 6). A list from a beam search has each hypothesis once, whatever its probability; there p is the
    model's probability, divided by the sum over the list. Texts that are equal are one, with the sum of their p.

    Args:
        utility: u, how good h is where y is right: sentence ``chrf`` or ``bleu``.
        drawn: whether the candidates are samples.
        candidates: how many of them.
        language: of the texts; BLEU takes its words accordingly.
    """

    utility: str
    drawn: bool
    candidates: int
    language: str | None = None

    def __post_init__(self) -> None:
        if self.utility not in ("chrf", "bleu"):
            raise InputError(f"mbr={self.utility} is unknown; expected chrf or bleu")

    def __call__(self, translations: Sequence[Translation]) -> list[Translation]:
        """Order the hypotheses of each by expected utility, 0 to 100, which becomes their score.

        Of hypotheses with one text the first stands for all.
        """
        return [self._ordered(one) if one.source_tokens else one for one in translations]

    def _ordered(self, translation: Translation) -> Translation:
        from s2s.report.utility import UTILITIES  # as sacreBLEU takes a while to import

        shown: dict[str, Translation] = {}
        weights: dict[str, float] = {}
        most = max(one.log_prob for one in translation.hypotheses)
        for one in translation.hypotheses:
            shown.setdefault(one.text, one)
            weights[one.text] = weights.get(one.text, 0) + (1.0 if self.drawn else float(np.exp(one.log_prob - most)))
        probabilities = np.array(list(weights.values())) / sum(weights.values())
        expected = UTILITIES[self.utility](list(shown), language=self.language) @ probabilities
        # Last digits depend on the order of the sum; the more probable text wins where nothing else tells two apart.
        scored = [replace(one, score=round(float(u), 9)) for one, u in zip(shown.values(), expected, strict=True)]
        return ranked(scored)


@dataclass(frozen=True)
class Scorer:
    """A run that scores what another has found: its ``weight``, and whether it translates in the other direction."""

    translator: Translator
    weight: float
    reverse: bool = False

    def log_probs(self, sources: list[str], targets: list[str], *, batch_size: int) -> list[float]:
        """The log-probability of each target given its source, or of the source given the target."""
        given, written = (targets, sources) if self.reverse else (sources, targets)
        return [one.log_prob for one in self.translator.score(given, written, batch_size=batch_size)]


@dataclass(frozen=True, kw_only=True)
class Rescoring:
    """Order translations by what several runs think of their texts.

    The score is ``sum_m w_m log p_m / n_m``, where n is the number of tokens, in the first run's pieces, of what is
    written: T of the target, S of the source. As it is the same for all, runs with other pieces have an equal say. p
    may be:

    - another translator. Runs that write their targets backwards see mistakes at the other end of a sentence, and it
      takes both kinds to agree on one (Liu et al. 2016; Sennrich, Haddow & Birch 2016, section 2.4).
    - a language model, p(y).
    - a translator of the other direction, p(x | y), the source's tokens being its own. With a language model beside it
      that is a noisy channel; Yee, Dauphin & Auli (2019, section 3) weigh the three likewise, but for p(y), which they
      divide by S.

    Args:
        first: name of what finds the translations.
        weight: of what that says.
        others: the runs that score them, by name; their tokenizers are their own.
        candidates: how many translations of each sentence are scored.
        batch_size: sentences that are worked on together.
    """

    first: str
    weight: float
    others: Mapping[str, Scorer]
    candidates: int
    batch_size: int = 64

    def __call__(self, translations: Sequence[Translation]) -> list[Translation]:
        """Order the hypotheses of each by this score; ``run_scores`` keeps that of every run, unweighted."""
        pairs = list(dict.fromkeys((one.source, one.text) for best in translations for one in best.hypotheses))
        sources, targets = [source for source, _ in pairs], [target for _, target in pairs]
        log_probs = {
            name: dict(zip(pairs, scorer.log_probs(sources, targets, batch_size=self.batch_size), strict=True))
            for name, scorer in self.others.items()
        }
        weights = [self.weight, *(scorer.weight for scorer in self.others.values())]
        return [
            ranked([weighed(self._scored(one, log_probs), weights) for one in best.hypotheses])
            if best.source_tokens
            else best
            for best in translations
        ]

    def _scored(self, one: Translation, log_probs: Mapping[str, Mapping[tuple[str, str], float]]) -> Translation:
        scores = {self.first: one.log_prob / len(one.target_tokens)}
        for name, own in log_probs.items():
            written = one.source_tokens if self.others[name].reverse else one.target_tokens
            scores[name] = own[one.source, one.text] / len(written)
        return replace(one, run_scores=scores)


def weighed(one: Translation, weights: Sequence[float]) -> Translation:
    """A hypothesis whose score is what several runs say of it, in their order, by weight."""
    said = zip(weights, one.run_scores.values(), strict=True)
    return replace(one, score=sum(weight * value for weight, value in said))


def ranked(hypotheses: Sequence[Translation]) -> Translation:
    """The hypothesis with the greatest score, the others as its alternatives; of equal ones the more probable first."""
    first, *others = sorted(hypotheses, key=lambda one: (-one.score, -one.log_prob))
    return replace(first, alternatives=tuple(others))


def reranked(translator: Translator, config: DictConfig, runs: Sequence[Run]) -> Translator:
    """The translator with the choice that ``mbr=``, ``rescore=`` and ``candidates=`` of a command line ask for, if any.

    Args:
        translator: of these runs.
        config: of the command.
        runs: what translates.

    Raises:
        InputError: options that do not go together, or too few candidates.
    """
    others = Run.find_all(config.rescore, "") if config.rescore else []
    if config.mbr and others:
        raise InputError("mbr= and rescore= both choose among the candidates; give one of them")
    if config.rescore_weights is not None and not others:
        raise InputError(
            f"rescore_weights={config.rescore_weights} weighs runs of rescore=, and there are none; give both"
        )
    if not config.mbr and not others:
        if config.candidates is not None:
            raise InputError(
                f"candidates={config.candidates} are for mbr= or rescore= to choose among; give one of them"
            )
        return translator
    candidates = _number_of_candidates(translator.search, config.candidates)
    if config.mbr:
        drawn, language = isinstance(translator.search, Sampling), config.get("to") or runs[0].config.data.target
        return translator.reranked_by(
            MinimumBayesRisk(utility=str(config.mbr), drawn=drawn, candidates=candidates, language=language)
        )
    names = [",".join(str(run.folder) for run in runs), *(str(run.folder) for run in others)]
    if len(set(names)) < len(names):
        raise InputError(f"rescore= names a run that has its say already; give others than {', '.join(names)}")
    weight, *weights = _weights(config.rescore_weights, len(others))
    options = {name: config[name] for name in ("device", "precision", "workers")}
    scorers = {
        str(run.folder): Scorer(Translator.load(run, **options), own, _is_reverse(run, runs[0]))
        for run, own in zip(others, weights, strict=True)
    }
    return translator.reranked_by(
        Rescoring(first=names[0], weight=weight, others=scorers, candidates=candidates, batch_size=config.batch_size)
    )


def _is_reverse(run: Run, first: Run) -> bool:
    """Whether a run translates from what the first one translates into."""
    here, there = ((one.config.data.get("source"), one.config.data.get("target")) for one in (run, first))
    return not run.is_language_model and here != there and here == there[::-1]


def _weights(given: Any, others: int) -> list[float]:
    """The weight of the run that translates, and of each that scores; without any all are equal."""
    if given is None:
        return [1 / (others + 1)] * (others + 1)
    weights = list(given) if isinstance(given, ListConfig) else [given]
    if len(weights) != others or any(type(weight) not in (int, float) for weight in weights):
        raise InputError(
            f"rescore_weights={given} are not {others} numbers, one for each run of rescore=; that of the run that "
            "translates is 1"
        )
    return [1.0, *map(float, weights)]


def _number_of_candidates(search: Search, asked: int | None) -> int:
    """How many there are to choose among: all of a beam, or as many samples as asked."""
    if asked is not None and type(asked) is not int:
        raise InputError(f"candidates={asked} is no whole number; give one from 2 up, or null")
    if not isinstance(search, BeamSearch):
        count = SAMPLES if asked is None else asked
    elif (count := search.beam_size if asked is None else asked) > search.beam_size:
        raise InputError(
            f"candidates={count} are more than search.beam_size={search.beam_size} can find; set search.beam_size too"
        )
    if count < 2:
        raise InputError(
            f"candidates={count} leaves nothing to choose; give 2 or more, and a search that finds as many"
        )
    return count

"""A language model's say in a search: what is asked for in ``search.lm=``, and who then writes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from s2s.errors import InputError
from s2s.model.ensemble import OneModel, Writer
from s2s.model.fusion import Fused, InternalLanguageModel
from s2s.model.seq2seq import Seq2Seq
from s2s.run import Run
from s2s.text.tokenizer import Tokenizer

__all__ = ["Fusion", "taken_out"]

OPTIONS = ("lm", "lm_weight", "internal_lm_weight")


@dataclass(frozen=True, kw_only=True)
class Fusion:
    """Shallow fusion; see ``Fused``.

    Args:
        lm: run folder of the language model.
        lm_weight: of its log-probabilities.
        internal_lm_weight: of those of the translator's own language model, which are taken away.

    Raises:
        InputError: a weight out of range.
    """

    lm: str
    lm_weight: float = 0.1
    internal_lm_weight: float = 0.0

    def __post_init__(self) -> None:
        for name in OPTIONS[1:]:
            if not 0 <= (weight := getattr(self, name)) <= 10:
                raise InputError(f"search.{name}={weight} is no weight; give a number from 0 to 10, such as 0.1")

    def writer(self, own: Writer, models: Sequence[Seq2Seq], target: Tokenizer, device: torch.device) -> Writer:
        """Who writes then, given who writes alone, by which models, in which pieces.

        Raises:
            InputError: no language model, one of other pieces, or several translators whose own would be taken away.
        """
        run = Run(self.lm)
        if not run.is_language_model:
            raise InputError(f"search.lm={self.lm} translates; name a language model, trained with model=lm")
        pieces = run.tokenizers()[1]
        if (pieces.model, pieces.backwards) != (target.model, target.backwards):
            raise InputError(
                f"search.lm={self.lm} writes other pieces than the translator; train it with tokenizers_of= the "
                "translator's run, or let it rescore="
            )
        internal = None
        if self.internal_lm_weight:
            if not models:
                raise InputError("search.internal_lm_weight= needs weights, which an ONNX export has not; leave it out")
            if len(models) > 1:
                raise InputError("search.internal_lm_weight= is of one run, and several translate; leave it out")
            internal = InternalLanguageModel(models[0])
        language_model = OneModel(run.load_model(device))
        return Fused(
            own,
            language_model,
            weight=self.lm_weight,
            internal=internal,
            internal_weight=self.internal_lm_weight,
        )


def taken_out(search: DictConfig, typed: Mapping[str, Any]) -> tuple[DictConfig, dict[str, Any], Fusion | None]:
    """Take what a person asks for of a language model out of the options of a search.

    Args:
        search: a command's node, or a run's, which never names a language model that is asked.
        typed: what was typed, by names without ``search.``.

    Returns:
        what concerns the search alone of both, and the fusion, None where there is none.

    Raises:
        InputError: weights without a language model.
    """
    alone = OmegaConf.masked_copy(search, [str(name) for name in search if name not in OPTIONS])
    options = {name: typed[name] for name in OPTIONS if typed.get(name) is not None}
    if options and "lm" not in options:
        raise InputError(f"search.{next(iter(options))}= weighs a language model; name one with search.lm=")
    others = {name: value for name, value in typed.items() if name not in OPTIONS}
    return alone, others, Fusion(**{**options, "lm": str(options["lm"])}) if options else None

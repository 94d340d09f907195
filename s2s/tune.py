"""python -m s2s.tune: beam size, penalties and weights that translate the validation pairs of a run best.

What is best on the pairs it was chosen on looks better there than elsewhere, so no option chooses on test pairs.
"""

from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import product

from omegaconf import DictConfig, ListConfig, OmegaConf

from s2s.building import build
from s2s.config import command, say
from s2s.errors import InputError
from s2s.fusion import Fusion
from s2s.reranking import reranked
from s2s.run import Run
from s2s.search.beam import BeamSearch
from s2s.training.stream import valid_pairs
from s2s.training.tuning import TUNED, Result, grid, rescored, table
from s2s.training.validation import CRITERIA
from s2s.translator import Translator


def tune(config: DictConfig) -> None:
    """Print a table of all settings and the command that uses the best."""
    if config.criterion not in CRITERIA:
        raise InputError(f"criterion={config.criterion} is unknown; expected one of {', '.join(CRITERIA)}")
    runs = Run.find_all(config.run, config.runs_dir)
    if config.keep and (config.rescore or config.search.lm):
        raise InputError(
            "keep=true keeps a search, and other runs have a say in this one; type what is printed instead"
        )
    if config.keep and len(runs) > 1:
        raise InputError("keep=true writes into one run, and several are named; leave it out and type the options")
    names = ",".join(str(run.folder) for run in runs)
    say(f"run: {names}")
    translator = Translator.from_config(config, runs)
    if not isinstance(search := translator.search, BeamSearch):
        raise InputError(f"{type(search).__name__} has no beam size and penalties to tune; give search=beam")
    corpus = build(runs[0].config.data, "data")
    pairs = valid_pairs(corpus, say)
    texts = list(pairs["source"]), list(pairs["target"])
    options = {"criterion": config.criterion, "language": corpus.language, "batch_size": config.batch_size, "say": say}
    if config.rescore:
        scorers = [str(run.folder) for run in Run.find_all(config.rescore, "")]
        asked = OmegaConf.create({**config, "mbr": None, "rescore_weights": None})
        values = numbers(config, "rescore_weights")
        results = rescored(reranked(translator, asked, runs), scorers, values, texts, **options)
    else:
        settings = [numbers(config, name) for name in TUNED]
        results = [
            replace(one, weights=weights)
            for own, weights in fusions(config, translator)
            for one in grid(own, search, settings, texts, **options)
        ]
    best = max(results, key=Result.rank)
    print(table(results, best))
    chosen = [f"search.{name}={getattr(best.search, name)}" for name in TUNED]
    if config.rescore:
        listed = [",".join(scorers), ",".join(f"{weight:g}" for weight in best.weights.values())]
        chosen += [f"{name}=[{value}]" for name, value in zip(("rescore", "rescore_weights"), listed, strict=True)]
    elif best.weights:
        chosen += [
            f"search.lm={config.search.lm}",
            *(f"search.{name}={value:g}" for name, value in best.weights.items()),
        ]
    print(f"best of {len(results)} on {len(pairs):,} validation pairs: {best.score}")
    print(f"python -m s2s.translate run={f'[{names}]' if len(runs) > 1 else names} {' '.join(chosen)}")
    if config.keep:
        runs[0].config.search = {"_target_": f"{BeamSearch.__module__}.{BeamSearch.__name__}", **asdict(best.search)}
        runs[0].save_config()
        say(f"kept in {runs[0].folder}/config.yaml, whose search is taken where no other is asked for")


def fusions(config: DictConfig, translator: Translator) -> Iterator[tuple[Translator, dict[str, float]]]:
    """The translator with each say that a language model is to have, and the weights of that."""
    if not config.search.lm:
        yield translator, {}
        return
    for weights in product(numbers(config, "lm_weight"), numbers(config, "internal_lm_weight")):
        named = dict(zip(("lm_weight", "internal_lm_weight"), weights, strict=True))
        yield translator.fused_by(Fusion(lm=str(config.search.lm), **named)), named


def numbers(config: DictConfig, name: str) -> list[float]:
    """One number or several; raise an InputError for anything else."""
    values = list(config[name]) if isinstance(config[name], ListConfig) else [config[name]]
    if not values or any(type(value) not in ((int,) if name == "beam_size" else (int, float)) for value in values):
        raise InputError(f"{name}={config[name]} is no list of {'whole ' * (name == 'beam_size')}numbers; give [1,2]")
    return list(dict.fromkeys(values))


if __name__ == "__main__":
    command("tune", tune)

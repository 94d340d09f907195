"""python -m s2s.tune: beam size and penalties that translate the validation pairs of a run best.

What is best on the pairs it was chosen on looks better there than elsewhere, so no option chooses on test pairs.
"""

from dataclasses import asdict, replace
from itertools import product

from omegaconf import DictConfig, ListConfig, OmegaConf

from s2s.config import build, command, say
from s2s.errors import InputError
from s2s.report.whole import whole_file
from s2s.run import Run
from s2s.search.beam import BeamSearch
from s2s.training.data import split_pairs
from s2s.training.tuning import TUNED, Result, table, tried
from s2s.training.validation import CRITERIA
from s2s.translator import Translator


def tune(config: DictConfig) -> None:
    """Print a table of all settings and the command that uses the best."""
    if config.criterion not in CRITERIA:
        raise InputError(f"criterion={config.criterion} is unknown; expected one of {', '.join(CRITERIA)}")
    runs = Run.find_all(config.run, config.runs_dir)
    if config.keep and len(runs) > 1:
        raise InputError("keep=true writes into one run, and several are named; leave it out and type the options")
    names = ",".join(str(run.folder) for run in runs)
    say(f"run: {names}")
    translator = Translator.from_config(config, runs)
    if not isinstance(search := translator.search, BeamSearch):
        raise InputError(f"{type(search).__name__} has no beam size and penalties to tune; give search=beam")
    sizes, alphas, betas = (numbers(config, name) for name in TUNED)
    searches = [replace(search, beam_size=int(size)) for size in sizes]
    corpus = build(runs[0].config.data)
    pairs = split_pairs(corpus, say)[1]
    texts = list(pairs["source"]), list(pairs["target"])
    options = {"criterion": config.criterion, "batch_size": config.batch_size}
    results: list[Result] = []
    for one in searches:
        # Greedy search ends with its first hypothesis, which leaves penalties nothing to rank.
        settings = list(product(alphas, betas)) if one.beam_size > 1 else [(one.length_penalty, one.coverage_penalty)]
        results += tried(translator, one, settings, texts, language=corpus.target, say=say, **options)
        best = max(results, key=Result.rank)
    print(table(results, best))
    chosen = " ".join(f"search.{name}={getattr(best.search, name)}" for name in TUNED)
    print(f"best of {len(results)} on {len(pairs):,} validation pairs: {best.score}")
    print(f"python -m s2s.translate run={f'[{names}]' if len(runs) > 1 else names} {chosen}")
    if config.keep:
        runs[0].config.search = {"_target_": f"{BeamSearch.__module__}.{BeamSearch.__name__}", **asdict(best.search)}
        with whole_file(runs[0].folder / "config.yaml") as partial:
            OmegaConf.save(runs[0].config, partial)
        say(f"kept in {runs[0].folder}/config.yaml, whose search is taken where no other is asked for")


def numbers(config: DictConfig, name: str) -> list[float]:
    """One number or several; raise an InputError for anything else."""
    values = list(config[name]) if isinstance(config[name], ListConfig) else [config[name]]
    if not values or any(type(value) not in ((int,) if name == "beam_size" else (int, float)) for value in values):
        raise InputError(f"{name}={config[name]} is no list of {'whole ' * (name == 'beam_size')}numbers; give [1,2]")
    return list(dict.fromkeys(values))


if __name__ == "__main__":
    command("tune", tune)

"""python -m s2s.train: train a translator, score it on the test split and show what it does."""

import re
import shutil

import torch
from omegaconf import DictConfig, OmegaConf

from s2s.config import build, choices_in_words, command, explicit_overrides, say
from s2s.errors import InputError
from s2s.run import Run, pick_device
from s2s.text.corpus import Corpus
from s2s.text.shortlist import Shortlist
from s2s.training.data import load_training_data
from s2s.training.result import show_result
from s2s.training.trainer import Trainer

KEPT = ["seed", "device", "data", "tokenizer", "model", "optimizer", "scheduler", "scheduled_sampling"]
KEPT += ["search", "training"]


def train(config: DictConfig) -> None:
    """Train a run, new or resumed, then report on it."""
    run = _resumed(config.resume) if config.resume else _new(config)
    say(f"run: {run.folder}")
    try:
        trainer, corpus = prepare(run)
    except InputError:
        if not config.resume:
            shutil.rmtree(run.folder)
        raise
    if not trainer.train():
        say(f"stopped and saved; go on with: python -m s2s.train resume={run.folder}")
        raise SystemExit(130)
    run.save_shortlist(Shortlist.count(trainer.data.epoch(0), len(trainer.data.source)))
    if "test" in corpus.splits():
        pairs, gold = corpus.load("test"), corpus.alignments("test")
        split, sources, references = "test", list(pairs["source"]), list(pairs["target"])
    else:
        split, sources, references = "validation", trainer.data.valid_sources, trainer.data.valid_targets
        gold = corpus.alignments("valid") if "valid" in corpus.splits() else None
    show_result(run, split, sources, references, gold=gold, language=corpus.target, say=say)


def prepare(run: Run) -> tuple[Trainer, Corpus]:
    """Make everything that a run's configuration asks for, and go back to where it was saved."""
    config = run.config
    settings, corpus = build(config.training), build(config.data)
    torch.manual_seed(config.seed)
    recipe, guided = build(config.tokenizer), settings.guided_alignment > 0
    data = load_training_data(corpus, recipe, run, longest=settings.longest, seed=config.seed, say=say, guided=guided)
    trainer = Trainer(
        run=run,
        data=data,
        model=run.build_model(),
        optimizer=build(config.optimizer),
        schedule=build(config.scheduler),
        scheduled_sampling=build(config.scheduled_sampling),
        search=build(config.search),
        settings=settings,
        seed=config.seed,
        device=pick_device(config.device),
        say=say,
    )
    if run.training_state.exists():
        trainer.resume()
    return trainer, corpus


def _new(config: DictConfig) -> Run:
    """Make the folder of a new run."""
    missing = sorted(OmegaConf.missing_keys(config))
    if missing:
        raise InputError(f"{missing[0]} is not set; give {missing[0]}=… on the command line")
    words = [config.data.label, config.data.source, config.data.target, *choices_in_words("model")]
    name = re.sub(r"[^\w.-]", "_", "-".join(words))
    OmegaConf.resolve(config)
    return Run.create(
        config.runs_dir, config.name or name, OmegaConf.masked_copy(config, KEPT), exact=config.name is not None
    )


def _resumed(folder: str) -> Run:
    """Open a run to go on with it; only training.* may be changed, such as a later end."""
    run = Run(folder)
    for key, value in explicit_overrides().items():
        if key.startswith("training.") or key == "device":
            OmegaConf.update(run.config, key, value)
        elif key not in ("resume", "runs_dir"):
            raise InputError(f"{key} cannot change in a resumed run, only training.* and device can; train a new run")
    build(run.config.training)  # a mistake shows before it is kept
    OmegaConf.save(run.config, run.folder / "config.yaml")
    return run


if __name__ == "__main__":
    command("train", train)

"""python -m s2s.train: train a translator or a language model, score it on the test split and show what it does."""

import shutil

import torch
from omegaconf import DictConfig

from s2s.building import build
from s2s.config import command, say
from s2s.errors import InputError
from s2s.run import Run, pick_device
from s2s.text.corpus import Corpus
from s2s.text.one_side import OneSide
from s2s.text.shortlist import Shortlist
from s2s.training.beginning import begin_from, new_run, resumed_run
from s2s.training.data import corpus_of, load_training_data
from s2s.training.objective import Objective
from s2s.training.result import show_perplexity, show_result
from s2s.training.resume import saved_states
from s2s.training.trainer import Trainer


def train(config: DictConfig) -> None:
    """Train a run, new or resumed, then report on it."""
    run = resumed_run(config.resume) if config.resume else new_run(config)
    say(f"run: {run.folder}")
    try:
        trainer, corpus = prepare(run)
    except InputError:
        if not config.resume:
            shutil.rmtree(run.folder)
        raise
    try:
        ended = trainer.train()
    except InputError:
        if saved_states(run.training_state):
            say(f"what was saved before is whole; to go on from there: python -m s2s.train resume={run.folder}")
        raise
    if not ended:
        say(f"stopped and saved; go on with: python -m s2s.train resume={run.folder}")
        raise SystemExit(130)
    if isinstance(corpus, OneSide):
        split = "test" if "test" in corpus.splits() else "validation"
        texts = list(corpus.load("test")["target"]) if split == "test" else trainer.data.valid_targets
        show_perplexity(run, split, texts, say=say)
        return
    run.save_shortlist(Shortlist.count(trainer.data.epoch(0), len(trainer.data.source)))
    if "test" in corpus.splits():
        pairs, gold = corpus.load("test"), corpus.alignments("test")
        split, sources, references = "test", list(pairs["source"]), list(pairs["target"])
    else:
        split, sources, references = "validation", trainer.data.valid_sources, trainer.data.valid_targets
        gold = corpus.alignments("valid") if "valid" in corpus.splits() else None
    show_result(run, split, sources, references, gold=gold, language=corpus.target, say=say)


def prepare(run: Run) -> tuple[Trainer, Corpus | OneSide]:
    """Make everything that a run's configuration asks for, and go back to where it was saved."""
    config = run.config
    resumed, init = bool(saved_states(run.training_state)), config.get("init")
    if init and not run.weights.is_file():
        begin_from(Run(init), run)
    settings, corpus = build(config.training, "training"), corpus_of(run)
    torch.manual_seed(config.seed)
    recipe = build(config.tokenizer, "tokenizer")
    longest = None if settings.truncated_length else settings.longest
    guided = settings.guided_alignment > 0 and isinstance(corpus, Corpus)
    data = load_training_data(corpus, recipe, run, longest=longest, seed=config.seed, say=say, guided=guided)
    trainer = Trainer(
        run=run,
        data=data,
        model=run.load_model() if init and not resumed else run.build_model(),
        objective=Objective(settings=settings, data=data, risk=build(config.get("minimum_risk"), "minimum_risk")),
        optimizer=build(config.optimizer, "optimizer"),
        schedule=build(config.scheduler, "scheduler"),
        scheduled_sampling=build(config.scheduled_sampling, "scheduled_sampling"),
        search=build(config.search, "search"),
        settings=settings,
        seed=config.seed,
        device=pick_device(config.device),
        say=say,
    )
    if resumed:
        trainer.resume()
    else:
        run.forget_after(-1, -1)  # a run that was killed before it was saved begins anew
        if init:
            trainer.begin()
    return trainer, corpus


if __name__ == "__main__":
    command("train", train)

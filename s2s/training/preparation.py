"""From a run's configuration to a trainer that is ready to begin, or to go on."""

from functools import partial

import torch

from s2s.building import build
from s2s.config import say
from s2s.run import Run, pick_device
from s2s.text.one_side import OneSide
from s2s.training.beginning import begin_from
from s2s.training.data import AnyCorpus, corpus_of, load_training_data
from s2s.training.objective import Objective
from s2s.training.processes import ALONE, Processes
from s2s.training.resume import saved_states
from s2s.training.stream import load_streamed_data
from s2s.training.trainer import Trainer

__all__ = ["nothing", "prepare"]


def prepare(run: Run, processes: Processes = ALONE) -> tuple[Trainer, AnyCorpus]:
    """Make everything that a run's configuration asks for, and go back to where it was saved."""
    config, told = run.config, say if processes.is_first else nothing
    resumed, init = bool(saved_states(run.training_state)), config.get("init")
    with processes.first_before_others():
        if init and not run.weights.is_file():
            begin_from(Run(init), run)
    settings, corpus = build(config.training, "training"), corpus_of(run)
    torch.manual_seed(config.seed)
    recipe = build(config.tokenizer, "tokenizer")
    longest = None if settings.truncated_length else settings.longest
    guided = settings.guided_alignment > 0 and not isinstance(corpus, OneSide)
    load = partial(load_streamed_data, processes=processes) if corpus.streaming else load_training_data
    with processes.first_before_others():
        data = load(corpus, recipe, run, longest=longest, seed=config.seed, say=told, guided=guided)
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
        say=told,
        processes=processes,
    )
    if resumed:
        trainer.resume()
    else:
        if processes.is_first:
            run.forget_after(-1, -1)  # a run that was killed before it was saved begins anew
        if init:
            trainer.begin()
    return trainer, corpus


def nothing(_: str) -> None:
    """What is said to nobody, by a process that is not the first."""

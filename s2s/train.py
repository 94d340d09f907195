"""python -m s2s.train: train a translator or a language model, score it on the test split and show what it does."""

import shutil

from omegaconf import DictConfig

from s2s.config import command, say
from s2s.errors import InputError
from s2s.run import Run, pick_device
from s2s.text.one_side import OneSide
from s2s.text.shortlist import Shortlist
from s2s.training.beginning import new_run, resumed_run
from s2s.training.preparation import nothing, prepare
from s2s.training.processes import joined
from s2s.training.result import show_perplexity, show_result
from s2s.training.resume import saved_states


def train(config: DictConfig) -> None:
    """Train a run, new or resumed, then report on it."""
    processes = joined(pick_device(config.device))
    run = Run(processes.by_first(lambda: (resumed_run(config.resume) if config.resume else new_run(config)).folder))
    told = say if processes.is_first else nothing
    told(f"run: {run.folder}")
    try:
        trainer, corpus = prepare(run, processes)
    except InputError:
        if not config.resume:
            shutil.rmtree(run.folder, ignore_errors=not processes.is_first)
        raise
    try:
        ended = trainer.train()
    except InputError:
        if saved_states(run.training_state):
            told(f"what was saved before is whole; to go on from there: python -m s2s.train resume={run.folder}")
        raise
    if not ended:
        told(f"stopped and saved; go on with: python -m s2s.train resume={run.folder}")
        raise SystemExit(130)
    if isinstance(corpus, OneSide):
        split = "test" if "test" in corpus.splits() else "validation"
        texts = list(corpus.load("test")["target"]) if split == "test" else trainer.data.valid_targets
        if processes.is_first:
            show_perplexity(run, split, texts, say=say)
        return
    if processes.is_first:
        run.save_shortlist(Shortlist.count(trainer.data.epoch(0), len(trainer.data.source)))
    if "test" in corpus.splits():
        pairs, gold = corpus.load("test"), corpus.alignments("test")
        split, sources, references = "test", list(pairs["source"]), list(pairs["target"])
    else:
        split, sources, references = "validation", trainer.data.valid_sources, trainer.data.valid_targets
        gold = corpus.alignments("valid") if "valid" in corpus.splits() else None
    language = corpus.target
    show_result(run, split, sources, references, gold=gold, language=language, say=told, processes=processes)


if __name__ == "__main__":
    command("train", train)

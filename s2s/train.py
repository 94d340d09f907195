"""python -m s2s.train: train a translator or a language model, score it on the test split and show what it does."""

import shutil

from omegaconf import DictConfig

from s2s.config import command, say
from s2s.errors import InputError
from s2s.run import Run, pick_device
from s2s.text.one_side import OneSide
from s2s.text.several import SeveralCorpora
from s2s.text.shortlist import Shortlist
from s2s.training.beginning import new_run, resumed_run
from s2s.training.data import AnyCorpus
from s2s.training.preparation import nothing, prepare
from s2s.training.processes import Processes, joined
from s2s.training.result import show_perplexity, show_result
from s2s.training.resume import saved_states
from s2s.training.trainer import Trainer


def train(config: DictConfig) -> float:
    """Train a run, new or resumed, then report on it; return its best validation score, the higher the better."""
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
    report(run, trainer, corpus, processes)
    return max(trainer.state.scores)


def report(run: Run, trainer: Trainer, corpus: AnyCorpus, processes: Processes) -> None:
    """Score the test split, or the validation pairs where there is none, and mark the run as finished."""
    split = "test" if "test" in corpus.splits() else "validation"
    if split == "test":
        pairs, gold = corpus.load("test"), corpus.alignments("test")
        sources, references = list(pairs["source"]), list(pairs["target"])
    else:
        sources, references = trainer.data.valid_sources, trainer.data.valid_targets
        gold = corpus.alignments("valid") if "valid" in corpus.splits() else None
    if isinstance(corpus, OneSide):
        if processes.is_first:
            show_perplexity(run, split, references)
        return
    if processes.is_first:
        run.save_shortlist(Shortlist.count(trainer.data.epoch(0), len(trainer.data.source)))
    show_result(
        run,
        split,
        sources,
        references,
        gold=gold,
        language=corpus.language,
        directions=corpus.directions(split) if isinstance(corpus, SeveralCorpora) and split == "test" else {},
        say=say if processes.is_first else nothing,
        processes=processes,
    )


if __name__ == "__main__":
    command("train", train)

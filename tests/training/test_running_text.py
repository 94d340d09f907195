"""Each stream of a running text goes on from what it has left, whoever reads it."""

import pytest
import torch

from s2s.model.language_model import Carried
from s2s.run import Run
from s2s.train import prepare
from s2s.training.processes import ALONE, Processes
from s2s.training.running_text import carried_by_all, carried_by_one

CPU = torch.device("cpu")


def carried(streams):
    return Carried((torch.randn(streams, 2, 3), torch.randn(streams, 2, 3)), torch.arange(streams))


@pytest.mark.parametrize(("count", "streams"), [(1, 4), (2, 5), (4, 3)])
def test_what_all_carry_is_dealt_out_and_gathered_again(monkeypatch, same, count, streams):
    whole = carried(streams)
    own = [carried_by_one(whole, streams, Processes(count, rank), CPU) for rank in range(count)]
    assert [one is None for one in own] == [rank >= streams for rank in range(count)]
    shares = [[] if one is None else list(zip(*one.rnn, one.last, strict=True)) for one in own]
    monkeypatch.setattr("torch.distributed.all_gather_object", lambda all_, _: all_.__setitem__(slice(None), shares))
    gathered = carried_by_all(own[0], Processes(count, 0))
    assert same(gathered.rnn, whole.rnn)
    assert same(gathered.last, whole.last)


def test_a_text_that_is_cut_into_other_streams_is_read_from_nothing():
    assert carried_by_one(carried(4), 5, ALONE, CPU) is None
    assert carried_by_all(None, ALONE) is None


def test_a_run_goes_on_with_other_streams(create_run):
    options = ("model=lm", "training.truncated_length=7", "training.batch_tokens=70")
    run = create_run(*options, "training.steps=3")
    trainer, _ = prepare(run)
    assert trainer.train()
    assert len(trainer.state.carried.last) == 10
    run.config.training.steps, run.config.training.batch_tokens = 4, 35
    run.save_config()
    trainer, _ = prepare(Run(run.folder))
    assert trainer.train()
    assert len(trainer.state.carried.last) == 5

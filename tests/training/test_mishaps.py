"""Numbers that are not finite and memory that is too small do not end a run, or end it with a reason."""

import re

import numpy as np
import pytest
import torch

from s2s.errors import InputError
from s2s.train import prepare
from s2s.training import trainer as trainer_module
from s2s.training.mishaps import MOST_SKIPPED, halved, is_finite, is_out_of_memory

EXACT = ("sizes.dropout=0", "optimizer=sgd", "optimizer.lr=0.1", "training.validate_every=100", "data.limit=20")


def spoiling(trainer, spoilt, amount=float("nan")):
    """Let the loss of some updates be no number."""
    objective = trainer.objective

    def objective_with_faults(model, batch, **options):
        loss, nll, carried = objective(model, batch, **options)
        return loss * amount if trainer.state.updates + 1 in spoilt else loss, nll, carried

    trainer.objective = objective_with_faults
    return trainer


def with_room_for(trainer, pairs, error):
    """Let memory hold so many pairs."""
    objective = trainer.objective

    def bounded_objective(model, batch, **options):
        lowered = objective(model, batch, **options)
        if len(batch.rows) > pairs:
            sum(lowered[:2]).backward()  # some gradients were there already
            raise error
        return lowered

    trainer.objective = bounded_objective
    return trainer


def weights(trainer):
    return torch.cat([weight.detach().flatten() for weight in trainer.model.parameters()])


OUT_OF_MEMORY = {
    "torch on a CPU": RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate"),
    "torch on a GPU": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB"),
    "oneDNN": RuntimeError("could not create a memory object: out of memory"),
    "Python": MemoryError(),
}


@pytest.mark.parametrize("amount", [float("nan"), float("inf")])
@pytest.mark.parametrize("average", ["null", "0.9"])
def test_an_update_without_finite_numbers_is_skipped_and_counted(create_run, monkeypatch, capsys, amount, average):
    monkeypatch.setattr(trainer_module, "UPDATES_PER_RECORD", 1)
    run = create_run("training.steps=6", f"training.moving_average={average}")
    trainer = spoiling(prepare(run)[0], {2, 3, 5}, amount)
    assert trainer.train()
    assert torch.isfinite(weights(trainer)).all()
    assert trainer.state.updates == 6
    assert [record.get("skipped", 0) for record in run.records() if record["split"] == "train"] == [0, 1, 2, 2, 3, 3]
    assert capsys.readouterr().err.count("loss or gradients are not finite; it is skipped") == 3


def test_a_skipped_update_leaves_the_weights_as_they_were(create_run):
    trainer = spoiling(prepare(create_run("training.steps=2"))[0], {1, 2})
    before = weights(trainer).clone()
    assert trainer.train()
    assert torch.equal(weights(trainer), before)


def test_gradients_that_are_not_finite_are_skipped_without_clipping_too(create_run):
    trainer = spoiling(prepare(create_run("training.steps=2", "training.clip_norm=null"))[0], {1, 2})
    assert trainer.train()
    assert torch.isfinite(weights(trainer)).all()
    assert trainer.state.skipped == 2


def test_a_run_of_them_ends_training_with_a_diagnosis(create_run):
    trainer = spoiling(prepare(create_run("training.steps=100"))[0], range(3, 100))
    message = (
        rf"no longer finite at update 12: {MOST_SKIPPED} updates in a row were skipped, weights reach [\d.]+, and the "
        r"learning rate is 0\.00\d+; train anew with a lower optimizer\.lr, or with a training\.clip_norm below 1; the"
    )
    with pytest.raises(InputError, match=message):
        trainer.train()


def test_without_clipping_the_diagnosis_advises_it(create_run):
    trainer = spoiling(prepare(create_run("training.steps=100", "training.clip_norm=null"))[0], range(3, 100))
    with pytest.raises(InputError, match=r"or with training\.clip_norm=1;"):
        trainer.train()


def test_a_rate_that_is_far_too_high_ends_in_one_line(in_process, small_options):
    options = [*small_options, "optimizer=sgd", "optimizer.lr=1e30", "training.clip_norm=null", "training.steps=60"]
    code, _, said = in_process("train", *options)
    assert code == 2
    assert said.splitlines()[-1].startswith("error: numbers are no longer finite at update ")


def test_skipped_updates_do_not_add_up_over_good_ones(create_run):
    bad = set(range(1, 40)) - {MOST_SKIPPED, 2 * MOST_SKIPPED, 3 * MOST_SKIPPED}
    trainer = spoiling(prepare(create_run("training.steps=32"))[0], bad)
    assert trainer.train()
    assert trainer.state.skipped == 29


@pytest.mark.parametrize("error", OUT_OF_MEMORY.values(), ids=OUT_OF_MEMORY)
def test_a_batch_that_memory_does_not_hold_is_split_and_teaches_the_same(create_run, capsys, error):
    whole, split = (prepare(create_run("training.steps=3", *EXACT))[0] for _ in range(2))
    assert whole.train()
    assert with_room_for(split, 4, error).train()
    torch.testing.assert_close(weights(split), weights(whole), rtol=0, atol=1e-6)
    said = capsys.readouterr().err
    assert re.search(r"out of memory with \d+ pairs: going on with batches half as large; longest are training", said)
    ids = split.data.epoch(0)
    longest = np.maximum(ids.source.lengths, ids.target.lengths).argmax()
    assert f" {longest + 1} ({ids.source.lengths[longest]} and {ids.target.lengths[longest]} pieces)" in said


def test_a_pair_that_does_not_fit_alone_is_named(create_run):
    trainer = with_room_for(prepare(create_run("training.steps=3", *EXACT))[0], 0, MemoryError())
    with pytest.raises(
        InputError, match=r"memory does not hold training pair \d+ \(\d+ and \d+ pieces\), .* alone; lower"
    ):
        trainer.train()


def test_other_errors_are_not_taken_for_a_lack_of_memory(create_run):
    trainer = with_room_for(prepare(create_run("training.steps=3", *EXACT))[0], 0, RuntimeError("sizes do not match"))
    with pytest.raises(RuntimeError, match="sizes do not match"):
        trainer.train()


def test_torch_and_numpy_say_so_in_these_words():
    with pytest.raises(RuntimeError) as of_torch:
        torch.empty(2**55)
    with pytest.raises(MemoryError) as of_numpy:
        np.empty(2**55)
    assert is_out_of_memory(of_torch.value)
    assert is_out_of_memory(of_numpy.value)
    assert not is_out_of_memory(ValueError("out of memory"))


def test_halves_have_every_pair_once(create_run):
    trainer, _ = prepare(create_run())
    group = [np.arange(7), np.arange(7, 8)]
    halves, _ = halved(trainer.data.epoch(0), group)
    assert [half.tolist() for half in halves] == [[0, 1, 2, 3], [4, 5, 6], [7]]


def test_finite_is_neither_infinite_nor_nan():
    assert is_finite(torch.tensor(1.0), torch.tensor(0.0))
    assert not is_finite(torch.tensor(1.0), torch.tensor(float("nan")))
    assert not is_finite(torch.tensor(float("-inf")))

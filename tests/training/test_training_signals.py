"""What training adds to teacher forcing and cross-entropy, and that nobody else sees it."""

import pytest
import torch

from s2s.errors import InputError
from s2s.model.seq2seq import Seq2Seq
from s2s.train import prepare
from s2s.training import objective as objective_module
from s2s.training import trainer as trainer_module
from s2s.training.loss import coverage_loss
from s2s.training.scheduled_sampling import LinearDecay

LINEAR = ("scheduled_sampling=linear", "scheduled_sampling.slope=0.125", "scheduled_sampling.least=0.25")
STILL = ("optimizer=sgd", "optimizer.lr=0", "training.steps=1")
PLAIN = ("optimizer=sgd", "optimizer.lr=1", "training.clip_norm=null", "scheduler=constant", "sizes.dropout=0")


@pytest.fixture
def forwards(monkeypatch):
    """Whether the model was training and what it was told of the truth, for each batch it has read."""
    seen, forward = [], Seq2Seq.forward

    def watched(self, batch, **options):
        seen.append((self.training, options.get("truth", 1.0)))
        return forward(self, batch, **options)

    monkeypatch.setattr(Seq2Seq, "forward", watched)
    return seen


@pytest.fixture
def every_update_recorded(monkeypatch):
    monkeypatch.setattr(trainer_module, "UPDATES_PER_RECORD", 1)


def trained_on(run):
    """Train a run to its end."""
    trainer, _ = prepare(run)
    assert trainer.train()
    return trainer


def records(run, split):
    return [record for record in run.records() if record["split"] == split]


def repeated_attention(trainer):
    """Coverage loss of the training pairs, differentiable, and the number of their target tokens."""
    batch = trainer.data.epoch(0).batch(list(range(60)))
    _, attention = trainer.model(batch)
    return coverage_loss(attention, batch.target.mask), int(batch.target.mask.sum())


def test_the_model_reads_the_truth_as_often_as_the_schedule_says(create_run, forwards):
    trained_on(create_run(*LINEAR, "training.steps=4", "training.validate_every=2", "training.batch_tokens=100000"))
    schedule = LinearDecay(start=1, slope=0.125, least=0.25)
    assert [truth for training, truth in forwards if training] == [schedule.truth(update) for update in range(4)]
    assert [truth for training, truth in forwards if training] == [1, 0.875, 0.75, 0.625]


def test_the_batches_of_one_update_share_its_probability(create_run, forwards):
    trained_on(create_run(*LINEAR, "training.steps=2", "training.accumulation=2"))
    assert [truth for training, truth in forwards if training] == [1, 1, 0.875, 0.875]


def test_validation_always_reads_the_truth(create_run, forwards):
    trained_on(create_run(*LINEAR, "training.steps=4", "training.validate_every=1"))
    in_validation = [truth for training, truth in forwards if not training]
    assert len(in_validation) >= 4
    assert set(in_validation) == {1}


@pytest.mark.usefixtures("every_update_recorded")
def test_the_probability_is_on_record_where_it_is_below_one(create_run):
    run = create_run(*LINEAR, "training.steps=8")
    trained_on(run)
    truths = [record.get("truth") for record in records(run, "train")]
    assert truths == [None, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.25]
    assert not any("truth" in record for record in records(run, "valid"))


@pytest.mark.usefixtures("every_update_recorded")
@pytest.mark.parametrize(
    "options",
    [("scheduled_sampling=constant", "scheduled_sampling.probability=0"), ("training.coverage_loss=10",)],
    ids=["scheduled sampling", "coverage loss"],
)
def test_the_perplexity_of_validation_takes_no_part_in_it(create_run, options):
    plain, other = create_run(*STILL), create_run(*STILL, *options)
    for run in (plain, other):
        trained_on(run)
    (expected,), (seen,) = records(plain, "valid"), records(other, "valid")
    assert seen["perplexity"] == expected["perplexity"]


def test_an_exponential_of_one_is_teacher_forcing_bit_for_bit(create_run, same):
    sampled = ("scheduled_sampling=exponential", "scheduled_sampling.k=1")
    plain, other = (trained_on(create_run("training.steps=5", *options)) for options in ((), sampled))
    assert same(plain.model.state_dict(), other.model.state_dict())


def test_tokens_that_are_not_the_truth_change_training(create_run, same):
    sampled = ("scheduled_sampling=constant", "scheduled_sampling.probability=0.5")
    plain, other = (trained_on(create_run("training.steps=2", *options)) for options in ((), sampled))
    assert not same(plain.model.state_dict(), other.model.state_dict())


@pytest.mark.parametrize(
    "choice",
    [
        "model=luong",
        "model=bahdanau",
        "model=gnmt_small",
        "model/attention=multihead",
        "model/attention=coverage",
        "model/window=local_p",
        "model/window=local_m",
    ],
)
def test_the_coverage_loss_is_added_per_target_token_with_its_weight(create_run, choice):
    options = (choice, *PLAIN, "training.steps=1", "training.batch_tokens=100000")
    changes = []
    for weight in (0.0, 0.5):
        trainer, _ = prepare(create_run(*options, f"training.coverage_loss={weight}"))
        trainer.model.double()
        before = {name: value.clone() for name, value in trainer.model.named_parameters()}
        loss, tokens = repeated_attention(trainer)
        gradients = torch.autograd.grad(loss / tokens, list(trainer.model.parameters()), allow_unused=True)
        trainer.train()
        changes.append({name: value - before[name] for name, value in trainer.model.named_parameters()})
    assert any(gradient is not None and gradient.abs().max() > 1e-6 for gradient in gradients)
    for name, gradient in zip(before, gradients, strict=True):
        expected = torch.zeros_like(before[name]) if gradient is None else -0.5 * gradient
        torch.testing.assert_close(changes[1][name] - changes[0][name], expected, rtol=1e-9, atol=1e-12)


@pytest.mark.usefixtures("every_update_recorded")
def test_the_coverage_loss_is_not_in_the_loss_on_record(create_run):
    plain, other = create_run(*STILL), create_run(*STILL, "training.coverage_loss=10")
    for run in (plain, other):
        trained_on(run)
    assert records(plain, "train")[0]["loss"] == records(other, "train")[0]["loss"]


def test_a_coverage_loss_of_weight_zero_is_not_worked_out(create_run, monkeypatch):
    monkeypatch.setattr(objective_module, "coverage_loss", None)
    trained_on(create_run("training.steps=1"))
    with pytest.raises(TypeError):
        trained_on(create_run("training.steps=1", "training.coverage_loss=0.1"))


def test_with_a_coverage_loss_attention_repeats_itself_less(create_run):
    options = ("training.steps=30", "optimizer.lr=0.02", "scheduler=constant", "sizes.dropout=0")
    repeated = []
    for weight in (0, 5):
        trainer = trained_on(create_run(*options, f"training.coverage_loss={weight}"))
        trainer.model.eval()
        loss, tokens = repeated_attention(trainer)
        repeated.append(loss.item() / tokens)
    assert repeated[1] < 0.8 * repeated[0]


def test_a_model_without_attention_takes_no_coverage_loss(create_run):
    with pytest.raises(
        InputError, match=r"training\.coverage_loss=0.5 needs attention, which this model has none of; leave it out or"
    ):
        prepare(create_run("model/attention=none", "training.coverage_loss=0.5"))

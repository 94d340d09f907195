"""The training loop: what follows from seed, settings and limits, and what it writes down."""

import math
from dataclasses import asdict, dataclass, replace

import pytest
import torch

from s2s.building import build
from s2s.config import compose
from s2s.errors import InputError
from s2s.train import prepare
from s2s.training import progress as progress_module
from s2s.training import trainer as trainer_module
from s2s.training.resume import TrainingState
from s2s.training.schedule import Schedule
from s2s.training.settings import TrainingSettings
from s2s.translator import Translator

POSITIVE = ["epochs", "steps", "minutes", "batch_tokens", "batch_sentences", "accumulation", "longest", "clip_norm"]
POSITIVE += ["validate_every", "patience", "keep_attention"]
SGD = ("optimizer=sgd", "optimizer.lr=1", "training.clip_norm=null", "scheduler=constant", "sizes.dropout=0")


@pytest.fixture(scope="module")
def settings():
    """Valid settings as keywords."""
    return asdict(build(compose("train", []).training, "training"))


def trained_on(run):
    """Train a run to its end."""
    trainer, _ = prepare(run)
    assert trainer.train()
    return trainer


def flat_weights(trainer):
    return torch.cat([parameter.detach().flatten().clone() for parameter in trainer.model.parameters()])


def valid(run):
    return [record for record in run.records() if record["split"] == "valid"]


def test_two_runs_of_one_seed_are_identical(create_run, same):
    one, two = (trained_on(create_run("training.steps=3")) for _ in range(2))
    assert same(one.model.state_dict(), two.model.state_dict())


def test_another_seed_gives_other_weights_and_other_batches(create_run):
    one, two = (prepare(create_run(f"seed={seed}"))[0] for seed in (1, 2))
    assert not torch.equal(flat_weights(one), flat_weights(two))
    plans = [[group[0].tolist() for group in trainer._plan().groups] for trainer in (one, two)]
    assert plans[0] != plans[1]


def test_every_pair_is_in_one_batch_of_an_epoch_and_epochs_differ(create_run):
    trainer, _ = prepare(create_run("training.accumulation=2"))
    plans = []
    for epoch in range(2):
        trainer.state.epoch = epoch
        groups = trainer._plan().groups
        assert all(len(group) == 2 for group in groups[:-1])
        plans.append([row for group in groups for batch in group for row in batch.tolist()])
        assert sorted(plans[-1]) == list(range(60))
    assert plans[0] != plans[1]


def test_two_accumulated_batches_are_one_of_twice_the_size(create_run):
    weights = []
    for sentences, accumulation in ((30, 2), (60, 1)):
        options = ("training.steps=2", "training.batch_tokens=100000", f"training.batch_sentences={sentences}")
        trainer, _ = prepare(create_run(*SGD, *options, f"training.accumulation={accumulation}"))
        trainer.model.double()
        before = flat_weights(trainer)
        trainer.train()
        weights.append(flat_weights(trainer))
        assert trainer.state.updates == 2
        assert (weights[-1] - before).norm() > 0.1
    torch.testing.assert_close(weights[0], weights[1], rtol=0, atol=1e-12)


def test_an_update_is_one_step_down_the_gradient_of_the_mean_loss_per_token(create_run):
    trainer, _ = prepare(create_run(*SGD, "training.label_smoothing=0", "training.batch_tokens=100000"))
    trainer.model.double()
    plan = trainer._plan()
    ((rows,),) = plan.groups
    batch = plan.ids.batch(rows.tolist())
    for _ in range(2):
        before = flat_weights(trainer)
        features, _ = trainer.model(batch)
        log_probs = trainer.model.readout.log_probs(features)[batch.target.mask]
        loss = torch.nn.functional.nll_loss(log_probs, batch.target.ids[batch.target.mask])
        gradients = torch.autograd.grad(loss, list(trainer.model.parameters()))
        trainer._update(plan, 0)
        expected = before - torch.cat([gradient.flatten() for gradient in gradients])
        torch.testing.assert_close(flat_weights(trainer), expected, rtol=0, atol=1e-12)


def test_training_ends_at_the_number_of_updates(create_run):
    run = create_run("training.steps=3")
    assert trained_on(run).state.updates == 3
    assert [record["updates"] for record in valid(run)] == [3]


def test_training_ends_at_the_number_of_epochs_with_a_validation_each(create_run):
    run = create_run("training.epochs=2", "training.batch_tokens=100000")
    state = trained_on(run).state
    assert (state.epoch, state.position, state.updates) == (2, 0, 2)
    assert [record["epoch"] for record in valid(run)] == [1, 2]


def test_training_ends_when_its_minutes_are_over(create_run):
    run = create_run("training.minutes=1e-9")
    assert trained_on(run).state.updates == 1
    assert len(valid(run)) == 1


def test_the_nearest_limit_counts(create_run):
    assert trained_on(create_run("training.steps=2", "training.epochs=50", "training.minutes=50")).state.updates == 2


def test_patience_stops_when_nothing_gets_better(create_run):
    options = ("optimizer=sgd", "optimizer.lr=0", "training.validate_every=1", "training.patience=2")
    state = trained_on(create_run(*options)).state
    assert len(set(state.scores)) == 1
    assert len(state.scores) == state.updates == 3


@dataclass(frozen=True, kw_only=True)
class Explodes(Schedule):
    """Good updates until one that ruins the weights."""

    at: int

    def after_warmup(self, *, updates, progress, scores):
        return 30.0 if updates >= self.at else 1.0


def test_the_weights_kept_are_those_of_the_best_validation(create_run):
    run = create_run("training.steps=4", "training.validate_every=1", "optimizer.lr=0.01")
    trainer, _ = prepare(run)
    trainer.schedule = Explodes(at=2)
    trainer.train()
    assert [record["best"] for record in valid(run)] == [True, True, False, False]
    kept = Translator.load(run, device="cpu")
    assert perplexity_by_hand(kept, trainer.data) == pytest.approx(valid(run)[1]["perplexity"], rel=1e-5)
    assert perplexity_by_hand(trainer.translator, trainer.data) == pytest.approx(valid(run)[3]["perplexity"], rel=1e-5)


def perplexity_by_hand(translator, data):
    """``exp`` of the mean negative log-probability per target token, without smoothing."""
    scored = translator.score(data.valid_sources, data.valid_targets)
    tokens = [log_prob for one in scored for log_prob in one.token_log_probs]
    assert len(tokens) == sum(len(ids) for ids in data.target.encode(data.valid_targets))
    return math.exp(-sum(tokens) / len(tokens))


def test_the_perplexity_on_record_is_not_smoothed(create_run):
    run = create_run("training.steps=2", "training.label_smoothing=0.5")
    trainer = trained_on(run)
    (record,) = valid(run)
    assert perplexity_by_hand(trainer.translator, trainer.data) == pytest.approx(record["perplexity"], rel=1e-5)


def test_the_training_loss_on_record_is_not_smoothed(create_run, digits, monkeypatch):
    monkeypatch.setattr(trainer_module, "UPDATES_PER_RECORD", 1)
    run = create_run(*SGD, "training.steps=1", "training.batch_tokens=100000", "training.label_smoothing=0.5")
    trainer, _ = prepare(run)
    pairs = [(digits / f"train.{language}").read_text(encoding="utf-8").splitlines() for language in ("de", "en")]
    log_probs = [log_prob for one in trainer.translator.score(*pairs) for log_prob in one.token_log_probs]
    trainer.train()
    record = next(run.records())
    assert record["split"] == "train"
    assert record["loss"] == pytest.approx(-sum(log_probs) / len(log_probs), rel=1e-5)
    assert record["perplexity"] == pytest.approx(math.exp(record["loss"]))


@pytest.mark.parametrize("criterion", ["bleu", "chrf", "exact"])
def test_the_criterion_is_the_score_of_a_validation(create_run, criterion):
    run = create_run("training.steps=1", f"training.criterion={criterion}")
    trainer = trained_on(run)
    (record,) = valid(run)
    assert trainer.state.scores == [record[criterion]["value"]]
    assert "tok:13a" in record["bleu"]["signature"]


def test_the_loss_as_criterion_needs_no_translations(create_run, monkeypatch):
    monkeypatch.setattr(Translator, "__call__", None)
    run = create_run("training.steps=1", "training.criterion=loss")
    trainer = trained_on(run)
    (record,) = valid(run)
    assert trainer.state.scores == [-record["perplexity"]]
    assert "bleu" not in record


def test_the_learning_rate_follows_the_schedule(create_run, monkeypatch):
    monkeypatch.setattr(trainer_module, "UPDATES_PER_RECORD", 1)
    run = create_run("training.steps=4", "scheduler.warmup=2", "scheduler.decay_from=0.5", "optimizer.lr=0.01")
    trained_on(run)
    rates = [record["learning_rate"] for record in run.records() if record["split"] == "train"]
    assert rates == pytest.approx([0.005, 0.01, 0.01, 0.005])


def test_clipping_bounds_the_gradient(create_run):
    lengths = []
    for clip in ("0.001", "null"):
        trainer, _ = prepare(create_run(*SGD, f"training.clip_norm={clip}", "training.steps=1"))
        before = flat_weights(trainer)
        trainer.train()
        lengths.append(float((flat_weights(trainer) - before).norm()))
    assert lengths[0] == pytest.approx(0.001, rel=1e-2)
    assert lengths[1] > 0.01


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": None}, "training has no end: set"),
        *(({name: 0}, rf"training\.{name}=0 must be above 0; null switches it off") for name in POSITIVE),
        ({"keep_checkpoints": -1}, r"training\.keep_checkpoints=-1 is no number; give 0 for none, or more"),
        ({"label_smoothing": 1.0}, r"training\.label_smoothing=1.0 must be from 0 to below 1"),
        ({"label_smoothing": -0.1}, r"training\.label_smoothing=-0.1 must be"),
        ({"coverage_loss": -0.1}, r"training\.coverage_loss=-0.1 is no weight; give 0 for none, or more"),
        ({"coverage_loss": math.inf}, r"training\.coverage_loss=inf is no weight"),
        ({"guided_alignment": -1.0}, r"training\.guided_alignment=-1.0 is no weight; give 0 for none, or more"),
        ({"criterion": "ter"}, r"training\.criterion=ter is unknown; expected bleu, chrf, exact or loss"),
        ({"precision": "fp8"}, r"training\.precision=fp8 is unknown; expected"),
    ],
)
def test_settings_out_of_range_are_refused(settings, change, message):
    with pytest.raises(InputError, match=message):
        TrainingSettings(**{**settings, **change})


def test_an_optimizer_that_cannot_be_made_is_refused(create_run):
    with pytest.raises(InputError, match=r"the optimizer cannot be made: .*-1.*conf/optimizer"):
        prepare(create_run("optimizer.lr=-1"))


def test_a_corpus_without_a_pair_to_train_on_is_refused(create_run):
    with pytest.raises(InputError, match=r"no training pair is left of 60; raise training\.longest=1 or"):
        prepare(create_run("training.longest=1"))


def test_pairs_that_are_too_long_are_left_out_and_counted(create_run, capsys):
    trainer, _ = prepare(create_run("training.longest=12"))
    left_out = 60 - len(trainer.data.rows)
    assert 0 < left_out < 60
    assert f"left out of training: 0 pairs with an empty side, {left_out} with more than 12" in capsys.readouterr().err
    lengths = trainer.data.epoch(0)
    assert max(lengths.target.lengths[trainer.data.rows].max(), lengths.source.lengths[trainer.data.rows].max()) <= 13


def test_stderr_that_is_no_terminal_gets_lines(create_run, monkeypatch, capsys):
    monkeypatch.setattr(progress_module, "SECONDS_PER_LINE", 0)
    trained_on(create_run("training.steps=2"))
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = [line for line in captured.err.splitlines() if "update" in line]
    assert [line.partition(":")[0] for line in lines] == ["epoch 1, update 1", "epoch 1, update 2"]
    assert "\x1b" not in captured.err
    assert "validation perplexity" in captured.err
    assert "26 source and 26 target pieces; an epoch: 5 batches" in captured.err


def test_what_is_shown_does_not_change_what_is_recorded(create_run, monkeypatch):
    monkeypatch.setattr(trainer_module, "UPDATES_PER_RECORD", 2)
    losses = []
    for seconds in (0, 1000):
        monkeypatch.setattr(progress_module, "SECONDS_PER_LINE", seconds)
        run = create_run("training.steps=2")
        trained_on(run)
        losses.append(next(run.records())["loss"])
    assert losses[0] == losses[1]


def test_with_narrow_products_training_goes_nearly_the_same_way(create_run):
    plain, narrow = (create_run("training.steps=2", f"training.precision={name}") for name in ("float32", "bfloat16"))
    for run in (plain, narrow):
        trained_on(run)
    assert valid(narrow)[0]["perplexity"] == pytest.approx(valid(plain)[0]["perplexity"], rel=0.02)
    assert valid(narrow)[0]["perplexity"] != valid(plain)[0]["perplexity"]
    assert all(weight.dtype == torch.float32 for weight in Translator.load(narrow, device="cpu").model.parameters())


@pytest.mark.parametrize("able", [True, False])
def test_the_processor_chooses_the_products_unless_they_are_chosen(create_run, monkeypatch, capsys, able):
    monkeypatch.setattr(trainer_module, "multiplies_bfloat16", lambda: able)
    last = {}
    for name in ("auto", "float32", "bfloat16"):
        run = create_run("training.steps=1", f"training.precision={name}")
        trained_on(run)
        last[name] = valid(run)[0]["perplexity"]
        narrow = name == "bfloat16" or (name == "auto" and able)
        assert ("products in bfloat16" in capsys.readouterr().err) == narrow
    assert last["auto"] == last["bfloat16" if able else "float32"] != last["float32" if able else "bfloat16"]


def test_ids_come_from_the_epoch_under_way(create_run):
    trainer, _ = prepare(create_run("training.epochs=2", "training.batch_tokens=100000"))
    asked, ids = [], trainer.data.epoch(0)
    trainer.data = replace(trainer.data, epoch=lambda number: asked.append(number) or ids)
    trainer.train()
    assert asked[:2] == [0, 1]


def test_validation_translates_with_the_weights_as_they_are_now(create_run):
    options = ("training.steps=30", "training.validate_every=10", "training.criterion=bleu", "optimizer.lr=0.02")
    trainer = trained_on(create_run(*options))
    sentences = trainer.data.valid_sources
    fresh = Translator.load(trainer.run, device="cpu")
    fresh.model.load_state_dict(trainer.translator.model.state_dict())
    for one, other in zip(trainer.translator(sentences), fresh(sentences), strict=True):
        assert one.text == other.text
        assert one.log_prob == pytest.approx(other.log_prob, abs=1e-4)


def test_attention_of_a_validation_pair_is_kept_where_asked(create_run):
    run = create_run("training.steps=30", "training.validate_every=10", "training.keep_attention=2")
    trainer = trained_on(run)
    moments = list(run.records(run.attention))
    assert [moment["updates"] for moment in moments] == [10, 20, 30]
    (forced,) = trainer.translator.score([trainer.data.valid_sources[1]], [trainer.data.valid_targets[1]])
    assert moments[-1]["source"] == trainer.data.valid_sources[1]
    assert moments[-1]["attention"] == forced.as_dict()["attention"]
    run.forget_after(20, 20)
    assert [moment["updates"] for moment in run.records(run.attention)] == [10, 20]
    assert max(record["updates"] for record in run.records()) == 20


def test_a_validation_pair_that_is_not_there_is_refused(create_run):
    with pytest.raises(InputError, match=r"training\.keep_attention=9, but there are 8 pairs for validation"):
        prepare(create_run("training.keep_attention=9"))


def test_the_weights_of_the_newest_validations_are_kept_where_asked(create_run, same):
    run = create_run("training.steps=4", "training.validate_every=1", "training.keep_checkpoints=2")
    trainer = trained_on(run)
    assert sorted(run.kept_checkpoints()) == [3, 4]
    assert sorted(path.name for path in run.checkpoints.iterdir()) == ["3.safetensors", "4.safetensors"]
    model = run.build_model()
    run.load_weights(model, run.kept_checkpoints()[4])
    assert same(model.state_dict(), trainer.model.state_dict())
    assert not create_run("training.steps=1").checkpoints.exists()


def test_the_speed_shown_counts_from_when_training_began():
    display = progress_module.ProgressDisplay(since=10.0)
    display.update(TrainingState(seconds=30.0), share=0.5, nll=torch.tensor(100.0), tokens=40)
    assert display._tally.measured(30.0)["tokens_per_second"] == 2

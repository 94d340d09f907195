"""Minimum risk training: the gradient is that of the risk, and the risk falls."""

from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from s2s.building import build
from s2s.config import compose
from s2s.errors import InputError
from s2s.text.batching import Batch, collate
from s2s.text.tokenizer import BOS, EOS, UNK
from s2s.train import prepare
from s2s.training.minimum_risk import Candidates, MinimumRisk
from s2s.training.objective import Objective, cross_entropy, sequence_log_probs, teacher_forced

STILL = ("sizes.dropout=0", "training.label_smoothing=0")
WORDS = [4, 5]
EVERY_TARGET = [(*words, EOS) for length in range(3) for words in product(WORDS, repeat=length)]


def costs(candidates):
    """Something that tells all targets apart: 0 for the reference, at most 1."""
    others = [(2 + 2 * ids.count(4) + 3 * ids.count(5) + (ids[0] == 5)) / 16 for ids in candidates[1:]]
    return np.array([0.0, *others])


@dataclass(frozen=True)
class Given:
    """Minimum risk training on candidates that are not drawn."""

    risk_of: MinimumRisk
    sets: list[Any] = field(default_factory=list)

    @property
    def weight(self):
        return self.risk_of.weight

    def candidates(self, model, batch, tokenizer, language):
        return Candidates.of(self.sets, costs)

    def risk(self, log_probs, candidates):
        return self.risk_of.risk(log_probs, replace(candidates, costs=candidates.costs.to(log_probs)))


@pytest.fixture
def toy(create_run):
    """A model in float64, the objective's parts and a batch of two sources."""
    trainer, _ = prepare(create_run("model=luong", "sizes.hidden=8", "sizes.embedding=6", *STILL))
    model = trainer.model.double().train()
    batch = Batch(collate([[6, 7, EOS], [8, EOS]]), collate([EVERY_TARGET[4], EVERY_TARGET[1]]), (0, 1))
    return model, trainer.objective, batch


def log_prob(model, batch, row, target):
    """``log P`` of one target of one source, a step at a time."""
    source = collate([batch.source.ids[row, : batch.source.lengths[row]].tolist()])
    state, memory = model.start(source)
    token, total = torch.tensor([BOS]), 0.0
    for word in target:
        step = model.step(token, state, memory)
        total = total + model.readout.log_probs(model.readout.features(step.output))[0, word]
        state, token = step.state, torch.tensor([word])
    return total


def gradients(loss, model):
    found = torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)
    return torch.cat([one.flatten() for one in found if one is not None])


def test_with_every_target_as_a_candidate_the_gradient_is_that_of_the_risk(toy):
    model, objective, batch = toy
    references = [EVERY_TARGET[4], EVERY_TARGET[1]]
    sets = [[reference, *(one for one in EVERY_TARGET if one != reference)] for reference in references]
    del sets[1][5:]  # a sentence with fewer
    expected = 0.0
    for row, candidates in enumerate(sets):
        probabilities = torch.stack([log_prob(model, batch, row, one) for one in candidates]).exp()
        weighted = probabilities * torch.from_numpy(costs(candidates))
        expected = expected + len(candidates[0]) * weighted.sum() / probabilities.sum()
    risk = Given(MinimumRisk(cost="bleu", sharpness=1.0), sets)
    loss, nll, _ = replace(objective, risk=risk)(model, batch)
    torch.testing.assert_close(loss, expected, rtol=1e-6, atol=0)
    torch.testing.assert_close(gradients(loss, model), gradients(expected, model), rtol=1e-5, atol=1e-8)
    forced = sum(log_prob(model, batch, row, references[row]) for row in range(2))
    assert nll.item() == pytest.approx(-forced.item())


def test_the_gradient_of_a_log_probability_is_its_share_times_what_it_costs_more_than_expected():
    log_probs = torch.tensor([[-2.0, -3.0, -7.0], [-1.0, -4.0, -4.0]], dtype=torch.float64, requires_grad=True)
    sets = [[(4, EOS), (5, EOS), (EOS,)], [(4, 4, EOS), (5, EOS)]]
    candidates = Candidates.of(sets, costs)
    candidates = replace(candidates, costs=candidates.costs.double())
    assert candidates.mask.tolist() == [[True, True, True], [True, True, False]]
    sharpness = 0.3
    (found,) = torch.autograd.grad(
        MinimumRisk(cost="bleu", sharpness=sharpness).risk(log_probs, candidates).sum(), log_probs
    )
    shares = (sharpness * log_probs.detach()).exp() * candidates.mask
    shares = shares / shares.sum(dim=1, keepdim=True)
    expected_cost = (shares * candidates.costs).sum(dim=1, keepdim=True)
    torch.testing.assert_close(found, shares * (candidates.costs - expected_cost))
    assert found[1, 2] == 0


def test_the_rest_of_the_weight_is_that_of_the_cross_entropy(toy):
    model, objective, batch = toy
    objective = replace(objective, settings=replace(objective.settings, label_smoothing=0.1))
    sets = [[one, (4, 5, 5, EOS), (EOS,)] for one in (EVERY_TARGET[4], EVERY_TARGET[1])]
    found = {}
    for weight in (0.25, 1.0):
        risk = Given(MinimumRisk(cost="bleu", weight=weight), sets)
        found[weight] = gradients(replace(objective, risk=risk)(model, batch)[0], model)
    features, _ = teacher_forced(model, batch)
    plain = gradients(cross_entropy(model.readout, features, batch.target, smoothing=0.1)[0], model)
    torch.testing.assert_close(found[0.25], 0.25 * found[1.0] + 0.75 * plain, rtol=1e-6, atol=1e-9)


def test_the_log_probability_of_a_target_is_that_of_its_tokens(toy):
    model, _, batch = toy
    features, _ = teacher_forced(model, batch)
    for row, found in enumerate(sequence_log_probs(model.readout, features, batch.target)):
        reference = batch.target.ids[row, : batch.target.lengths[row]].tolist()
        assert found.item() == pytest.approx(log_prob(model, batch, row, reference).item())


@pytest.fixture
def drawing(create_run):
    """A trainer, a batch of its training pairs, and a way to draw candidates."""
    trainer, _ = prepare(create_run("sizes.dropout=0.5", "minimum_risk=chrf", "minimum_risk.samples=6"))
    trainer.model.train()
    batch = trainer.data.epoch(0).batch([0, 1, 2])

    def draw(seed):
        torch.manual_seed(seed)
        return trainer.objective.risk.candidates(trainer.model, batch, trainer.data.target, "en")

    return trainer, batch, draw


def test_candidates_are_the_reference_and_what_was_drawn_each_once(drawing):
    _, batch, draw = drawing
    candidates = draw(1)
    rows, most = candidates.mask.shape
    assert rows == 3
    assert 2 <= most <= 7
    sets = [
        tuple(row[:length])
        for row, length in zip(candidates.target.ids.tolist(), candidates.target.lengths.tolist(), strict=True)
    ]
    for row in range(rows):
        own = sets[row * most : (row + 1) * most]
        real = [one for one, is_real in zip(own, candidates.mask[row].tolist(), strict=True) if is_real]
        assert list(own[0]) == batch.target.ids[row, : batch.target.lengths[row]].tolist()
        assert len(set(real)) == len(real) >= 2
        assert all(one[-1] == EOS and not {0, UNK, BOS} & set(one) for one in real[1:])
        assert candidates.costs[row, 0] == 0
        assert ((candidates.costs[row] >= 0) & (candidates.costs[row] <= 1)).all()


def test_what_is_drawn_follows_from_torch_s_generator_and_the_weights_as_they_are(drawing, same):
    trainer, _, draw = drawing
    one, again, other = draw(1), draw(1), draw(2)
    assert same(vars(one.target), vars(again.target))
    assert not same(vars(one.target), vars(other.target))
    assert trainer.model.training
    with torch.no_grad():
        trainer.model.readout.bias[EOS] += 100
    assert draw(1).target.lengths.view(one.mask.shape[0], -1)[:, 1:].min() == 1


def test_draws_are_made_without_dropout(drawing):
    trainer, _, draw = drawing
    seen = []
    trainer.model.decoder.attention.register_forward_hook(lambda module, *_: seen.append(module.training))
    draw(1)
    assert seen
    assert not any(seen)


def test_the_coldest_draws_are_all_the_likeliest_target(drawing):
    trainer, batch, _ = drawing
    risk = replace(trainer.objective.risk, temperature=1e-6)
    assert risk.candidates(trainer.model, batch, trainer.data.target, "en").mask.shape == (3, 2)


def test_the_risk_falls(create_run, trained):
    options = ("optimizer.lr=0.02", "scheduler=constant", "training.steps=15", "training.validate_every=15", *STILL)
    run = create_run(*options, f"init={trained.folder}", "minimum_risk=bleu", "minimum_risk.samples=8")
    trainer, _ = prepare(run)
    batch = trainer.data.epoch(0).batch(list(range(60)))

    def expected_cost():
        torch.manual_seed(7)
        candidates = trainer.objective.risk.candidates(trainer.model, batch, trainer.data.target, "en")
        drawn = candidates.mask[:, 1:]
        return (candidates.costs[:, 1:] * drawn).sum() / drawn.sum()

    before = expected_cost()
    assert trainer.train()
    assert expected_cost() < 0.93 * before


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("weight=0", r"minimum_risk\.weight=0 is no share; give a number above 0, at most 1"),
        ("weight=1.5", r"minimum_risk\.weight=1\.5 is no share"),
        ("samples=0", r"minimum_risk\.samples=0 draws nothing; give 1 or more"),
        ("sharpness=0", r"minimum_risk\.sharpness=0 is no exponent; give a number above 0, as 0\.005"),
        ("temperature=0", r"temperature must be above 0 and finite, got 0"),
        ("cost=ter", r"minimum_risk\.cost=ter is unknown; expected bleu or chrf"),
    ],
)
def test_options_out_of_range_are_refused(option, message):
    with pytest.raises(InputError, match=message):
        build(compose("train", ["minimum_risk=bleu", f"minimum_risk.{option}"]).minimum_risk, "minimum_risk")


def test_scheduled_sampling_does_not_go_with_it(create_run):
    with pytest.raises(InputError, match=r"scores translations as they are; leave scheduled_sampling= out"):
        prepare(create_run("minimum_risk=bleu", "scheduled_sampling=linear"))


def test_without_it_an_objective_has_no_risk(create_run):
    trainer, _ = prepare(create_run())
    assert isinstance(trainer.objective, Objective)
    assert trainer.objective.risk is None

"""A translator and a language model together: the weighted sum of what each says, step by step and of given targets."""

import pytest
import torch
from tiny_models import CELLS, DECODERS, UNATTENDED, assert_same, batch_of, model_of, padded, tiny_language_model

from s2s.model.ensemble import OneModel, WordList
from s2s.model.fusion import Fused, InternalLanguageModel
from s2s.text.batching import Batch
from s2s.text.tokenizer import BOS

every_decoder = pytest.mark.parametrize("decoder", DECODERS | UNATTENDED)


def members(decoder="luong"):
    model = model_of(decoder)
    return OneModel(model), OneModel(tiny_language_model()), InternalLanguageModel(model)


def stepped(writer, batch):
    """Log-probabilities (B, T, V) and attention, one step at a time."""
    state, tokens, found = writer.start(batch.source), torch.full_like(batch.target.lengths, BOS), []
    for position in batch.target.ids.unbind(dim=1):
        log_probs, attention, state = writer.step(tokens, state)
        found.append((log_probs, attention))
        tokens = position
    return tuple(torch.stack(parts, dim=1) for parts in zip(*found, strict=True))


@every_decoder
def test_steps_and_given_targets_agree(decoder):
    own, language_model, internal = members(decoder)
    batch = batch_of([0, 1, 2])
    for writer in (
        Fused(own, language_model, weight=0.3),
        Fused(own, language_model, weight=0.3, internal=internal, internal_weight=0.2),
        internal,
    ):
        real = batch.target.mask
        for one, other in zip(stepped(writer, batch), writer.force(batch), strict=True):
            assert_same(one[real], other[real], 1e-10)


def test_shallow_fusion_is_the_weighted_sum_and_attention_is_the_translators():
    own, language_model, _ = members()
    batch = batch_of([0, 1, 2])
    fused, attention = Fused(own, language_model, weight=0.25).force(batch)
    (translated, looked), (said, _) = own.force(batch), language_model.force(batch)
    assert_same(fused, translated + 0.25 * said)
    assert_same(attention, looked)


def test_what_the_translator_expects_anyway_is_taken_away_and_the_rest_made_one_in_sum():
    own, language_model, internal = members()
    batch = batch_of([0, 1, 2])
    fused, _ = Fused(own, language_model, weight=0.25, internal=internal, internal_weight=0.5).force(batch)
    (translated, _), (said, _), (expected, _) = (one.force(batch) for one in (own, language_model, internal))
    assert_same(fused, (translated + 0.25 * said - 0.5 * expected).log_softmax(dim=-1))
    assert_same(fused.exp().sum(dim=-1), torch.ones(3, 6, dtype=torch.float64))


@every_decoder
def test_the_internal_language_model_does_not_depend_on_the_source(decoder):
    internal = InternalLanguageModel(model_of(decoder))
    target = padded([[4, 5, 3]] * 3)
    other = Batch(batch_of([1, 2, 0]).source, target, (0, 1, 2))
    one, _ = internal.force(Batch(batch_of([0, 1, 2]).source, target, (0, 1, 2)))
    assert_same(one, internal.force(other)[0])
    assert_same(one[0], one[1])
    assert (OneModel(internal.model).force(other)[0] - one).abs().max() > 1e-6


def test_words_that_are_not_allowed_stay_impossible():
    own, language_model, internal = members()
    allowed = torch.tensor([[True, True, False, True], [True, True, True, False]])
    listed = WordList(torch.tensor([2, 3, 5, 6]), allowed)
    batch = batch_of([0, 1])
    for writer in (
        Fused(own, language_model, weight=0.5),
        Fused(own, language_model, weight=0.5, internal=internal, internal_weight=0.5),
    ):
        log_probs, _, _ = writer.step(torch.tensor([BOS, BOS]), writer.start(batch.source, listed))
        assert (log_probs == -torch.inf).tolist() == (~allowed).tolist()
        assert not log_probs.isnan().any()


@pytest.mark.parametrize("cell", CELLS)
def test_any_cell_will_do(cell):
    own, _, _ = members()
    fused, _ = Fused(own, OneModel(tiny_language_model(rnn=cell)), weight=0.1).force(batch_of([0, 1, 2]))
    assert fused.isfinite().all()

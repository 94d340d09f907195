"""Readouts: features by hand, and probabilities."""

import numpy as np
import pytest
import torch
from tiny_models import assert_same

from s2s.model.dropout import Dropout
from s2s.model.embedding import Embedding
from s2s.model.readout import LinearReadout, MaxoutReadout, TanhReadout

every_kind = pytest.mark.parametrize("kind", [LinearReadout, MaxoutReadout, TanhReadout])


def readout(kind, output_size=6, feature_size=3, vocabulary_size=5, dropout=0.0, weight=None):
    torch.manual_seed(13)
    sizes = {"feature_size": feature_size, "vocabulary_size": vocabulary_size}
    return kind(output_size, **sizes, dropout=Dropout(dropout), weight=weight).double()


def test_maxout_takes_the_larger_of_each_two_neighbours():
    module = readout(MaxoutReadout, output_size=2, feature_size=2)
    module.project.weight.data = torch.tensor([[1.0, 0], [0, 1], [1, 1], [-1, -1]], dtype=torch.float64)
    module.project.bias.data = torch.tensor([0.0, 0, 0, 1], dtype=torch.float64)
    output = torch.tensor([[2.0, 5.0], [-3.0, -4.0]], dtype=torch.float64)
    assert module.features(output).tolist() == [[5, 7], [-3, 8]]


def test_a_linear_readout_maps_only_where_widths_differ():
    output = torch.randn(4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert torch.equal(readout(LinearReadout, feature_size=6).features(output), output)
    module = readout(LinearReadout)
    assert_same(module.features(output), output @ module.project.weight.t())


def test_a_tanh_readout_bounds_a_map_of_state_word_and_context():
    module = readout(TanhReadout)
    weight, bias = (parameter.detach().numpy() for parameter in module.project.parameters())
    output = np.random.default_rng(3).normal(size=(4, 6))
    expected = np.tanh(output @ weight.T + bias)
    np.testing.assert_allclose(module.features(torch.from_numpy(output)).detach(), expected, rtol=1e-12)


@pytest.mark.parametrize("feature_size", [6, 9])
@every_kind
def test_features_are_as_wide_as_was_asked(kind, feature_size):
    module = readout(kind, feature_size=feature_size)
    features = module.features(torch.ones(2, 3, 6, dtype=torch.float64))
    assert features.shape == (2, 3, feature_size)
    assert module.log_probs(features).shape == (2, 3, 5)


@every_kind
def test_scores_are_small_at_first_with_an_embedding_as_weight_too(kind):
    output = torch.rand(50, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(2)) * 2 - 1
    embedding = Embedding(40, 64)
    tied = readout(kind, 64, 64, 40, weight=embedding.weight)
    assert tied.weight is embedding.weight
    for module in (tied, readout(kind, 64, 64, 40)):
        assert (module.features(output) @ module.weight.t()).std() < 1


@every_kind
def test_log_probs_are_the_softmax_of_scores(kind):
    module = readout(kind)
    module.bias.data.uniform_(-1, 1)
    features = module.features(torch.randn(2, 3, 6, dtype=torch.float64))
    scores = (features @ module.weight.t() + module.bias).exp()
    assert_same(module.log_probs(features).exp(), scores / scores.sum(dim=-1, keepdim=True))


@every_kind
def test_log_probs_are_float32_even_where_features_are_narrower(kind):
    module = readout(kind).bfloat16()
    assert module.log_probs(module.features(torch.ones(2, 6).bfloat16())).dtype == torch.float32


@every_kind
def test_features_are_dropped_in_training_alone(kind):
    module, output = readout(kind, dropout=0.5), torch.randn(40, 6, dtype=torch.float64)
    assert 20 < (module.train().features(output) == 0).sum() < 100
    assert (module.eval().features(output) != 0).all()

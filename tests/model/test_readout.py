"""Readouts: features by hand, and probabilities."""

import numpy as np
import pytest
import torch
from tiny_models import assert_same

from s2s.errors import InputError
from s2s.model.dropout import Dropout
from s2s.model.embedding import Embedding
from s2s.model.readout import AdaptiveReadout, LinearReadout, MaxoutReadout, TanhReadout

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


def adaptive(vocabulary_size=20, cutoffs=(0.2, 0.5), reduction=2.0, **options):
    torch.manual_seed(17)
    sizes = {"feature_size": 8, "vocabulary_size": vocabulary_size}
    module = AdaptiveReadout(6, **sizes, dropout=Dropout(0.0), cutoffs=cutoffs, reduction=reduction, **options)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter)
    return module.double()


def test_clusters_are_those_of_torch_given_its_weights():
    module, theirs = adaptive(), torch.nn.AdaptiveLogSoftmaxWithLoss(8, 20, [4, 10], div_value=2.0, head_bias=True)
    theirs = theirs.double()
    theirs.head.weight.data, theirs.head.bias.data = module.weight.data, module.bias.data
    for tail, narrow, cluster in zip(theirs.tail, module.narrow, module.clusters, strict=True):
        tail[0].weight.data, tail[1].weight.data = narrow.weight.data, cluster.weight.data
        torch.nn.init.zeros_(cluster.bias)  # torch's have none
    features = torch.randn(50, 8, dtype=torch.float64)
    assert_same(module.log_probs(features), theirs.log_prob(features))
    targets = torch.arange(50) % 20
    assert_same(module.cross_entropy(features, targets)[1], theirs(features, targets).loss * 50)


def test_every_word_of_every_cluster_has_its_share_of_one():
    log_probs = adaptive().log_probs(torch.randn(2, 3, 8, dtype=torch.float64))
    assert log_probs.shape == (2, 3, 20)
    assert_same(log_probs.exp().sum(dim=-1), torch.ones(2, 3, dtype=torch.float64))


def test_the_loss_of_clusters_is_that_of_their_probabilities_with_its_gradient():
    module = adaptive()
    features = torch.randn(9, 8, dtype=torch.float64, requires_grad=True)
    targets = torch.tensor([0, 3, 4, 9, 10, 19, 4, 11, 2])
    parameters = [features, module.weight, module.bias, *module.narrow.parameters(), *module.clusters.parameters()]
    expected = torch.nn.functional.nll_loss(module.log_probs(features), targets, reduction="sum")
    loss, nll = module.cross_entropy(features, targets)
    assert_same((loss, nll), (expected, expected))
    for one, other in zip(
        torch.autograd.grad(loss, parameters), torch.autograd.grad(expected, parameters), strict=True
    ):
        assert_same(one, other)


def test_a_cluster_without_targets_costs_nothing():
    module = adaptive()
    features = torch.randn(3, 8, dtype=torch.float64)
    targets = torch.tensor([0, 1, 2])
    loss, _ = module.cross_entropy(features, targets)
    loss.backward()
    assert loss.item() == pytest.approx(-module.log_probs(features)[range(3), targets].sum().item())
    assert all(not parameter.grad.any() for parameter in module.clusters.parameters())


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: adaptive(weight=torch.nn.Parameter(torch.ones(20, 8))), "cannot be tied; set model.tie_readout=false"),
        (lambda: adaptive(cutoffs=[]), "cut 20 words at"),
        (
            lambda: adaptive(cutoffs=[0.5, 0.5]),
            r"model.readout.cutoffs=\[0.5, 0.5\] cut 20 words at \[10, 10\]; give rising",
        ),
        (lambda: adaptive(cutoffs=[0.01]), "leave words in each cluster"),
        (lambda: adaptive(cutoffs=[1.0]), "leave words in each cluster"),
        (lambda: adaptive(reduction=0.5), "model.readout.reduction=0.5 would widen the clusters"),
        (lambda: adaptive().words(torch.tensor([1]), None), "leave shortlist= out"),
        (
            lambda: adaptive().cross_entropy(torch.ones(1, 8, dtype=torch.float64), torch.tensor([1]), smoothing=0.1),
            "has no label smoothing, got 0.1; set training.label_smoothing=0",
        ),
    ],
    ids=["tied", "none", "equal", "empty head", "empty tail", "wider", "shortlist", "smoothing"],
)
def test_what_clusters_cannot_do_is_refused(ask, message):
    with pytest.raises(InputError, match=message):
        ask()

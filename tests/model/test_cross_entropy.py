"""Smoothed cross-entropy: the equation's and torch's own in value and gradient, whatever the number of chunks."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy, linear

from s2s.model import cross_entropy as loss_module
from s2s.model.cross_entropy import CHUNK_ROWS, smoothed_cross_entropy
from s2s.model.product import narrow_products

every_smoothing = pytest.mark.parametrize("smoothing", [0.0, 0.1])


def example(rows, dtype=torch.float64, requires_grad=True):
    """Features (N, 5), weight (7, 5), bias (7,) and targets (N,)."""
    random = torch.Generator().manual_seed(19)
    tensors = [torch.randn(shape, dtype=torch.float64, generator=random) for shape in ((rows, 5), (7, 5), (7,))]
    targets = torch.randint(7, (rows,), generator=random)
    return [tensor.to(dtype).requires_grad_(requires_grad) for tensor in tensors], targets


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.6])
def test_the_smoothed_loss_is_that_of_the_equation(smoothing):
    (features, weight, bias), targets = example(9, requires_grad=False)
    expected = 0.0
    for feature, target in zip(features.numpy(), targets.tolist(), strict=True):
        powers = np.exp(weight.numpy() @ feature + bias.numpy())
        log_probs = np.log(powers / powers.sum())
        expected -= (1 - smoothing) * log_probs[target] + smoothing / len(log_probs) * log_probs.sum()
    loss, _ = smoothed_cross_entropy(features, weight, bias, targets, smoothing=smoothing)
    assert loss.item() == pytest.approx(expected, rel=1e-12)


@every_smoothing
@pytest.mark.parametrize("rows", [1, CHUNK_ROWS, 2 * CHUNK_ROWS + 37])
def test_loss_and_gradients_are_those_of_torch(rows, smoothing):
    tensors, targets = example(rows)
    loss, _ = smoothed_cross_entropy(*tensors, targets, smoothing=smoothing)
    expected = cross_entropy(linear(*tensors), targets, label_smoothing=smoothing, reduction="sum")
    torch.testing.assert_close(loss, expected, rtol=1e-12, atol=1e-12)
    # A loss is divided by its tokens before it goes back, so the factor from above must arrive.
    for gradient, reference in zip(
        torch.autograd.grad(loss / 3, tensors), torch.autograd.grad(expected / 3, tensors), strict=True
    ):
        torch.testing.assert_close(gradient, reference, rtol=1e-10, atol=1e-12)


@every_smoothing
def test_the_gradient_is_that_of_small_differences(smoothing, monkeypatch):
    monkeypatch.setattr(loss_module, "CHUNK_ROWS", 2)
    tensors, targets = example(5)
    assert torch.autograd.gradcheck(
        lambda *inputs: smoothed_cross_entropy(*inputs, targets, smoothing=smoothing)[0], tensors
    )


@every_smoothing
def test_the_log_likelihood_is_unsmoothed_and_takes_no_gradient(smoothing):
    tensors, targets = example(CHUNK_ROWS + 3)
    loss, nll = smoothed_cross_entropy(*tensors, targets, smoothing=smoothing)
    expected = cross_entropy(linear(*tensors), targets, reduction="sum")
    torch.testing.assert_close(nll, expected.detach(), rtol=1e-12, atol=1e-12)
    assert loss.requires_grad
    assert not nll.requires_grad


@every_smoothing
def test_inference_gives_the_same_numbers(smoothing):
    tensors, targets = example(CHUNK_ROWS + 3)
    expected = smoothed_cross_entropy(*tensors, targets, smoothing=smoothing)
    with torch.inference_mode():
        seen = smoothed_cross_entropy(*tensors, targets, smoothing=smoothing)
    for value, reference in zip(seen, expected, strict=True):
        assert not value.requires_grad
        assert torch.equal(value, reference)


def test_one_input_may_learn_alone():
    tensors, targets = example(4, requires_grad=False)
    tensors[0].requires_grad_()
    smoothed_cross_entropy(*tensors, targets)[0].backward()
    expected = linear(*tensors).softmax(dim=1) - torch.eye(7, dtype=torch.float64)[targets]
    torch.testing.assert_close(tensors[0].grad, (expected @ tensors[1]).detach())


def test_scores_of_any_size_give_finite_numbers():
    tensors, targets = example(4, requires_grad=False)
    features = (tensors[0] * 1e5).requires_grad_()
    loss, nll = smoothed_cross_entropy(features, *tensors[1:], targets, smoothing=0.1)
    loss.backward()
    assert all(value.isfinite().all() for value in (loss, nll, features.grad))


def test_narrow_features_are_summed_in_float32():
    tensors, targets = example(CHUNK_ROWS + 3)
    features, weight, bias = tensors
    narrow = features.detach().bfloat16().requires_grad_()
    loss, nll = smoothed_cross_entropy(narrow, weight.detach().float(), bias.detach().float(), targets, smoothing=0.1)
    loss.backward()
    expected = smoothed_cross_entropy(*tensors, targets, smoothing=0.1)
    assert (loss.dtype, nll.dtype, narrow.grad.dtype) == (torch.float32, torch.float32, torch.bfloat16)
    torch.testing.assert_close(torch.stack([loss, nll]).double(), torch.stack(expected), rtol=1e-2, atol=0)


def test_no_rows_have_no_loss():
    tensors, targets = example(0)
    loss, nll = smoothed_cross_entropy(*tensors, targets, smoothing=0.1)
    loss.backward()
    assert (loss.item(), nll.item()) == (0, 0)
    assert not tensors[1].grad.any()


@every_smoothing
def test_a_weight_that_the_features_come_from_learns_from_both_sides(smoothing):
    """As a readout tied to the embedding, in several chunks."""
    (_, weight, bias), targets = example(CHUNK_ROWS + 37)
    words = torch.randint(7, targets.shape, generator=torch.Generator().manual_seed(3))

    def features():
        return weight[words].tanh()

    loss, _ = smoothed_cross_entropy(features(), weight, bias, targets, smoothing=smoothing)
    expected = cross_entropy(linear(features(), weight, bias), targets, label_smoothing=smoothing, reduction="sum")
    for gradient, reference in zip(
        torch.autograd.grad(loss, [weight, bias]), torch.autograd.grad(expected, [weight, bias]), strict=True
    ):
        torch.testing.assert_close(gradient, reference, rtol=1e-10, atol=1e-12)


@every_smoothing
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-4)], ids=str)
@pytest.mark.parametrize("strided", ["features", "weight", "bias", "all"])
def test_features_and_weights_may_lie_in_memory_as_they_like(strided, dtype, tolerance, smoothing):
    """In several chunks, the last of them in part; to a share of the greatest number of a gradient."""
    tensors, targets = example(2 * CHUNK_ROWS + 37)
    expected = cross_entropy(linear(*tensors), targets, label_smoothing=smoothing, reduction="sum")
    features, weight, bias = (tensor.detach().to(dtype) for tensor in tensors)
    if strided in ("features", "all"):
        features = features.t().contiguous().t()
    if strided in ("weight", "all"):
        weight = torch.cat([weight, weight], dim=1)[:, 5:]
    if strided in ("bias", "all"):
        bias = torch.stack([bias, bias], dim=1)[:, 1]
    seen = [tensor.requires_grad_() for tensor in (features, weight, bias)]
    loss, _ = smoothed_cross_entropy(*seen, targets, smoothing=smoothing)
    torch.testing.assert_close(loss.double(), expected, rtol=tolerance, atol=0)
    gradients = torch.autograd.grad(loss, seen)
    for gradient, reference in zip(gradients, torch.autograd.grad(expected, tensors), strict=True):
        assert gradient.dtype == dtype
        torch.testing.assert_close(gradient.double(), reference, rtol=0, atol=tolerance * float(reference.abs().max()))


@pytest.mark.parametrize("rows", [3, CHUNK_ROWS, 2 * CHUNK_ROWS + 37])
@every_smoothing
def test_in_float32_the_numbers_are_those_of_float64_to_its_precision(smoothing, rows):
    """To 1e-4 of the greatest number of a gradient: products of this precision go to another library."""
    tensors, targets = example(rows)
    narrow, _ = example(rows, torch.float32)
    expected = smoothed_cross_entropy(*tensors, targets, smoothing=smoothing)
    actual = smoothed_cross_entropy(*narrow, targets, smoothing=smoothing)
    torch.testing.assert_close(torch.stack(actual).double(), torch.stack(expected), rtol=1e-4, atol=0)
    gradients = zip(torch.autograd.grad(actual[0], narrow), torch.autograd.grad(expected[0], tensors), strict=True)
    for gradient, reference in gradients:
        torch.testing.assert_close(gradient.double(), reference, rtol=0, atol=1e-4 * float(reference.abs().max()))


def test_in_float32_the_loss_of_words_that_are_all_but_certain_is_as_precise():
    """Scores of 30 and 40 have sums of thousands, in which a loss of a few nats would be lost."""
    states = 0.25 * torch.eye(8, dtype=torch.float64).repeat(250, 1)
    weight, bias = 40 * torch.eye(50, 8, dtype=torch.float64), torch.full((50,), 30.0, dtype=torch.float64)
    targets = torch.arange(8).repeat(250)
    expected = smoothed_cross_entropy(states, weight, bias, targets)
    actual = smoothed_cross_entropy(states.float(), weight.float(), bias.float(), targets)
    assert 1 < expected[1] < 10
    torch.testing.assert_close(torch.stack(actual).double(), torch.stack(expected), rtol=1e-4, atol=0)


@pytest.mark.parametrize("rows", [3, 2 * CHUNK_ROWS + 37])
@every_smoothing
def test_by_narrow_products_the_numbers_are_those_of_float64_nearly(smoothing, rows):
    """To 1 % of the greatest number of a gradient."""
    tensors, targets = example(rows)
    narrow, _ = example(rows, torch.float32)
    expected = smoothed_cross_entropy(*tensors, targets, smoothing=smoothing)
    with narrow_products():
        actual = smoothed_cross_entropy(*narrow, targets, smoothing=smoothing)
    assert actual[0] != smoothed_cross_entropy(*narrow, targets, smoothing=smoothing)[0]
    torch.testing.assert_close(torch.stack(actual).double(), torch.stack(expected), rtol=1e-3, atol=0)
    gradients = zip(torch.autograd.grad(actual[0], narrow), torch.autograd.grad(expected[0], tensors), strict=True)
    for gradient, reference in gradients:
        assert gradient.dtype == torch.float32
        torch.testing.assert_close(gradient.double(), reference, rtol=0, atol=1e-2 * float(reference.abs().max()))


def test_going_back_twice_gives_the_same_gradient_twice():
    tensors, targets = example(CHUNK_ROWS + 3)
    loss, _ = smoothed_cross_entropy(*tensors, targets, smoothing=0.1)
    once = torch.autograd.grad(loss, tensors, retain_graph=True)
    for gradient, again in zip(once, torch.autograd.grad(loss, tensors), strict=True):
        torch.testing.assert_close(gradient, again, rtol=0, atol=0)

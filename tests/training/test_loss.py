"""The loss over the vocabulary: torch's own in value and gradient, whatever the number of chunks."""

import pytest
import torch
from torch.nn.functional import cross_entropy, linear

from s2s.training import loss as loss_module
from s2s.training.loss import CHUNK_ROWS, smoothed_cross_entropy

every_smoothing = pytest.mark.parametrize("smoothing", [0.0, 0.1])


def example(rows, dtype=torch.float64, requires_grad=True):
    """Features (N, 5), weight (7, 5), bias (7,) and targets (N,)."""
    random = torch.Generator().manual_seed(19)
    tensors = [torch.randn(shape, dtype=torch.float64, generator=random) for shape in ((rows, 5), (7, 5), (7,))]
    targets = torch.randint(7, (rows,), generator=random)
    return [tensor.to(dtype).requires_grad_(requires_grad) for tensor in tensors], targets


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

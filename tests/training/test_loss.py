"""The losses: the equations' and torch's own in value and gradient, whatever the number of chunks."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy, linear

from s2s.model.product import narrow_products
from s2s.training import loss as loss_module
from s2s.training.loss import CHUNK_ROWS, coverage_loss, guided_alignment_loss, smoothed_cross_entropy

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


def attention_example():
    """Attention (3, 4, 5), each row a distribution, and its mask (3, 4) with 4, 2 and 1 real positions."""
    random = torch.Generator().manual_seed(5)
    attention = torch.randn(3, 4, 5, dtype=torch.float64, generator=random).softmax(dim=2)
    return attention, torch.arange(4) < torch.tensor([[4], [2], [1]])


def test_repeated_attention_of_two_positions_is_worked_by_hand():
    attention = torch.tensor([[[0.75, 0.25], [0.5, 0.5]]])
    # before the second position the coverage is (0.75, 0.25): min(0.5, 0.75) + min(0.5, 0.25)
    assert coverage_loss(attention, torch.tensor([[True, True]])).item() == 0.75
    assert coverage_loss(attention, torch.tensor([[True, False]])).item() == 0


def test_looking_twice_at_one_word_costs_one_and_at_another_word_nothing():
    words = torch.eye(3)
    real = torch.ones(1, 3, dtype=torch.bool)
    assert coverage_loss(words[[0, 0, 0]][None], real).item() == 2
    assert coverage_loss(words[[0, 1, 0]][None], real).item() == 1
    assert coverage_loss(words[[2, 0, 1]][None], real).item() == 0


def test_the_coverage_loss_is_that_of_the_equations():
    attention, mask = attention_example()
    expected = 0.0
    for weights, length in zip(attention.numpy(), mask.sum(dim=1).tolist(), strict=True):
        coverage = np.zeros(weights.shape[1])
        for row in weights[:length]:
            expected += np.minimum(row, coverage).sum()
            coverage += row
    assert expected > 1
    assert coverage_loss(attention, mask).item() == pytest.approx(expected, rel=1e-12)


def test_the_coverage_loss_of_padding_is_nothing_and_sends_nothing_back():
    attention, mask = attention_example()
    spoilt = attention.masked_fill(~mask[:, :, None], 7.0).requires_grad_()
    loss = coverage_loss(spoilt, mask)
    loss.backward()
    assert loss.item() == coverage_loss(attention, mask).item()
    assert not spoilt.grad[~mask].any()
    assert spoilt.grad[mask].any()


def test_the_gradient_of_the_coverage_loss_is_that_of_small_differences():
    attention, mask = attention_example()
    assert torch.autograd.gradcheck(lambda weights: coverage_loss(weights, mask), attention.requires_grad_())


def test_narrow_attention_is_summed_in_float32():
    attention, mask = attention_example()
    loss = coverage_loss(attention.bfloat16(), mask)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(coverage_loss(attention, mask).item(), rel=1e-2)


def test_the_guided_alignment_loss_is_the_cross_entropy_of_its_equation():
    attention, mask = attention_example()
    guide = attention.flip(2) * mask[:, :, None]
    expected = -sum(
        weight * np.log(given)
        for weight, given in zip(guide.flatten().tolist(), attention.flatten().tolist(), strict=True)
    )
    assert guided_alignment_loss(attention, guide).item() == pytest.approx(expected, rel=1e-12)
    assert torch.autograd.gradcheck(lambda weights: guided_alignment_loss(weights, guide), attention.requires_grad_())


def test_guidance_to_where_a_window_sees_nothing_is_finite_and_sends_nothing_back():
    attention = torch.tensor([[[1.0, 0.0]]], requires_grad=True)
    loss = guided_alignment_loss(attention, torch.tensor([[[0.5, 0.5]]]))
    loss.backward()
    assert loss.item() == pytest.approx(-0.5 * np.log(1e-9), rel=1e-5)
    assert attention.grad.tolist() == [[[-0.5, 0.0]]]

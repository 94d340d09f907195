"""The losses of attention: those of the equations, with their gradients."""

import numpy as np
import pytest
import torch

from s2s.training.loss import coverage_loss, guided_alignment_loss


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

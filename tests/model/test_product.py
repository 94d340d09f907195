"""Gathered products are the plain ones in value and gradient, and oneDNN's are torch's own.

Equalities are of float64 to 1e-9, rtol and atol, unless a test says otherwise.
"""

import gc
import weakref
from itertools import product

import pytest
import torch
from tiny_models import CELLS, DECODERS, SCORES, UNATTENDED, assert_same, batch_of, model_of, name_of
from torch.nn import functional

from s2s.model import product as product_module
from s2s.model.cells import GRUCho, GRUDeepTransition
from s2s.model.cross_entropy import smoothed_cross_entropy
from s2s.model.product import (
    GATHERED_ROWS,
    GatheredProducts,
    Linear,
    linear,
    multiplies_bfloat16,
    multiply,
    narrow_products,
    plain,
    products_by,
)
from s2s.model.readout import LinearReadout, MaxoutReadout, TanhReadout

# How a weight (4, 3) is seen in what a model keeps: the shape of that, and the look at it.
VIEWS = {
    "whole": ((4, 3), lambda kept: kept),
    "rows": ((9, 3), lambda kept: kept[2:6]),
    "columns": ((4, 7), lambda kept: kept[:, 3:6]),
    "every second row": ((8, 3), lambda kept: kept[::2]),
    "transposed": ((3, 4), lambda kept: kept.t()),
    "transposed rows": ((7, 4), lambda kept: kept[1:4].t()),
    "one row for all": ((1, 3), lambda kept: kept.expand(4, 3)),
    "computed": ((4, 3), lambda kept: kept.tanh()),
}
# How the two operands of a product lie in memory.
LAYOUTS = {
    "contiguous": lambda rows, columns, dtype: drawn(rows, columns, dtype=dtype),
    "transposed": lambda rows, columns, dtype: drawn(columns, rows, dtype=dtype).t(),
    "columns": lambda rows, columns, dtype: drawn(rows, columns + 5, dtype=dtype)[:, 2:-3],
    "every second column": lambda rows, columns, dtype: drawn(rows, 2 * columns, dtype=dtype)[:, ::2],
    "rows, transposed": lambda rows, columns, dtype: drawn(columns + 5, rows, dtype=dtype)[2:-3].t(),
    "one row for all": lambda rows, columns, dtype: drawn(1, columns, dtype=dtype).expand(rows, columns),
    "one number for all": lambda rows, columns, dtype: drawn(1, 1, dtype=dtype).expand(rows, columns),
}

every_view = pytest.mark.parametrize("view", VIEWS)
with_and_without_bias = pytest.mark.parametrize("biased", [True, False], ids=["bias", "no bias"])
every_cell = pytest.mark.parametrize("cell", [*CELLS, GRUCho, GRUDeepTransition], ids=name_of)
needs_onednn = pytest.mark.skipif(not product_module.has_onednn(), reason="this torch has no oneDNN product")


def drawn(*shape, dtype=torch.float64, requires_grad=False):
    """Draw numbers that are the same each time for the same shape."""
    random = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, dtype=torch.float64, generator=random).to(dtype).requires_grad_(requires_grad)


def leaf(*shape, dtype=torch.float64):
    """Draw what takes a gradient."""
    return drawn(*shape, dtype=dtype, requires_grad=True)


def weighed(outputs):
    """A sum in which every number has a weight of its own."""
    random = torch.Generator().manual_seed(13)
    return sum((part * torch.randn(part.shape, generator=random).to(part.dtype)).sum() for part in outputs)


def taken(compute, leaves, way):
    """What a computation gives by this way of taking products, and the gradients of its leaves, None for none."""
    with products_by(way):
        outputs = compute(*leaves)
    learning = [part for part in leaves if part is not None and part.requires_grad]
    return outputs, torch.autograd.grad(weighed(outputs), learning, allow_unused=True)


def assert_as_plain(compute, *leaves, tolerance=1e-9):
    """Compare a computation, leaves -> a list of outputs, in values and gradients with the plain one."""
    expected, wanted = taken(compute, leaves, plain)
    actual, got = taken(compute, leaves, GatheredProducts())
    assert_same(actual, expected, tolerance)
    assert_same(got, wanted, tolerance)


def count_sums(monkeypatch):
    """A list that grows by one whenever a weight's terms are summed."""
    sums, sum_up = [], product_module._Operand._sum
    monkeypatch.setattr(product_module._Operand, "_sum", lambda operand: (sums.append(1), sum_up(operand))[1])
    return sums


@with_and_without_bias
@every_view
@pytest.mark.parametrize("shape", [(3,), (5, 3), (1, 3), (2, 5, 3), (2, 1, 5, 3)], ids=str)
def test_a_gathered_product_is_the_plain_one(shape, view, biased):
    size, look = VIEWS[view]

    def compute(inputs, kept, bias):
        return [linear(inputs, look(kept), bias)]

    assert_as_plain(compute, leaf(*shape), leaf(*size), leaf(4) if biased else None)


@with_and_without_bias
@every_view
@pytest.mark.parametrize("positions", [2, 7])
def test_a_weight_that_many_positions_read_has_the_gradient_of_all_of_them(positions, view, biased):
    size, look = VIEWS[view]

    def compute(inputs, kept, bias):
        return [linear(x, look(kept), bias).tanh() for x in inputs.unbind(dim=1)]

    assert_as_plain(compute, leaf(6, positions, 3), leaf(*size), leaf(4) if biased else None)


@with_and_without_bias
def test_a_weight_that_reads_what_it_made_has_the_gradient_of_all_positions(biased):
    def compute(inputs, hidden, weight, bias):
        outputs = []
        for x in inputs.unbind(dim=1):
            hidden = (x + linear(hidden, weight, bias)).tanh()
            outputs.append(hidden)
        return outputs

    assert_as_plain(compute, leaf(2, 6, 4), leaf(2, 4), leaf(4, 4), leaf(4) if biased else None)


def test_inputs_of_several_shapes_may_meet_one_weight():
    def compute(rows, sentences, weight):
        return [linear(rows, weight), linear(sentences, weight)]

    assert_as_plain(compute, leaf(5, 3), leaf(2, 7, 3), leaf(4, 3))


def test_inputs_may_lie_in_memory_as_they_like():
    def compute(inputs, weight):
        return [linear(inputs.transpose(0, 1), weight), linear(inputs[:, ::2], weight), linear(inputs[:, :1], weight)]

    assert_as_plain(compute, leaf(5, 6, 3), leaf(4, 3))


@with_and_without_bias
@pytest.mark.parametrize(
    ("rows", "positions", "sums"),
    [(GATHERED_ROWS, 1, 1), (GATHERED_ROWS + 9, 2, 2), (GATHERED_ROWS // 2, 3, 2), (GATHERED_ROWS // 4 - 1, 11, 3)],
)
def test_many_rows_are_summed_in_parts(rows, positions, sums, biased, monkeypatch):
    def compute(inputs, weight, bias):
        return [linear(x, weight, bias).tanh() for x in inputs.unbind(dim=1)]

    seen = count_sums(monkeypatch)
    assert_as_plain(compute, leaf(rows, positions, 3), leaf(4, 3), leaf(4) if biased else None)
    assert len(seen) == sums


def test_few_rows_are_summed_once(monkeypatch):
    weight, seen = leaf(4, 3), count_sums(monkeypatch)
    with products_by(GatheredProducts()):
        weighed([linear(drawn(5, 3), weight) for _ in range(10)]).backward()
    assert len(seen) == 1


@pytest.mark.parametrize("positions", [1, 3, 400])
@pytest.mark.parametrize("look", [lambda kept: kept, lambda kept: kept.transpose(1, 2)], ids=["whole", "transposed"])
def test_what_every_sentence_has_of_its_own_has_the_gradient_of_all_positions(look, positions):
    """(B, Q, A) times (B, S, A), the energies of attention; and times (B, A, S), its weighted sum."""

    def compute(queries, kept):
        return [linear(query, look(kept)).tanh() for query in queries.unbind()]

    sizes = look(torch.empty(3, 5, 4)).shape
    assert_as_plain(compute, leaf(positions, 3, 2, sizes[2]), leaf(3, 5, 4))


def test_a_weight_may_itself_be_a_gathered_product():
    """As the keys are of the encoder states, which the weighted sum reads too."""

    def compute(queries, values, weight):
        keys, contexts = linear(values, weight), []
        for query in queries.unbind(dim=1):
            energy = linear(query[:, None], keys).softmax(dim=-1)
            contexts.append(linear(energy, values.transpose(1, 2)))
        return contexts

    assert_as_plain(compute, leaf(2, 6, 4), leaf(2, 5, 3), leaf(4, 3))


@pytest.mark.parametrize("frozen", [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2)], ids=str)
def test_inputs_weight_or_bias_may_take_no_gradient(frozen):
    leaves = [leaf(2, 5, 3), leaf(4, 3), leaf(4)]
    for index in frozen:
        leaves[index].requires_grad_(False)

    def compute(inputs, weight, bias):
        return [linear(x, weight, bias).tanh() for x in inputs.unbind(dim=1)]

    assert_as_plain(compute, *leaves)


def test_where_nothing_learns_there_is_no_graph():
    with products_by(GatheredProducts()):
        assert not linear(drawn(5, 3), drawn(4, 3), drawn(4)).requires_grad


@pytest.mark.parametrize("reached", [[0], [1], [2], [0, 2]], ids=str)
def test_an_output_that_the_loss_does_not_reach_counts_for_nothing(reached):
    def compute(inputs, weight, bias):
        outputs = [linear(x, weight, bias).tanh() for x in inputs.unbind(dim=1)]
        return [outputs[position] for position in reached]

    assert_as_plain(compute, leaf(4, 3, 3), leaf(4, 3), leaf(4))


def test_a_weight_that_the_loss_does_not_reach_has_no_gradient():
    def compute(inputs, weight, unread):
        linear(inputs, unread)
        return [linear(inputs, weight)]

    assert_as_plain(compute, leaf(5, 3), leaf(4, 3), leaf(2, 3))


def test_several_weights_keep_their_gradients_apart():
    """Two of one shape, one of another, and one with three biases or none."""

    def compute(inputs, first, second, third, *biases):
        outputs = []
        for x in inputs.unbind(dim=1):
            hidden = linear(x, first, biases[0]).tanh() + linear(x, second, biases[0])
            outputs += [linear(hidden, third), linear(hidden, third, biases[1]), linear(hidden, third, biases[2])]
        return outputs

    assert_as_plain(compute, leaf(5, 3, 3), leaf(4, 3), leaf(4, 3), leaf(2, 4), leaf(4), leaf(2), leaf(2))


def test_overlapping_looks_at_one_matrix_add_up():
    """As a GRU that takes the rows of its gates apart and also all at once."""

    def compute(inputs, weight):
        return [linear(x, rows) for x in inputs.unbind(dim=1) for rows in (weight[:4], weight[2:6], weight, weight[:4])]

    assert_as_plain(compute, leaf(5, 3, 3), leaf(6, 3))


def test_a_matrix_and_its_transpose_are_two_weights():
    def compute(inputs, weight, kept):
        steps = [(weight, weight.t()), (kept, kept.transpose(1, 2))]
        return [linear(linear(inputs, there).tanh(), back) for there, back in steps]

    assert_as_plain(compute, leaf(2, 5, 3), leaf(3, 3), leaf(2, 3, 3))


@pytest.mark.parametrize("learning_first", [True, False])
def test_a_weight_read_without_gradient_learns_where_it_is_read_with_it(learning_first):
    """As a readout does in scheduled sampling: it draws without gradient before its features are taken with it."""

    def without_gradient(inputs, weight, bias):
        with torch.no_grad():
            return linear(inputs, weight, bias)

    def compute(inputs, weight, bias):
        ways = [linear, without_gradient]
        return [way(inputs, weight, bias) for way in (ways if learning_first else reversed(ways))]

    assert_as_plain(compute, leaf(5, 3), leaf(4, 3), leaf(4))


@pytest.mark.parametrize("learning_first", [True, False])
def test_a_detached_weight_learns_nothing_and_keeps_none_from_learning(learning_first):
    def compute(inputs, weight, bias):
        reads = [(weight, bias), (weight.detach(), bias.detach())]
        return [linear(inputs, *read) for read in (reads if learning_first else reversed(reads))]

    assert_as_plain(compute, leaf(5, 3), leaf(4, 3), leaf(4))


def test_the_gradient_is_that_of_small_differences():
    def compute(inputs, keys, weight, bias):
        with products_by(GatheredProducts()):
            hidden = linear(linear(inputs, weight, bias).tanh(), weight, bias)
            return linear(hidden, keys)

    assert torch.autograd.gradcheck(compute, (leaf(2, 2, 3), leaf(2, 4, 3), leaf(3, 3), leaf(3)))


def test_going_back_twice_gives_the_gradient_twice():
    leaves = leaf(5, 2, 3), leaf(4, 3), leaf(4)
    with products_by(GatheredProducts()):
        loss = weighed([linear(x, *leaves[1:]).tanh() for x in leaves[0].unbind(dim=1)])
    loss.backward(retain_graph=True)
    once = [part.grad.clone() for part in leaves]
    loss.backward()
    assert_same([part.grad for part in leaves], [2 * gradient for gradient in once], 1e-9)


def test_two_losses_of_one_pass_have_each_their_own_gradient():
    inputs, weight = leaf(5, 2, 3), leaf(4, 3)
    gradients = []
    for way in (plain, GatheredProducts()):
        with products_by(way):
            losses = [linear(x, weight).tanh().sum() for x in inputs.unbind(dim=1)]
        gradients.append([torch.autograd.grad(loss, [inputs, weight], retain_graph=True) for loss in losses])
    assert_same(gradients[1], gradients[0], 1e-9)


def test_all_is_freed_with_the_last_reference():
    """No cycle is left for the garbage collector, which would come when it likes."""
    inputs, weight, bias = leaf(5, 3), leaf(3, 3), leaf(3)
    gc.disable()
    try:
        gathered = GatheredProducts()
        read = inputs * 2
        with products_by(gathered):
            output = linear(linear(read, weight, bias).tanh(), weight, bias)
        operands = [operand for operand, _ in gathered._met.values()]
        watched = [weakref.ref(part) for part in (gathered, read, output, *operands)]
        del operands
        output.sum().backward()
        del gathered, read, output
        assert [watch() for watch in watched] == [None] * len(watched)
    finally:
        gc.enable()


def test_nothing_is_kept_of_a_pass_that_has_gone_back():
    gathered = GatheredProducts()
    with products_by(gathered):
        loss = weighed([linear(drawn(5, 3), leaf(4, 3)) for _ in range(3)])
    loss.backward()
    assert all(
        (operand._inputs, operand._gradients, operand._sums) == ([], [], None) for operand, _ in gathered._met.values()
    )


def test_in_narrow_precision_products_are_torchs_own():
    inputs, weight = drawn(5, 3, dtype=torch.float32), leaf(4, 3, dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16), products_by(GatheredProducts()):
        output = linear(inputs, weight)
        expected = functional.linear(inputs, weight)
    assert output.dtype == torch.bfloat16
    assert torch.equal(output, expected)


@every_view
def test_in_float32_a_gathered_product_is_the_plain_one_to_its_precision(view):
    """To 1e-4: the libraries differ."""
    size, look = VIEWS[view]

    def compute(inputs, kept, bias):
        return [linear(x, look(kept), bias).tanh() for x in inputs.unbind(dim=1)]

    leaves = (leaf(*shape, dtype=torch.float32) for shape in ((6, 5, 3), size, (4,)))
    assert_as_plain(compute, *leaves, tolerance=1e-4)


def test_in_float32_a_sum_sends_back_one_number_for_all():
    """The gradient of a sum is an expanded number, which the product has to read as such; to 1e-4."""

    def compute(inputs, weight):
        return [linear(inputs, weight).sum()]

    assert_as_plain(compute, leaf(5, 3, dtype=torch.float32), leaf(4, 3, dtype=torch.float32), tolerance=1e-4)


def test_a_block_takes_its_products_in_its_way_and_then_in_the_way_before():
    def in_vain(inputs, weight, bias):
        return torch.zeros(1)

    inputs, weight = drawn(5, 3), drawn(4, 3)
    expected = functional.linear(inputs, weight)
    with products_by(in_vain):
        assert linear(inputs, weight).tolist() == [0]
        with products_by(plain):
            assert torch.equal(linear(inputs, weight), expected)
        assert linear(inputs, weight).tolist() == [0]
    assert torch.equal(linear(inputs, weight), expected)
    with pytest.raises(KeyError), products_by(in_vain):
        raise KeyError
    assert torch.equal(linear(inputs, weight), expected)


def test_a_linear_layer_takes_its_product_in_the_blocks_way():
    layer, inputs = Linear(3, 4).double(), drawn(5, 3)
    expected = functional.linear(inputs, layer.weight, layer.bias)
    assert torch.equal(layer(inputs), expected)
    with products_by(lambda *given: given):
        given = layer(inputs)
    assert all(part is own for part, own in zip(given, (inputs, layer.weight, layer.bias), strict=True))


# Whole models.


def learnt(model, way, *, truth=1.0):
    """What a model makes of a batch, its products taken in this way, and every parameter's gradient by name."""
    batch = batch_of([0, 1, 2])
    mask = batch.target.mask
    torch.manual_seed(17)
    model.zero_grad()
    with products_by(way):
        features, attention = model(batch, truth=truth)
    readout = model.readout
    loss, _ = smoothed_cross_entropy(
        features[mask], readout.weight, readout.bias, batch.target.ids[mask], smoothing=0.1
    )
    # Attention is in the loss too, as it is in training where it is not to repeat itself.
    (loss + attention.square().sum()).backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    return (features.detach(), attention.detach(), loss.detach()), gradients


def assert_learns_as_plain(model, **options):
    """Compare a model's features, attention, loss and gradients with the plain ones."""
    expected, wanted = learnt(model, plain, **options)
    actual, got = learnt(model, GatheredProducts(), **options)
    assert_same(actual, expected, 1e-9)
    assert [name for name, gradient in got.items() if gradient is None] == []
    assert_same(got, wanted, 1e-9)


@every_cell
@pytest.mark.parametrize("attention", SCORES, ids=name_of)
@pytest.mark.parametrize("decoder", DECODERS)
def test_a_model_that_attends_learns_as_by_plain_products(decoder, attention, cell):
    assert_learns_as_plain(model_of(decoder, attention=attention, rnn=cell))


@every_cell
@pytest.mark.parametrize("decoder", UNATTENDED)
def test_a_model_that_looks_at_nothing_learns_as_by_plain_products(decoder, cell):
    assert_learns_as_plain(model_of(decoder, rnn=cell))


@pytest.mark.parametrize("decoder", DECODERS)
def test_a_deep_model_of_shared_weights_learns_as_by_plain_products(decoder):
    shared = {"source_vocabulary": 13, "share_embeddings": True, "tie_readout": True}
    assert_learns_as_plain(model_of(decoder, num_layers=2, forward_layers=1, **shared))


@pytest.mark.parametrize("readout", [LinearReadout, MaxoutReadout, TanhReadout])
@pytest.mark.parametrize("decoder", [*DECODERS, *UNATTENDED])
def test_a_model_that_reads_its_own_draws_learns_as_by_plain_products(decoder, readout):
    assert_learns_as_plain(model_of(decoder, readout=readout), truth=0.5)


# Narrow products.


def rounded(numbers):
    """Numbers as bfloat16 holds them, in float64."""
    return numbers.detach().bfloat16().double()


@with_and_without_bias
def test_a_narrow_product_is_that_of_rounded_factors_and_so_are_its_gradients(biased):
    """To a rounding of the result, 2^-8; the gradient comes back after the block, as in training."""
    inputs, weight = leaf(2, 5, 3, dtype=torch.float32), leaf(4, 3, dtype=torch.float32)
    bias = leaf(4, dtype=torch.float32) if biased else None
    with narrow_products(), products_by(GatheredProducts()):
        output = linear(inputs, weight, bias)
    leaves = [inputs, weight, *([bias] if biased else [])]
    gradient = drawn(2, 5, 4, dtype=torch.float32)
    got = torch.autograd.grad(output, leaves, gradient)
    assert {part.dtype for part in (output, *got)} == {torch.float32}
    product = rounded(inputs) @ rounded(weight).t()
    wanted = [rounded(gradient) @ rounded(weight), rounded(gradient).flatten(0, 1).t() @ rounded(inputs).flatten(0, 1)]
    torch.testing.assert_close(output.double() - (bias if biased else 0), product, rtol=2**-8, atol=1e-6)
    for actual, expected in zip(got, wanted, strict=False):
        torch.testing.assert_close(actual.double(), expected, rtol=2**-8, atol=1e-6)
    if biased:
        torch.testing.assert_close(got[2].double(), rounded(gradient).sum(dim=(0, 1)))


def test_what_each_sentence_multiplies_by_and_wider_numbers_are_not_narrowed():
    for dtype, shape in ((torch.float32, (2, 4, 3)), (torch.float64, (4, 3))):
        inputs, weight = drawn(2, 5, 3, dtype=dtype), drawn(*shape, dtype=dtype)
        with products_by(GatheredProducts()):
            expected = linear(inputs, weight)
            with narrow_products():
                assert torch.equal(linear(inputs, weight), expected)


def test_products_are_narrow_in_the_block_alone_and_where_it_is_asked_for():
    inputs, weight = drawn(5, 3, dtype=torch.float32), drawn(4, 3, dtype=torch.float32)

    def product():
        with products_by(GatheredProducts()):
            return linear(inputs, weight)

    expected = product()
    with narrow_products():
        assert not torch.equal(product(), expected)
        with narrow_products(False):
            assert torch.equal(product(), expected)
        assert not torch.equal(product(), expected)
    with pytest.raises(KeyError), narrow_products():
        raise KeyError
    assert torch.equal(product(), expected)


@every_cell
@pytest.mark.parametrize("decoder", [*DECODERS, *UNATTENDED])
def test_a_model_learns_by_narrow_products_nearly_what_it_does_by_plain_ones(decoder, cell):
    """All gradients as one, to 5 % of its length; maxout would turn roundings into other units' gradients."""
    model = model_of(decoder, rnn=cell, readout=TanhReadout).float()
    (_, _, loss), wanted = learnt(model, plain)
    with narrow_products():
        (_, _, narrow_loss), got = learnt(model, GatheredProducts())
    assert {gradient.dtype for gradient in got.values()} == {torch.float32}
    assert narrow_loss.item() == pytest.approx(loss.item(), rel=0.005)
    whole, narrow = (torch.cat([part.flatten() for part in parts.values()]) for parts in (wanted, got))
    assert 0 < (narrow - whole).norm() < 0.05 * whole.norm()


@pytest.mark.parametrize(
    ("processor", "wanted"),
    [
        ({"cpu_name": "AMD EPYC", "avx512_bf16": True}, True),
        ({"cpu_name": "AMD EPYC", "avx512_bf16": False}, False),
        ({"cpu_name": "Intel Xeon", "avx512_bf16": True, "amx_bf16": False}, False),
        ({"cpu_name": "Intel Xeon", "avx512_bf16": True, "amx_bf16": True}, True),
        ({"architecture": "aarch64"}, False),
    ],
)
def test_products_are_in_bfloat16_where_the_processor_is_faster_so(monkeypatch, processor, wanted):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: processor, raising=False)
    assert multiplies_bfloat16.__wrapped__() is wanted


def test_an_older_torch_says_nothing_of_its_processor_and_has_float32(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert multiplies_bfloat16.__wrapped__() is False


# The faster library.


@pytest.mark.parametrize("weight", LAYOUTS)
@pytest.mark.parametrize("inputs", LAYOUTS)
def test_multiply_is_torchs_own_product(inputs, weight):
    """To 1e-12 in float64, and to 1e-4 in float32."""
    for rows, (dtype, tolerance) in product([1, 6, 300], {torch.float64: 1e-12, torch.float32: 1e-4}.items()):
        left, right = LAYOUTS[inputs](rows, 9, dtype), LAYOUTS[weight](7, 9, dtype)
        for bias in (None, drawn(7, dtype=dtype)):
            actual, expected = multiply(left, right, bias), functional.linear(left, right, bias)
            assert (actual.dtype, actual.shape) == (dtype, (rows, 7))
            assert_same(actual, expected, tolerance)


@pytest.mark.parametrize(
    "look",
    [lambda bias: bias[1:8], lambda bias: bias[::2], lambda bias: bias[:1].expand(7)],
    ids=["slice", "every second number", "one number for all"],
)
def test_a_bias_may_lie_in_memory_as_it_likes(look):
    """To 1e-12 in float64, and to 1e-4 in float32."""
    for dtype, tolerance in {torch.float64: 1e-12, torch.float32: 1e-4}.items():
        inputs, weight, bias = drawn(5, 9, dtype=dtype), drawn(7, 9, dtype=dtype), look(drawn(13, dtype=dtype))
        assert_same(multiply(inputs, weight, bias), functional.linear(inputs, weight, bias), tolerance)


@with_and_without_bias
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("shape", [(0, 3), (2, 0, 3), (5, 0), (2, 5, 0)], ids=str)
def test_no_rows_and_no_width_are_those_of_the_plain_product(shape, dtype, biased):
    def compute(inputs, weight, bias):
        return [linear(inputs, weight, bias)]

    leaves = leaf(*shape, dtype=dtype), leaf(4, shape[-1], dtype=dtype), leaf(4, dtype=dtype) if biased else None
    assert_as_plain(compute, *leaves)


@needs_onednn
@pytest.mark.parametrize(
    ("processor", "mkl", "dtype", "calls"),
    [
        ({"cpu_name": "AMD EPYC", "avx512_f": True}, True, torch.float32, 1),
        ({"cpu_name": "AMD EPYC", "avx512_f": True}, True, torch.float64, 0),
        ({"cpu_name": "AMD EPYC", "avx512_f": False}, True, torch.float32, 0),
        ({"cpu_name": "AMD EPYC", "avx512_f": False}, False, torch.float32, 1),
        ({"cpu_name": "Intel Xeon", "avx512_f": True}, True, torch.float32, 0),
        ({"architecture": "aarch64"}, False, torch.float32, 1),
    ],
    ids=str,
)
def test_multiply_goes_to_onednn_in_float32_unless_mkl_is_the_faster(processor, mkl, dtype, calls, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: processor, raising=False)
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: mkl)
    monkeypatch.setattr(product_module, "prefers_onednn", product_module.prefers_onednn.__wrapped__)
    seen, operation = [], torch.ops.mkldnn._linear_pointwise
    monkeypatch.setattr(torch.ops.mkldnn, "_linear_pointwise", lambda *given: (seen.append(1), operation(*given))[1])
    multiply(drawn(5, 3, dtype=dtype), drawn(4, 3, dtype=dtype))
    assert len(seen) == calls


def test_multiply_is_torchs_own_to_the_last_bit_where_onednn_is_missing(monkeypatch):
    monkeypatch.setattr(product_module, "has_onednn", lambda: False)
    monkeypatch.setattr(product_module, "prefers_onednn", product_module.prefers_onednn.__wrapped__)
    monkeypatch.setattr(torch.ops.mkldnn, "_linear_pointwise", None, raising=False)
    tensors = [drawn(*shape, dtype=torch.float32) for shape in ((5, 3), (4, 3), (4,))]
    assert torch.equal(multiply(*tensors), functional.linear(*tensors))


@pytest.mark.parametrize("error", [AttributeError, NotImplementedError, RuntimeError])
def test_onednn_is_missing_where_its_product_raises(error, monkeypatch):
    def refuse(*_):
        raise error

    monkeypatch.setattr(torch.ops.mkldnn, "_linear_pointwise", refuse, raising=False)
    assert not product_module.has_onednn.__wrapped__()


def test_onednn_is_missing_where_its_product_is_another(monkeypatch):
    wrong = lambda inputs, weight, *_: inputs @ weight.t()  # noqa: E731
    monkeypatch.setattr(torch.ops.mkldnn, "_linear_pointwise", wrong, raising=False)
    assert not product_module.has_onednn.__wrapped__()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("width", "outputs"), [(24, 9), (9, 24), (7, 7), (24, 1), (1, 24)])
def test_the_gradient_of_a_weight_is_the_sum_over_rows_whichever_factor_is_narrower(width, outputs, dtype):
    random = torch.Generator().manual_seed(0)
    inputs, gradients = (torch.randn(50, size, generator=random, dtype=dtype) for size in (width, outputs))
    expected = torch.einsum("no,ni->oi", gradients, inputs)
    torch.testing.assert_close(product_module.weight_gradient(inputs, gradients), expected)

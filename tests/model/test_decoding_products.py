"""Products of decoding: packed ones are the plain ones, those of 8 bits are off by what rounding loses and no more."""

import gc
import subprocess
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn
from torch.nn import functional

from s2s.errors import InputError
from s2s.model import decoding_products as module
from s2s.model.decoding_products import Int8Products, PackedProducts, decoding_products
from s2s.model.product import Linear, has_onednn, linear, plain, products_by

CPU = torch.device("cpu")
SHAPES = [(1, 24), (5, 24), (64, 24), (320, 24), (2, 1, 24), (3, 7, 24), (2, 3, 4, 24), (24,)]

needs_onednn = pytest.mark.skipif(not has_onednn(), reason="this torch has no oneDNN product")
with_and_without_bias = pytest.mark.parametrize("biased", [True, False], ids=["bias", "no bias"])
every_way = pytest.mark.parametrize("way", [PackedProducts, Int8Products])

pytestmark = needs_onednn


def drawn(*shape, dtype=torch.float32, seed=0):
    """Draw numbers that are the same each time for the same shape."""
    random = torch.Generator().manual_seed(sum(shape) + 1000 * seed)
    return torch.randn(shape, dtype=torch.float64, generator=random).to(dtype)


def weight_of(*shape, dtype=torch.float32):
    """Draw what a model would keep."""
    return nn.Parameter(drawn(*shape, dtype=dtype, seed=1))


def assert_plain(actual, inputs, weight, bias=None):
    """Compare with torch's own product, to 1e-5 of the greatest value."""
    expected, actual = plain(inputs, weight, bias).detach(), actual.detach()
    assert (actual.dtype, actual.shape) == (expected.dtype, expected.shape)
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-5 * float(expected.abs().max()))


def lay_outs(way, monkeypatch):
    """A list that grows by the shape of every weight that is laid out."""
    seen, lay_out = [], way.lay_out
    monkeypatch.setattr(
        way, "lay_out", lambda self, weight: (seen.append(tuple(weight.shape)), lay_out(self, weight))[1]
    )
    return seen


# Both ways.


@every_way
def test_a_weight_is_laid_out_once(way, monkeypatch):
    seen, products, weights = lay_outs(way, monkeypatch), way(), [weight_of(9, 24), weight_of(5, 24)]
    for shape in SHAPES:
        for weight in weights:
            products(drawn(*shape), weight, None)
    assert seen == [(9, 24), (5, 24)]


@every_way
@pytest.mark.parametrize(
    "change",
    [
        lambda weight: weight.copy_(drawn(9, 24, seed=5)),
        lambda weight: weight.mul_(-3),
        lambda weight: weight[4:].zero_(),
        lambda weight: weight.view(-1)[17].add_(100),
        lambda weight: Linear(24, 9, bias=False).load_state_dict({"weight": weight.fill_(0.5)}),
    ],
    ids=["copied into", "multiplied", "rows", "one number", "filled"],
)
def test_a_layout_follows_its_weight(change, way):
    inputs, weight, products = drawn(6, 24), weight_of(9, 24), way()
    before = products(inputs, weight, None)
    with torch.no_grad():
        change(weight)
    after = products(inputs, weight, None)
    assert not torch.equal(after, before)
    assert torch.equal(after, way()(inputs, nn.Parameter(weight.detach().clone()), None))


@every_way
def test_a_layout_follows_the_steps_of_an_optimiser(way):
    layer, inputs, products = Linear(24, 9), drawn(6, 24), way()
    optimiser = torch.optim.Adam(layer.parameters(), lr=0.1)
    for _ in range(3):
        with torch.inference_mode(), products_by(products):
            outputs = layer(inputs)
        with torch.inference_mode():
            assert torch.equal(outputs, way()(inputs, layer.weight, layer.bias))
        layer(inputs).square().sum().backward()
        optimiser.step()


@every_way
def test_a_layout_follows_a_state_that_is_loaded(way):
    layer, inputs, products = Linear(24, 9), drawn(6, 24), way()
    products(inputs, layer.weight, None)
    layer.load_state_dict({"weight": drawn(9, 24, seed=3), "bias": drawn(9)})
    assert torch.equal(products(inputs, layer.weight, None), way()(inputs, nn.Parameter(drawn(9, 24, seed=3)), None))


@every_way
def test_layouts_are_forgotten_with_their_weights(way):
    products, kept = way(), weight_of(9, 24)
    products(drawn(6, 24), kept, None)
    passing = weight_of(5, 24)
    products(drawn(6, 24), passing, None)
    layout = products._laid_out[id(passing)][2]
    held = weakref.ref(layout[0] if isinstance(layout, tuple) else layout)
    assert len(products._laid_out) == 2
    del passing, layout
    gc.collect()
    assert len(products._laid_out) == 1
    assert held() is None
    assert id(kept) in products._laid_out


@every_way
def test_many_weights_that_come_and_go_are_not_mistaken_for_one_another(way):
    """A new weight may lie where a freed one lay, with the same version."""
    products, inputs = way(), drawn(6, 24)
    for seed in range(30):
        weight = nn.Parameter(drawn(9, 24, seed=seed))
        assert torch.equal(products(inputs, weight, None), way()(inputs, weight, None))
        del weight


@every_way
@with_and_without_bias
def test_weights_in_float64_have_the_plain_product(biased, way):
    weight, bias = weight_of(9, 24, dtype=torch.float64), drawn(9, dtype=torch.float64) if biased else None
    products = way()
    for shape in SHAPES:
        inputs = drawn(*shape, dtype=torch.float64)
        assert torch.equal(products(inputs, weight, bias), functional.linear(inputs, weight, bias))
    assert len(products._laid_out) == 0


@every_way
@with_and_without_bias
def test_what_is_no_parameter_has_the_plain_product(biased, way):
    """Rows of a weight, and what a step has computed, are new each time."""
    kept, bias, inputs, products = weight_of(12, 24), drawn(9) if biased else None, drawn(6, 24), way()
    for weight in (kept.detach()[:9], kept[2:11], kept[:9].tanh(), weight_of(24, 9).t()):
        assert torch.equal(products(inputs, weight, bias), functional.linear(inputs, weight, bias))
    assert len(products._laid_out) == 0


@every_way
def test_what_every_sentence_has_of_its_own_has_the_plain_product(way):
    products, inputs, weight = way(), drawn(4, 5, 24), drawn(4, 7, 24)
    assert torch.equal(products(inputs, weight, None), inputs @ weight.mT)
    assert len(products._laid_out) == 0


@every_way
def test_a_parameter_made_in_inference_mode_has_its_product(way):
    """As a model's are that is loaded in such a block; torch counts no versions of them."""
    with torch.inference_mode():
        weight = weight_of(9, 24)
        actual = way()(drawn(6, 24), weight, None)
    torch.testing.assert_close(actual, plain(drawn(6, 24), weight, None), rtol=0, atol=0.5)


@every_way
@with_and_without_bias
@pytest.mark.parametrize("shape", [(0, 24), (0, 3, 24), (2, 0, 24)], ids=str)
def test_no_rows_give_no_rows(shape, biased, way):
    inputs, weight, bias = drawn(*shape), weight_of(9, 24), drawn(9) if biased else None
    assert way()(inputs, weight, bias).shape == plain(inputs, weight, bias).shape


@every_way
def test_inputs_weights_and_bias_are_left_as_they_were(way):
    inputs, weight, bias = drawn(6, 24), weight_of(9, 24), drawn(9)
    way()(inputs, weight, bias)
    for given, expected in ((inputs, drawn(6, 24)), (weight, weight_of(9, 24)), (bias, drawn(9))):
        assert torch.equal(given, expected)


@every_way
def test_inputs_may_lie_in_memory_as_they_like(way):
    """To 1e-5."""
    products, weight = way(), weight_of(9, 24)
    looks = (drawn(24, 6).t(), drawn(6, 50)[:, 1:25], drawn(6, 48)[:, ::2], drawn(1, 24).expand(6, 24))
    for look in (*looks, drawn(4, 6, 24).transpose(0, 1)):
        expected = products(look.contiguous(), weight, None)
        torch.testing.assert_close(products(look, weight, None), expected, rtol=0, atol=1e-5)


@every_way
def test_a_weight_may_lie_in_memory_as_it_likes(way):
    """To 1e-5."""
    inputs = drawn(6, 24)
    for look in (drawn(24, 9).t(), drawn(9, 50)[:, 1:25], drawn(18, 24)[::2]):
        expected = way()(inputs, nn.Parameter(look.contiguous()), None)
        torch.testing.assert_close(way()(inputs, nn.Parameter(look), None), expected, rtol=0, atol=1e-5)


@every_way
def test_two_threads_may_share_the_products(way):
    """Each lays out and reads at its own time; what comes is the same."""
    products, inputs = way(), drawn(6, 24)
    weights = [nn.Parameter(drawn(9, 24, seed=seed)) for seed in range(40)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda weight: products(inputs, weight, None), weights * 4))
    for output, weight in zip(found, weights * 4, strict=True):
        assert torch.equal(output, way()(inputs, weight, None))


# Packed products.


@with_and_without_bias
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_packed_product_is_the_plain_one(shape, biased):
    products, inputs = PackedProducts(), drawn(*shape)
    for outputs in (1, 9, 64, 100, 513, 2048):
        weight, bias = weight_of(outputs, 24), drawn(outputs) if biased else None
        for _ in range(2):
            assert_plain(products(inputs, weight, bias), inputs, weight, bias)


@pytest.mark.parametrize("width", [1, 2, 31, 300])
def test_a_packed_product_of_any_width_is_the_plain_one(width):
    inputs, weight = drawn(7, width), weight_of(10, width)
    assert_plain(PackedProducts()(inputs, weight, None), inputs, weight)


def test_one_row_has_a_layout_of_its_own_made_once_and_forgotten_with_its_weight(monkeypatch):
    monkeypatch.setattr("s2s.model.decoding_products.prefers_onednn", lambda: False)
    products, weight, inputs = PackedProducts(), weight_of(2048, 24), drawn(1, 24)
    of_one_row = products._of_one_row
    seen = lay_outs(type(of_one_row), monkeypatch)
    for rows in (drawn(24), inputs, drawn(1, 1, 24), drawn(6, 24)):
        assert_plain(products(rows, weight, None), rows, weight)
    assert seen == [(2048, 24)]
    with torch.no_grad():
        weight.mul_(-2)
    assert_plain(products(inputs, weight, None), inputs, weight)
    assert len(seen) == 2
    del weight
    gc.collect()
    assert of_one_row._laid_out == {}


def test_one_row_reads_a_small_weight_as_it_is(monkeypatch):
    monkeypatch.setattr("s2s.model.decoding_products.prefers_onednn", lambda: False)
    seen, weight, inputs = lay_outs(PackedProducts, monkeypatch), weight_of(100, 24), drawn(1, 24)
    products = PackedProducts()
    assert torch.equal(products(inputs, weight, None), plain(inputs, weight, None))
    assert (seen, products._of_one_row._laid_out) == ([], {})


def test_one_row_reads_the_packed_weight_where_onednn_is_the_faster_library(monkeypatch):
    monkeypatch.setattr("s2s.model.decoding_products.prefers_onednn", lambda: True)
    seen, weight, inputs = lay_outs(PackedProducts, monkeypatch), weight_of(2048, 24), drawn(1, 24)
    products = PackedProducts()
    assert_plain(products(inputs, weight, None), inputs, weight)
    assert (seen, products._of_one_row._laid_out) == ([(2048, 24)], {})


def test_a_linear_layer_in_a_block_reads_the_packed_weight(monkeypatch):
    seen, layer, inputs = lay_outs(PackedProducts, monkeypatch), Linear(24, 9), drawn(2, 3, 24)
    with torch.inference_mode(), products_by(PackedProducts()):
        outputs = layer(inputs)
        assert_plain(linear(inputs, layer.weight), inputs, layer.weight)
    assert_plain(outputs, inputs, layer.weight, layer.bias)
    assert seen == [(9, 24)]


# Products of 8 bits.


def rounding(inputs, weight):
    """The most that rounding may lose, (N, O), in float64.

    Whole numbers are a step apart, ``s = r / 127`` of inputs and ``r / 63`` of weights, r a row's greatest absolute
    value. So each factor is off by at most half a step, ``x = x' + d`` with ``|d| <= s/2``, and a sum of products by at
    most ``Σ_i |x_i| s_w/2 + |w_i| s_x/2 + s_x s_w/4``.
    """
    x, w = inputs.double().abs(), weight.detach().double().abs()
    step_x, step_w = x.amax(dim=1, keepdim=True) / 127, w.amax(dim=1) / 63
    of_factors = x.sum(dim=1, keepdim=True) * step_w / 2 + w.sum(dim=1) * step_x / 2
    return of_factors + x.shape[1] * step_x * step_w / 4


def assert_rounded(inputs, weight, bias=None):
    """Compare with the product in float64: off by what rounding may lose, and 1e-5 of the terms for float32."""
    actual = Int8Products()(inputs, weight, bias).double()
    x, w = inputs.double(), weight.detach().double()
    b = torch.zeros(len(w)).double() if bias is None else bias.double()
    allowed = rounding(inputs, weight) + 1e-5 * (x.abs() @ w.abs().t() + b.abs())
    assert actual.isfinite().all()
    assert ((actual - (x @ w.t() + b)).abs() <= allowed).all()


@with_and_without_bias
@pytest.mark.parametrize("rows", [1, 5, 64, 320])
@pytest.mark.parametrize("width", [1, 3, 64, 300, 1000])
def test_a_product_of_8_bits_is_off_by_what_rounding_loses(width, rows, biased):
    assert_rounded(drawn(rows, width), weight_of(50, width), drawn(50) if biased else None)


@pytest.mark.parametrize("value", [1.0, -1.0])
@pytest.mark.parametrize("width", [1, 2, 64, 4096])
def test_the_greatest_whole_numbers_are_summed_without_overflow(width, value):
    """All factors at an end of their range have no rounding, so the product is right to float32: 1e-5 of it."""
    inputs, weight = torch.full((5, width), value), nn.Parameter(torch.ones(20, width))
    weight.data[::2] = -1
    assert_plain(Int8Products()(inputs, weight, None), inputs, weight)


def test_whole_numbers_are_multiplied_exactly():
    """With 127 in each row of inputs, 63 of weights, a step is 1; to 1e-6 of the greatest, as scales are float32."""
    random = torch.Generator().manual_seed(0)
    inputs = torch.randint(-127, 128, (30, 90), generator=random).float()
    weight = torch.randint(-63, 64, (40, 90), generator=random).float()
    inputs[:, 0], weight[:, 5] = 127, 63
    actual, expected = Int8Products()(inputs, nn.Parameter(weight), None), inputs.double() @ weight.double().t()
    torch.testing.assert_close(actual.double(), expected, rtol=0, atol=1e-6 * float(expected.abs().max()))


def test_every_row_of_inputs_and_weight_has_a_scale_of_its_own():
    """Rows of 1e-6 beside rows of 1e6, whose rounding is bounded by their own greatest values."""
    sizes = torch.tensor([1e-6, 1.0, 1e6]).repeat(4)[:, None]
    assert_rounded(drawn(12, 40) * sizes, nn.Parameter(drawn(12, 40, seed=1) * sizes.roll(1, dims=0)))


@pytest.mark.parametrize("of_weight", [1e-15, 1e-3, 1.0, 1e3, 1e15])
@pytest.mark.parametrize("of_inputs", [1e-15, 1e-3, 1.0, 1e3, 1e15])
def test_huge_and_tiny_values_keep_their_precision(of_inputs, of_weight):
    assert_rounded(of_inputs * drawn(8, 40), nn.Parameter(of_weight * drawn(20, 40, seed=1)))


def test_values_next_to_nothing_give_next_to_nothing():
    """Below 1e-30 inputs are nothing; below 1e-38 weights are."""
    for inputs, weight in ((1e-36 * drawn(8, 40), drawn(20, 40)), (drawn(8, 40), 1e-42 * drawn(20, 40))):
        actual = Int8Products()(inputs, nn.Parameter(weight), None)
        assert actual.isfinite().all()
        assert actual.abs().max() <= 1e-28


@with_and_without_bias
def test_a_row_of_zeros_gives_the_bias(biased):
    inputs, bias = drawn(6, 24), drawn(9) if biased else None
    inputs[[0, 3]] = 0
    actual = Int8Products()(inputs, weight_of(9, 24), bias)
    expected = torch.zeros(9) if bias is None else bias
    assert torch.equal(actual[[0, 3]], expected.expand(2, 9))
    assert_rounded(inputs, weight_of(9, 24), bias)


@with_and_without_bias
def test_a_weights_row_of_zeros_gives_the_bias(biased):
    weight, bias = weight_of(9, 24), drawn(9) if biased else None
    with torch.no_grad():
        weight[[2, 8]] = 0
    actual = Int8Products()(drawn(6, 24), weight, bias)
    expected = torch.zeros(9) if bias is None else bias
    assert torch.equal(actual[:, [2, 8]], expected[[2, 8]].expand(6, 2))
    assert_rounded(drawn(6, 24), weight, bias)


@with_and_without_bias
@pytest.mark.parametrize(("width", "outputs"), [(24, 9), (300, 50), (256, 1000), (1, 1)])
def test_a_rows_result_does_not_depend_on_the_other_rows(width, outputs, biased):
    """To the last bit, in batches of 1, 5, 64 and 320, and beside rows a million times as great."""
    products, inputs, weight = Int8Products(), drawn(320, width), weight_of(outputs, width)
    bias = drawn(outputs) if biased else None
    together = products(inputs, weight, bias)
    for size in (1, 5, 64):
        parts = [products(part, weight, bias) for part in inputs.split(size)]
        assert torch.equal(torch.cat(parts), together)
    greater = inputs.clone()
    greater[1::2] *= 1e6
    assert torch.equal(products(greater, weight, bias)[::2], together[::2])
    shuffled = torch.randperm(320, generator=torch.Generator().manual_seed(0))
    assert torch.equal(products(inputs[shuffled], weight, bias), together[shuffled])
    assert torch.equal(products(inputs.view(4, 80, width), weight, bias), together.view(4, 80, outputs))


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_rows_that_are_no_numbers_do_not_pass_for_numbers(value):
    """And the rows beside them are what they were."""
    inputs, weight = drawn(6, 24), weight_of(9, 24)
    expected = Int8Products()(inputs, weight, None)
    inputs[2, 7] = value
    actual = Int8Products()(inputs, weight, None)
    assert not actual[2].isfinite().any()
    others = [0, 1, 3, 4, 5]
    assert torch.equal(actual[others], expected[others])


@pytest.mark.parametrize("instructions", ["DEFAULT", "AVX2"])
def test_products_of_8_bits_are_right_or_refused_on_processors_without_instructions_for_them(instructions, environment):
    """oneDNN without VNNI sums pairs of products in 16 bits, which 2 · 255 · 63 fits and 2 · 255 · 127 does not.

    One row is multiplied with the weight as it stands, and 7,000 with its blocks.
    """
    program = (
        "import torch; from s2s.errors import InputError; from s2s.model.decoding_products import decoding_products\n"
        "try: product = decoding_products(torch.device('cpu'), 'int8')\n"
        "except InputError: print('refused')\n"
        "else:\n"
        "    weight = torch.nn.Parameter(torch.ones(1, 64))\n"
        "    print({product(torch.ones(rows, 64), weight, None).round().unique().item() for rows in (1, 7000)})\n"
    )
    given = {**environment, "ONEDNN_MAX_CPU_ISA": instructions}
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=given)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.strip() in ("{64.0}", "refused")


def test_exact_weights_have_the_packed_product_and_others_that_of_8_bits():
    inputs, exact, rounded = drawn(2, 3, 24), weight_of(9, 24), weight_of(10, 24)
    products = decoding_products(CPU, "int8", exact=[exact])
    assert torch.equal(products(inputs, exact, drawn(9)), PackedProducts()(inputs, exact, drawn(9)))
    assert torch.equal(products(inputs, rounded, None), Int8Products()(inputs, rounded, None))


# The choice.


def test_float32_is_packed_on_a_cpu_and_plain_elsewhere():
    assert isinstance(decoding_products(CPU, "float32"), PackedProducts)
    assert decoding_products(torch.device("cuda"), "float32") is plain
    assert isinstance(decoding_products(CPU, "int8"), Int8Products)


def test_every_model_has_layouts_of_its_own():
    assert decoding_products(CPU, "float32") is not decoding_products(CPU, "float32")


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_an_unknown_precision_is_refused(device):
    with pytest.raises(InputError, match=r"^precision=int4 is unknown; expected float32 or int8$"):
        decoding_products(torch.device(device), "int4")


@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_8_bits_on_a_gpu_are_refused(device):
    message = f"^precision=int8 needs a CPU and a torch with oneDNN, got {device}; use precision=float32$"
    with pytest.raises(InputError, match=message):
        decoding_products(torch.device(device), "int8")


def test_8_bits_without_onednn_are_refused(monkeypatch):
    monkeypatch.setattr(module, "has_onednn", lambda: False)
    message = "^precision=int8 needs a CPU and a torch with oneDNN, got cpu; use precision=float32$"
    with pytest.raises(InputError, match=message):
        decoding_products(CPU, "int8")


def test_packed_products_without_onednn_are_plain_to_the_last_bit(monkeypatch):
    monkeypatch.setattr(module, "has_onednn", lambda: False)
    monkeypatch.setattr(PackedProducts, "lay_out", None)
    inputs, weight, bias = drawn(6, 24), weight_of(9, 24), drawn(9)
    assert torch.equal(decoding_products(CPU, "float32")(inputs, weight, bias), functional.linear(inputs, weight, bias))

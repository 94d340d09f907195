"""Products with weights, where nearly all the time goes: one function, and the ways to take them.

Whatever a step multiplies with a weight goes through ``linear``, which is torch's own unless a block says otherwise::

    with products_by(GatheredProducts()):
        features, attention = model(batch)

So a model is written once, without a thought of how its products are taken.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

__all__ = [
    "GatheredProducts",
    "Linear",
    "Product",
    "factor",
    "has_onednn",
    "linear",
    "multiplies_bfloat16",
    "multiply",
    "narrow_products",
    "onednn",
    "plain",
    "prefers_onednn",
    "products_by",
    "training_products",
    "weight_gradient",
]

GATHERED_ROWS = 1024  # enough for a product at full speed, and few enough to stay in the processor's cache

Product = Callable[[Tensor, Tensor, Tensor | None], Tensor]
"""``inputs @ weight.T + bias``: (…, I), (O, I), (O,) or None -> (…, O); or of every sentence, (B, Q, I), (B, O, I)."""


def plain(inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """The product as torch takes it."""
    if weight.dim() == 2:
        return functional.linear(inputs, weight, bias)
    return inputs @ weight.transpose(1, 2)


_taken_by: ContextVar[Product] = ContextVar("product", default=plain)
_narrow: ContextVar[bool] = ContextVar("narrow", default=False)


def linear(inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Multiply with a weight, ``inputs @ weight.T + bias``.

    Args:
        inputs: (…, I).
        weight: (O, I); or one of every sentence, (B, O, I), for inputs (B, Q, I).
        bias: (O,), for a weight that all sentences share.

    Returns:
        (…, O).
    """
    # What is compiled or exported is the product itself: a graph has no context.
    return (plain if torch.compiler.is_compiling() else _taken_by.get())(inputs, weight, bias)


class Linear(nn.Linear):
    """A linear layer whose product is taken by ``linear``.

    Its weights keep the size of what passes through, in either direction (Glorot & Bengio 2010, eq. 16); those that
    torch begins with shrink it by a root of 3, and a model takes several times as long to find what to look at.
    """

    def reset_parameters(self) -> None:
        """Draw the weights; the bias begins at 0."""
        nn.init.xavier_uniform_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """(…, I) -> (…, O)."""
        return linear(inputs, self.weight, self.bias)


@contextmanager
def products_by(product: Product) -> Iterator[None]:
    """Take the products of a block in this way."""
    before = _taken_by.set(product)
    try:
        yield
    finally:
        _taken_by.reset(before)


@contextmanager
def narrow_products(narrow: bool = True) -> Iterator[None]:
    """Take the products of a training step on a CPU in bfloat16, summed in float32, where ``narrow`` says so.

    Both factors are rounded to 8 bits, and so is their product (Kalamkar et al. 2019); in going back the factors are
    gradients. All else stays as it is, and so does what each sentence multiplies by alone, its keys and values.
    """
    before = _narrow.set(narrow)
    try:
        yield
    finally:
        _narrow.reset(before)


@cache
def multiplies_bfloat16() -> bool:
    """Whether products in bfloat16 take half the time of float32 on this processor.

    They do in AMX's tiles and by AMD's AVX512-BF16. Intel's AVX512-BF16 alone takes half as long again as float32.
    """
    return _processor_has("amx_bf16") or _processor_has("avx512_bf16", maker="AMD")


def _processor_has(instructions: str, *, maker: str = "") -> bool:
    """Whether the processor has them and is of this maker; an older torch says no of all."""
    processor: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return str(processor.get("cpu_name")).startswith(maker) and bool(processor.get(instructions))


def factor(weight: Tensor) -> Tensor:
    """A weight as products read it, without its gradient: (O, I) -> (O, I), in bfloat16 among narrow products."""
    weight = weight.detach()
    return weight.bfloat16() if _narrow.get() and weight.dtype == torch.float32 else weight


def training_products(device: torch.device) -> Product:
    """The way to take the products of a training step on a device; of one step, as it keeps what it met."""
    return GatheredProducts() if device.type == "cpu" else plain


class GatheredProducts:
    """Products whose weight gradients are taken at once, when the last position's gradient has come back.

    A weight W that T positions read, ``y_t = W x_t``, has the gradient ``Σ_t g_t x_tᵀ``, g_t being that of y_t. Taken
    term by term, as autograd does, each of the T terms is a thin product and a sum over all of W. Here the g_t and x_t
    are kept, and the sum is one product of all of them. So it is with what every sentence has of its own and all its
    positions multiply by: the keys and the values of attention.

    Each object serves one forward pass; it holds the weights that it has met.
    """

    def __init__(self) -> None:
        self._met: dict[tuple[Any, ...], tuple[_Operand, Tensor]] = {}

    def __call__(self, inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """As ``linear``."""
        if torch.is_autocast_enabled(inputs.device.type):
            return plain(inputs, weight, bias)
        learns = torch.is_grad_enabled() and (weight.requires_grad, bias is not None and bias.requires_grad)
        key = (weight.data_ptr(), weight.shape, weight.stride(), None if bias is None else bias.data_ptr(), learns)
        if key not in self._met:
            operand = _Operand(weight, bias)
            self._met[key] = operand, _Gather.apply(operand, weight, bias)  # type: ignore[no-untyped-call]
        product: Tensor = _Product.apply(inputs, *self._met[key])  # type: ignore[no-untyped-call]
        return product


class _Operand:
    """A weight and its bias, and their gradients as the gradients of the products with them come in."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self.weight = factor(weight) if weight.dim() == 2 else weight.detach()
        self.bias = None if bias is None else bias.detach()
        self._inputs: list[Tensor] = []
        self._gradients: list[Tensor] = []
        self._sums: tuple[Tensor, Tensor | None] | None = None

    def add(self, inputs: Tensor, gradient: Tensor) -> None:
        """Keep the two factors of a term: (N, I), (N, O), or (B, Q, I), (B, Q, O); sum where there are many rows."""
        self._inputs.append(inputs)
        self._gradients.append(gradient)
        if self.weight.dim() == 2 and sum(map(len, self._inputs)) >= GATHERED_ROWS:
            self._sum()

    def take(self) -> tuple[Tensor | None, Tensor | None]:
        """The gradients of weight and bias; they begin anew."""
        if self._inputs:
            self._sum()
        sums, self._sums = self._sums, None
        return sums or (None, None)

    def _sum(self) -> None:
        """Take the product of all factors that are kept, and forget them."""
        inputs, gradients = _joined(self._inputs), _joined(self._gradients)
        self._inputs, self._gradients = [], []
        of_bias = None if self.bias is None else gradients.sum(dim=0, dtype=self.bias.dtype)
        of_weight = weight_gradient(inputs, gradients)
        if self._sums is None:
            self._sums = of_weight, of_bias
        else:
            self._sums[0].add_(of_weight)
            if of_bias is not None and self._sums[1] is not None:
                self._sums[1].add_(of_bias)


def _joined(parts: list[Tensor]) -> Tensor:
    """All positions' rows: (N, D) each -> (T·N, D), or (B, Q, D) each -> (B, T·Q, D)."""
    return torch.cat(parts, dim=-2) if len(parts) > 1 else parts[0]


class _Gather(torch.autograd.Function):
    """From weight and bias to a ticket, and from all that came in to their gradients.

    The ticket is an empty tensor that every product reads: it makes autograd wait for all of them before it asks for
    the gradient of the weight.
    """

    @staticmethod
    def forward(ctx: Any, operand: _Operand, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.operand = operand
        ctx.set_materialize_grads(False)
        return weight.new_empty(0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *_: Tensor | None) -> tuple[Tensor | None, ...]:
        return None, *ctx.operand.take()


class _Product(torch.autograd.Function):
    """``y = x Wᵀ + b``, whose gradient of x is ``g W``; that of W and b is left to the operand."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, operand: _Operand, ticket: Tensor) -> Tensor:
        weight = operand.weight
        rows = inputs if weight.dim() == 3 else inputs.reshape(inputs.shape[:-1].numel(), inputs.shape[-1])
        rows = rows.to(weight.dtype)
        ctx.operand = operand
        ctx.save_for_backward(rows)
        if weight.dim() == 3:
            return rows @ weight.transpose(1, 2)
        return multiply(rows, weight, operand.bias).view(*inputs.shape[:-1], len(weight))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, None, None]:
        operand, (rows,) = ctx.operand, ctx.saved_tensors
        shape, weight = gradient.shape, operand.weight
        gradient = gradient.to(weight.dtype)
        if weight.dim() == 2:
            gradient = gradient.reshape(shape[:-1].numel(), shape[-1])
        if ctx.needs_input_grad[2]:
            operand.add(rows, gradient)
        if not ctx.needs_input_grad[0]:
            return None, None, None
        if weight.dim() == 3:
            return gradient @ weight, None, None
        return multiply(gradient, weight.t()).view(*shape[:-1], weight.shape[1]), None, None


def multiply(inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``inputs @ weight.T + bias`` without a gradient, by the faster library: (N, I), (O, I), (O,) -> (N, O).

    torch takes float32 products on a CPU by MKL and gives oneDNN's to compiled models alone.

    A weight in bfloat16 has the inputs rounded to it, and the product comes in float32.
    """
    if weight.dtype == torch.bfloat16:
        product = functional.linear(inputs.bfloat16(), weight).float()
        return product if bias is None else product.add_(bias)
    if inputs.dtype == torch.float32 and inputs.device.type == "cpu" and inputs.numel() and prefers_onednn():
        return onednn(inputs, weight, bias)
    return functional.linear(inputs, weight, bias)


def weight_gradient(inputs: Tensor, gradients: Tensor) -> Tensor:
    """The gradient of W from those of the products with it, ``Σ_n g_n x_nᵀ``: x (N, I), g (N, O) -> (O, I).

    Of every sentence's own: (B, N, I), (B, N, O) -> (B, O, I). In float32 oneDNN copies its first operand where that is
    turned round, so there the narrower one comes first. Of both in bfloat16 it is in float32.
    """
    if inputs.dim() == 3:
        return gradients.transpose(1, 2) @ inputs
    if inputs.dtype == torch.float32 and prefers_onednn() and gradients.shape[1] > inputs.shape[1]:
        return multiply(inputs.t(), gradients.t()).t()
    return multiply(gradients.t(), inputs.t())


def onednn(inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """The product by torch's private operation."""
    if bias is not None:
        bias = bias.contiguous()  # the operation reads it as if it were
    product: Tensor = torch.ops.mkldnn._linear_pointwise(inputs, weight, bias, "none", [], "")
    return product


@cache
def prefers_onednn() -> bool:
    """Whether large float32 products on this processor are faster by oneDNN than by torch's own.

    MKL uses half of what an AMD processor with AVX-512 can do. With AVX2 alone it is faster by a fifth, and on Intel's
    by a quarter.
    """
    has_mkl: bool = torch.backends.mkl.is_available()  # type: ignore[no-untyped-call]
    return has_onednn() and (_processor_has("avx512_f", maker="AMD") or not has_mkl)


@cache
def has_onednn() -> bool:
    """Whether torch's private oneDNN product is there and right, which is checked once."""
    inputs, weight, bias = torch.arange(6.0).view(2, 3), torch.arange(12.0).view(3, 4).t(), torch.ones(4)
    try:
        product = onednn(inputs, weight, bias)
    except (AttributeError, NotImplementedError, RuntimeError):
        return False
    return torch.equal(product, inputs @ weight.t() + bias)

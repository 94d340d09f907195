"""Products with the weights of a trained model, which are laid out for them once.

Made by ``decoding_products`` and put to use by ``product.products_by``.
"""

import weakref
from abc import ABC, abstractmethod
from collections.abc import Iterable
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from s2s.errors import InputError
from s2s.model.product import Product, has_onednn, onednn, plain, prefers_onednn

__all__ = ["Int8Products", "PackedProducts", "decoding_products"]

ROWS_TO_PACK_FOR = 64
OUTPUTS_TO_TURN_FOR = 2000
SUMS_WITHOUT_BLOCKS = 6000  # so few are those of a sentence that is translated alone


def decoding_products(device: torch.device, precision: str, *, exact: Iterable[nn.Parameter] = ()) -> Product:
    """The way to take the products of a trained model on a device.

    Args:
        device: where to compute.
        precision: ``float32``, or ``int8`` for weights and inputs of 8 bits, on a CPU.
        exact: weights that stay in float32 all the same.

    Raises:
        InputError: a precision that is unknown, or that the device has not got.
    """
    if precision not in ("float32", "int8"):
        raise InputError(f"precision={precision} is unknown; expected float32 or int8")
    if precision == "float32":
        return PackedProducts() if device.type == "cpu" else plain
    if device.type != "cpu" or not has_onednn():
        raise InputError(f"precision=int8 needs a CPU and a torch with oneDNN, got {device}; use precision=float32")
    return Int8Products(exact)


class _LaidOutProducts(ABC):
    """Products, without gradients, with parameters that are laid out for them once, and again when they change."""

    def __init__(self) -> None:
        self._laid_out: dict[int, tuple[weakref.ref[Tensor], int, Any]] = {}

    def __call__(self, inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """As ``linear``."""
        layout = self._layout(weight) if inputs.dtype == torch.float32 and inputs.numel() else None
        if layout is None:
            return plain(inputs, weight, bias)
        if inputs.dim() == 2:
            return self.product(inputs, layout, bias)
        return self.product(inputs.reshape(-1, inputs.shape[-1]), layout, bias).view(*inputs.shape[:-1], len(weight))

    def _layout(self, weight: Tensor) -> Any:
        """The weight as it is laid out, for as long as it lives and does not change; None for what is no parameter."""
        place, version = id(weight), 0 if weight.is_inference() else weight._version
        known = self._laid_out.get(place)
        if known is not None and known[0]() is weight and known[1] == version:
            return known[2]
        if not isinstance(weight, nn.Parameter) or not has_onednn():
            return None
        layout = self.lay_out(weight)
        self._laid_out[place] = weakref.ref(weight, lambda _: self._laid_out.pop(place, None)), version, layout
        return layout

    @abstractmethod
    def lay_out(self, weight: Tensor) -> Any:
        """Make of a weight (O, I) what ``product`` reads."""

    @abstractmethod
    def product(self, inputs: Tensor, layout: Any, bias: Tensor | None) -> Tensor:
        """Multiply: (N, I) -> (N, O)."""


class PackedProducts(_LaidOutProducts):
    """Products with weights in the order of blocks in which oneDNN reads them, which it otherwise makes each time.

    A product of one row, of a sentence that is translated alone, reads each number of the weight once, and how fast it
    is depends on the order of reading. So where oneDNN is not the faster library, a large weight has another layout for
    it, and a small one none.
    """

    def __init__(self) -> None:
        super().__init__()
        self._of_one_row = _TurnedProducts()

    def __call__(self, inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """As ``linear``."""
        if inputs.shape[:-1].numel() == 1 and not prefers_onednn():
            return (plain if len(weight) < OUTPUTS_TO_TURN_FOR else self._of_one_row)(inputs, weight, bias)
        return super().__call__(inputs, weight, bias)

    def lay_out(self, weight: Tensor) -> Tensor:
        """The weight in blocks."""
        return _packed(weight)

    def product(self, inputs: Tensor, layout: Tensor, bias: Tensor | None) -> Tensor:
        """The product that ``multiply`` takes."""
        return onednn(inputs, layout, bias)


class _TurnedProducts(_LaidOutProducts):
    """Products with weights turned round, so that what one input adds to all outputs stands side by side."""

    def lay_out(self, weight: Tensor) -> Tensor:
        """The weight column by column."""
        return weight.detach().t().contiguous()

    def product(self, inputs: Tensor, layout: Tensor, bias: Tensor | None) -> Tensor:
        """The product by torch's own library."""
        return functional.linear(inputs, layout.t(), bias)


class Int8Products(_LaidOutProducts):
    """Products of small whole numbers: each row of the weight and each row of the inputs has a scale of its own.

    ``x ≈ r q / 127`` with r the greatest absolute value of the row and q whole numbers from -127 to 127, and so for the
    weight with 63. The products are summed exactly, also by processors that sum pairs of them in 16 bits; what is lost
    is the rounding to q. A row's result does not depend on the other rows.

    Args:
        exact: weights whose products are taken in float32.
    """

    def __init__(self, exact: Iterable[nn.Parameter] = ()) -> None:
        super().__init__()
        self._exact = {id(weight) for weight in exact}

    def lay_out(self, weight: Tensor) -> "Tensor | _WholeNumbers":
        """Whole numbers and their scales; an exact weight in blocks."""
        return _packed(weight) if id(weight) in self._exact else _WholeNumbers(weight.detach())

    def product(self, inputs: Tensor, layout: "Tensor | _WholeNumbers", bias: Tensor | None) -> Tensor:
        """Round, multiply, and scale back."""
        if isinstance(layout, Tensor):
            return onednn(inputs, layout, bias)
        step = inputs.abs().amax(dim=1, keepdim=True).clamp_(min=1e-30).div_(127)
        product = layout.sums((inputs / step).round_().to(torch.int8)).mul_(layout.step)
        return product.mul_(step) if bias is None else torch.addcmul(bias, product, step, out=product)


class _WholeNumbers:
    """A weight (O, I) in whole numbers from -63 to 63, of ``step`` (O,) each."""

    def __init__(self, weight: Tensor) -> None:
        self.step = weight.abs().amax(dim=1).clamp(min=torch.finfo(weight.dtype).tiny) / 63
        self.whole = (weight / self.step[:, None]).round_().to(torch.int8).contiguous()

    def sums(self, inputs: Tensor) -> Tensor:
        """Multiply with inputs (N, I) in whole numbers -> (N, O), the same by either way.

        A few sums are taken with the weight as it stands, which spares a shortlist of one sentence the layout. For more
        it lies in blocks, and for those oneDNN wants inputs from 0 up, so 128 stands for zero. What that adds to every
        output is known beforehand, and taken off as if it were a bias; told of a zero, oneDNN would sum the weight up
        each time.
        """
        if len(inputs) * len(self.whole) <= SUMS_WITHOUT_BLOCKS and inputs.shape[1] > 1:  # torch errs with a width of 1
            return torch._int_mm(inputs, self.whole.t()).to(torch.float32)
        blocks, ones, zeros, offset = self._blocks
        from_zero = inputs.view(torch.uint8) ^ 128  # turns the sign, and so adds 128
        sums: Tensor = torch.ops.onednn.qlinear_pointwise(
            from_zero, 1.0, 0, blocks, ones, zeros, offset, 1.0, 0, torch.float32, "none", [], ""
        )
        return sums

    @cached_property
    def _blocks(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The weight in the order in which oneDNN reads it, scales of 1, zeros of 0, and what takes the 128s off."""
        blocks = torch.ops.onednn.qlinear_prepack(self.whole, [ROWS_TO_PACK_FOR, self.whole.shape[1]])
        offset = -128.0 * self.whole.sum(dim=1)
        return blocks, torch.ones_like(offset), torch.zeros_like(offset, dtype=torch.int64), offset


def _packed(weight: Tensor) -> Tensor:
    """A weight in the blocks in which oneDNN reads it."""
    packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight.detach().contiguous(), ROWS_TO_PACK_FOR)
    return packed

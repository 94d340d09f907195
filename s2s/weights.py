"""Files of weights: written whole with a checksum, and compared with a model before memory is taken for either."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from s2s.errors import InputError
from s2s.memory import machine_memory
from s2s.storage import write_whole

__all__ = ["check_memory", "check_weights", "read_weights", "write_weights"]

CHECKSUM = "sha256"  # its name among the file's own notes
SCALE = "#scale"  # follows the name of a matrix of whole numbers in that of what its rows are multiplied with
PRECISIONS = ("float32", "float16", "int8")
MOST_HEADER = 1 << 20
FLOAT_BYTES = 4

Kind = tuple[str, tuple[int, ...]]


def check_memory(model: nn.Module) -> None:
    """Raise an InputError for a model, on any device, whose weights alone are more than the machine has room for."""
    wanted, there = FLOAT_BYTES * sum(weight.numel() for weight in model.parameters()), machine_memory()
    if there is not None and wanted > there:
        raise InputError(
            f"the model's weights would take {wanted / 1e9:,.0f} GB, and this machine has {there / 1e9:,.0f} GB; give "
            "smaller sizes, such as model.hidden_size, or fewer layers"
        )


def write_weights(path: Path, model: nn.Module, *, precision: str = "float32") -> None:
    """Write the weights of a model with their checksum, whole or not at all.

    Args:
        path: the file.
        model: any.
        precision: ``float32``; ``float16``, half as large; or ``int8``, a quarter: every row of a matrix as whole
            numbers from -127 to 127 times a scale of its own, and what is no matrix as ``float16``.

    Raises:
        InputError: another precision.
    """
    if precision not in PRECISIONS:
        raise InputError(f"precision={precision} is unknown; expected {', '.join(PRECISIONS)}")
    weights: dict[str, Tensor] = {}
    for name, weight in _named_once(model).items():
        if precision == "int8" and weight.dim() == 2:
            scale = (weight.abs().amax(dim=1) / 127).clamp(min=torch.finfo(weight.dtype).tiny)
            weights[name] = (weight / scale[:, None]).round().to(torch.int8)
            weights[name + SCALE] = scale
        else:
            weights[name] = weight if precision == "float32" else weight.half()
    write_whole(path, save(weights, {CHECKSUM: _checksum(weights)}))


def read_weights(path: Path, model: nn.Module) -> None:
    """Give a model the weights of a file.

    Raises:
        InputError: the file is damaged, or of another model.
    """
    check_weights(path, model)
    weights = load_file(path)
    with safe_open(path, framework="pt") as file:
        written = (file.metadata() or {}).get(CHECKSUM)
    if written is not None and written != (found := _checksum(weights)):
        raise InputError(
            f"{path} is damaged: its weights have the checksum {found}, and had {written:.40} when they were written; "
            "copy it again"
        )
    scales = {name: weights.pop(name) for name in list(weights) if name.endswith(SCALE)}
    for name, scale in scales.items():
        whole = name.removesuffix(SCALE)
        weights[whole] = weights[whole] * scale[:, None]
    model.load_state_dict(weights, strict=False)  # of a weight with two names one is there


def _named_once(model: nn.Module) -> dict[str, Tensor]:
    """A model's weights by name; one that is shared stands under the first of its names, so equal models are equal."""
    state = model.state_dict()
    names = {tensor.data_ptr() or name: name for name, tensor in sorted(state.items(), reverse=True)}
    return {name: state[name] for name in sorted(names.values())}


def _checksum(weights: Mapping[str, Tensor]) -> str:
    """Sixteen hexadecimal digits of SHA-256 over names and values."""
    digest = hashlib.sha256()
    for name, tensor in sorted(weights.items()):
        digest.update(name.encode("utf-8"))
        digest.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]


def check_weights(path: Path, model: nn.Module) -> None:
    """Compare names and shapes of a file of weights with those of a model, on any device; its header alone is read.

    Raises:
        InputError: the file is damaged, or of another model.
    """
    try:
        _check_header(path)
        # The library looks at the header too: every byte of the file belongs to one tensor, by its shape and type.
        with safe_open(path, framework="pt") as file:
            views = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 (it is no mapping)
            there = {name: (view.get_dtype(), tuple(view.get_shape())) for name, view in views.items()}
    except (SafetensorError, OSError) as error:
        raise _refusal(path, " ".join(str(error).split())[:200]) from error
    weights = dict(model.named_parameters(remove_duplicate=False))
    held = {id(weights[name]) for name in there if name in weights}
    for name in [*there, *(name for name, weight in weights.items() if id(weight) not in held)]:
        expected = _expected(name, weights, there)
        if there.get(name) != expected:
            raise _refusal(path, f"{name!r:.80} is {_told(there.get(name))} in it and {_told(expected)} in the model")


def _expected(name: str, weights: Mapping[str, Tensor], there: Mapping[str, Kind]) -> Kind | None:
    """Type and shape that a name in a file should have, given all that is there; None for no such name."""
    if name.endswith(SCALE):
        whole = name.removesuffix(SCALE)
        rows = there[whole][1][:1] if there.get(whole, ("",))[0] == "I8" else None
        return None if rows is None else ("F32", rows)
    if name not in weights:
        return None
    shape, given = tuple(weights[name].shape), there.get(name, ("",))[0]
    if given == "I8" and len(shape) == 2 and name + SCALE in there:
        return "I8", shape
    return "F16" if given == "F16" else "F32", shape


def _check_header(path: Path) -> None:
    """Raise an InputError for a header that is longer than the file, or than that of any model."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
    if length > min(MOST_HEADER, path.stat().st_size - 8):
        raise _refusal(path, f"a header of {length:,} bytes in a file of {path.stat().st_size:,}")


def _told(weight: Kind | None) -> str:
    """Type and shape of a weight in words."""
    return "not there" if weight is None else f"{weight[0]} {'x'.join(map(str, weight[1])) or 'alone'}"


def _refusal(path: Path, reason: str) -> InputError:
    return InputError(f"{path} does not hold this run's weights ({reason}); copy it again")

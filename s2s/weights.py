"""What a file of weights says of itself, compared with a model before memory is taken for either."""

from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import nn

from s2s.errors import InputError
from s2s.memory import machine_memory

__all__ = ["check_memory", "check_weights"]

MOST_HEADER = 1 << 20
FLOAT_BYTES = 4


def check_memory(model: nn.Module) -> None:
    """Raise an InputError for a model, on any device, whose weights alone are more than the machine has room for."""
    wanted, there = FLOAT_BYTES * sum(weight.numel() for weight in model.parameters()), machine_memory()
    if there is not None and wanted > there:
        raise InputError(
            f"the model's weights would take {wanted / 1e9:,.0f} GB, and this machine has {there / 1e9:,.0f} GB; give "
            "smaller sizes, such as model.hidden_size, or fewer layers"
        )


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
        expected = ("F32", tuple(weights[name].shape)) if name in weights else None
        if there.get(name) != expected:
            raise _refusal(path, f"{name!r:.80} is {_told(there.get(name))} in it and {_told(expected)} in the model")


def _check_header(path: Path) -> None:
    """Raise an InputError for a header that is longer than the file, or than that of any model."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
    if length > min(MOST_HEADER, path.stat().st_size - 8):
        raise _refusal(path, f"a header of {length:,} bytes in a file of {path.stat().st_size:,}")


def _told(weight: tuple[str, tuple[int, ...]] | None) -> str:
    """Type and shape of a weight in words."""
    return "not there" if weight is None else f"{weight[0]} {'x'.join(map(str, weight[1])) or 'alone'}"


def _refusal(path: Path, reason: str) -> InputError:
    return InputError(f"{path} does not hold this run's weights ({reason}); copy it again")

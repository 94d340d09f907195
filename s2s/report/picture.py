"""What every picture has in common: its formats, its ink, and how it is written."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from s2s.errors import InputError
from s2s.storage import whole_file

__all__ = ["INK", "MARGIN", "checked_path", "save_picture", "writing"]

SUFFIXES = (".png", ".svg", ".pdf")
DOTS_PER_INCH = 200
INK = "#222222"
MARGIN = 0.15  # inches


def checked_path(path: str | Path, kind: str, suffixes: tuple[str, ...] = SUFFIXES) -> Path:
    """The path of a picture; raise an InputError, naming the kind of picture, for a suffix no such picture has."""
    picture = Path(path)
    if picture.suffix.lower() not in suffixes:
        expected = f"one of {', '.join(suffixes)}" if len(suffixes) > 1 else suffixes[0]
        raise InputError(f"{kind} {str(path)!r} ends in {picture.suffix!r}, expected {expected}; rename the picture")
    return picture


def save_picture(figure: Figure, path: Path, kind: str) -> None:
    """Write a figure, cut to what is drawn; folders that are missing are made.

    Raises:
        InputError: the file cannot be written.
    """
    # Text in SVG stays text: the viewer chooses its glyphs, and it can be searched and copied.
    text = rc_context({"svg.fonttype": "none", "font.sans-serif": ["DejaVu Sans", "Verdana"]})
    with writing(path, kind) as partial, text:
        figure.savefig(partial, dpi=DOTS_PER_INCH, bbox_inches="tight", pad_inches=MARGIN, facecolor="white")


@contextmanager
def writing(path: Path, kind: str) -> Iterator[Path]:
    """Where to write a picture, whole or not at all, its folders made.

    Raises:
        InputError: it cannot be written; the error names the kind of picture.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as partial:
            yield partial
    except OSError as error:
        raise InputError(
            f"{kind} {str(path)!r} cannot be written ({error.strerror}), expected a path in a folder you may "
            "write to; name another one"
        ) from error

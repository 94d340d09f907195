"""What every picture has in common: its formats, its ink, and how it is written."""

from pathlib import Path

from matplotlib.figure import Figure

from s2s.errors import InputError

__all__ = ["INK", "checked_path", "save_picture"]

SUFFIXES = (".png", ".svg", ".pdf")
DOTS_PER_INCH = 200
INK = "#222222"


def checked_path(path: str | Path, kind: str) -> Path:
    """The path of a picture; raise an InputError, naming the kind of picture, for a suffix no picture has."""
    picture = Path(path)
    if picture.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"{kind} {str(path)!r} ends in {picture.suffix!r}, expected one of {', '.join(SUFFIXES)}; "
            "rename the picture"
        )
    return picture


def save_picture(figure: Figure, path: Path, kind: str) -> None:
    """Write a figure, cut to what is drawn; folders that are missing are made.

    Raises:
        InputError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=DOTS_PER_INCH, bbox_inches="tight", pad_inches=0.15, facecolor="white")
    except OSError as error:
        raise InputError(
            f"{kind} {str(path)!r} cannot be written ({error.strerror}), expected a path in a folder you may "
            "write to; name another one"
        ) from error

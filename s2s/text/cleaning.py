"""A copy of a corpus as aligned text files, with the pairs that are kept."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

from s2s.errors import InputError
from s2s.text.reading import Languages, listing

__all__ = ["CleanCopy"]


class CleanCopy:
    """A folder that is filled split by split: ``train.de``, ``train.en`` and, where there are word links, those.

    Args:
        folder: a new one, or an empty one.
        languages: source and target.

    Raises:
        InputError: the folder holds something, or is none.
    """

    def __init__(self, folder: str, languages: Languages) -> None:
        self.folder, self.languages = Path(folder).expanduser(), languages
        if self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
            raise InputError(f"clean={folder} is there already and holds {listing(self.folder)}; give a new folder")

    @contextmanager
    def split(self, name: str, *, linked: bool) -> Iterator[tuple[TextIO, ...]]:
        """Open the files of a split for writing: source, target and, where wanted, word links.

        Raises:
            InputError: they cannot be written.
        """
        source, target = self.languages
        names = [f"{name}.{source}", f"{name}.{target}", *[f"{name}.{source}-{target}.align"] * linked]
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with ExitStack() as stack:
                yield tuple(
                    stack.enter_context((self.folder / one).open("x", encoding="utf-8", newline="\n")) for one in names
                )
        except OSError as error:
            raise InputError(
                f"clean={self.folder} cannot be written ({error.strerror}); give another folder"
            ) from error

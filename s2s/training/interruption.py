"""Ctrl-C and SIGTERM, which end training between two updates."""

import signal
from types import TracebackType
from typing import Any, Self

__all__ = ["Interruption"]


class Interruption:
    """Let the first Ctrl-C, or SIGTERM, finish the update under way; a second one ends at once."""

    def __init__(self) -> None:
        self.asked = False
        """Whether there was one."""
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        try:
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._ask)
        except ValueError:  # only the main thread may listen
            pass
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._restore()

    def _ask(self, *_: Any) -> None:
        self.asked = True
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

"""s2s: recurrent sequence-to-sequence translation with attention.

``from s2s import Translator`` gives a trained model; everything heavy is imported when it is first used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from s2s.translator import Translation, Translator

__all__ = ["Translation", "Translator"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import the translator, and torch with it, only when it is asked for (PEP 562)."""
    if name in __all__:
        from s2s import translator

        return getattr(translator, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

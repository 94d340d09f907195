"""What a translation is worth and what the model looked at: scores, word alignment, pictures, tables.

Everything is imported when it is first used, so that ``import s2s.report`` loads neither sacreBLEU nor matplotlib.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from s2s.report.alignment import (
        AlignmentScore,
        WordAttention,
        alignment_error_rate,
        hard_links,
        merge_pieces,
        read_links,
        words,
    )
    from s2s.report.compare import FinishedRun, comparability_notes, csv_table, markdown_table, text_table
    from s2s.report.curves import draw_curves
    from s2s.report.heatmap import draw_heatmap, missing_glyph_notice
    from s2s.report.metrics import Score, bleu, chrf, exact_match, perplexity, ter

__all__ = [
    "AlignmentScore",
    "FinishedRun",
    "Score",
    "WordAttention",
    "alignment_error_rate",
    "bleu",
    "chrf",
    "comparability_notes",
    "csv_table",
    "draw_curves",
    "draw_heatmap",
    "exact_match",
    "hard_links",
    "markdown_table",
    "merge_pieces",
    "missing_glyph_notice",
    "perplexity",
    "read_links",
    "ter",
    "text_table",
    "words",
]

_MODULE_OF = {
    **dict.fromkeys(("Score", "bleu", "chrf", "exact_match", "perplexity", "ter"), "metrics"),
    **dict.fromkeys(("FinishedRun", "comparability_notes", "csv_table", "markdown_table", "text_table"), "compare"),
    "draw_curves": "curves",
    **dict.fromkeys(("draw_heatmap", "missing_glyph_notice"), "heatmap"),
    **dict.fromkeys(("AlignmentScore", "WordAttention", "alignment_error_rate"), "alignment"),
    **dict.fromkeys(("hard_links", "merge_pieces", "read_links", "words"), "alignment"),
}


def __getattr__(name: str) -> Any:
    """Import the module a public name lives in only when the name is asked for (PEP 562)."""
    if name in _MODULE_OF:
        return getattr(import_module(f"s2s.report.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

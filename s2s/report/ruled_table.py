"""A table in letters of one width, whose columns are as wide as what is in them."""

import io

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

__all__ = ["laid_out", "ruled_table"]

WIDTH = 1000  # of the paper, so that no name is cut


def ruled_table(*titles: str, words: int = 1) -> Table:
    """Make an empty table whose first title stands over columns of words, the others over numbers.

    Args:
        titles: of the columns; the first is followed by as many without one as there are further columns of words.
        words: columns of words.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    heads = [*titles[:1], *[""] * (words - 1), *titles[1:]]
    for place, title in enumerate(heads):
        table.add_column(Text(title), justify="left" if place < words else "right", no_wrap=True)
    return table


def laid_out(table: Table) -> str:
    """The lines of a table, without blanks at their ends."""
    console = Console(file=io.StringIO(), width=WIDTH)
    with console.capture() as captured:
        console.print(table)
    return "\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n"

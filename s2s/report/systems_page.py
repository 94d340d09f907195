"""A comparison of systems as one page: scores, tests, plots, and every sentence to search and to sort."""

from importlib.resources import files
from itertools import islice
from pathlib import Path

from s2s.report.page import open_page
from s2s.report.systems import Comparison
from s2s.report.systems_record import comparison_record, sentence_records

__all__ = ["write_systems_page"]

SENTENCES = 500  # in an element of the page


def write_systems_page(comparison: Comparison, path: str | Path, *, title: str) -> None:
    """Write the page, one file that asks the network for nothing.

    Raises:
        InputError: the file cannot be written.
    """
    template = files("s2s.report").joinpath("systems.html").read_text(encoding="utf-8")
    records = iter(sentence_records(comparison))
    with open_page(path, template, title=title) as page:
        page.add(comparison_record(comparison), "comparison")
        while some := list(islice(records, SENTENCES)):
            page.add(some, "sentences")

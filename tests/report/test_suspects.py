"""Which translations are shown first, and every form a report takes."""

import json

import pytest
from rich.cells import cell_len
from translations import ABSENT, GOOD, HALF, LOOP, view

from s2s.errors import InputError
from s2s.report.sheet import Panel, Sheet, View
from s2s.report.suspects import Suspect, most_suspicious, suspects, suspicion_table, write_report
from s2s.report.suspicion import suspicion


def sheet_of(source: str, text: str, words: View) -> Sheet:
    return Sheet(source, (Panel("", text, -1.0, -2.0, {"words": words, "pieces": words}),))


SHEETS = [sheet_of("gut", "good", GOOD), Sheet("", ()), sheet_of("halb", "half", HALF), sheet_of("um", "round", LOOP)]


def test_the_most_suspicious_come_first_and_equals_in_order_of_lines() -> None:
    views = [GOOD, HALF, GOOD, LOOP, ABSENT, GOOD]
    ranked = most_suspicious(suspects(sheet_of("", "", words) for words in views), 5)
    assert {one.line for one in ranked[:3]} == {2, 4, 5}
    assert [one.line for one in ranked[3:]] == [1, 3]
    scores = [one.suspicion.score for one in ranked]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("width", [50, 80, 120])
def test_no_line_of_the_table_is_wider_than_asked_in_any_script(width: int) -> None:
    chinese = view("我 们 今 天 去 图 书 馆 学 习 </s>", "we </s>", [0, 10])
    table = suspicion_table(
        [
            Suspect(7, sheet_of("我们今天去图书馆学习，" * 9, "we\x1b[31m\tstudy", chinese), suspicion(chinese)),
            Suspect(123_456, sheet_of("Ein Hund.", "A dog.", GOOD), suspicion(GOOD)),
        ],
        width=width,
    )
    lines = table.splitlines()
    assert max(map(cell_len, lines)) <= width
    assert any(line.endswith("…") and cell_len(line) >= width - 1 for line in lines)
    assert "→ we[31m study" in table
    assert "neverlookedat:们今天去图书馆学习;" in "".join(table.split())
    assert [line.split()[:3] for line in lines if "Hund" in line] == [["2", "123456", "0.11"]]
    assert len([line for line in lines if not line.strip()]) == 0


def test_a_report_is_a_table_json_lines_and_a_page_and_counts_empty_lines(tmp_path, capsys) -> None:
    outputs = ["-", str(tmp_path / "new" / "report.jsonl"), str(tmp_path / "report.html")]
    write_report(iter(SHEETS), outputs, count=2, title="Suspicious")
    records = [json.loads(line) for line in (tmp_path / "new" / "report.jsonl").read_text("utf-8").splitlines()]
    assert sorted(record["line"] for record in records) == [3, 4]
    assert records[0]["score"] >= records[1]["score"]
    assert {record["text"] for record in records} == {"half", "round"}
    assert capsys.readouterr().out == suspicion_table(most_suspicious(suspects(SHEETS), 2))
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "suspicion" in page
    assert page.count('class="sheet"') == 2


@pytest.mark.parametrize(
    ("outputs", "count", "message"),
    [(["report.csv"], 5, "report=report.csv is no report; expected - "), (["-"], 0, "shown=0 reports no sentence")],
)
def test_a_report_of_another_kind_or_of_nothing_is_refused(outputs, count, message) -> None:
    with pytest.raises(InputError, match=message):
        write_report(iter(SHEETS), outputs, count=count, title="")

"""The tables of a diagnosis."""

import re

from s2s.report.diagnosis import diagnosis_tables


def record(**more):
    side = {"source": 5.0, "target": 3.25}
    scripts = {"source": {"Latin": 1.0}, "target": {"Han": 0.8, "Latin": 0.2}}
    clean = {"folder": None, "splits": [{"split": "train", "kept": 1200, "left_out": {}, "unwritten": None}]}
    return {
        "corpus": "tiny",
        "source": "de",
        "target": "zh",
        "length_ratio": 0.65,
        "splits": [{"split": "train", "pairs": 1200, "characters": side, "scripts": scripts}],
        "overlap": [],
        "findings": [],
        "clean": clean,
        **more,
    }


def cells(text):
    return [re.split(r"  +", line.strip()) for line in text.splitlines() if line and "─" not in line]


def test_a_sound_corpus_is_counts_and_one_line():
    assert cells(diagnosis_tables(record())) == [
        ["tiny, de to zh", "pairs", "de characters", "de scripts", "zh characters", "zh scripts"],
        ["train", "1,200", "5.0", "Latin 100.0 %", "3.2", "Han 80.0 %, Latin 20.0 %"],
        ["no findings"],
        ["clean=FOLDER would write", "pairs", "left out", "because"],
        ["train", "1,200", "0"],
    ]


def test_what_is_shared_is_a_row_for_each_two_splits():
    shared = {"split": "test", "with": "train", "pairs": 0, "sources": 1218, "targets": 7}
    assert ["test", "in train", "0", "1,218", "7"] in cells(diagnosis_tables(record(overlap=[shared])))


def test_findings_show_their_lines_and_keep_brackets_and_wide_letters():
    pair = {"line": 1234, "source": "[bold]这里[/bold]", "target": ""}
    found = [
        {"finding": "unreadable", "split": "[red]", "count": 1, "message": "x: no JSON; mend it", "first": []},
        {"finding": "line_counts", "split": "valid", "count": 2, "lines": {"a": 1000, "b": 2}, "first": [{"line": 3}]},
        {"finding": "crlf", "split": "valid", "file": "a", "count": 1, "first": [{"line": 1}]},
        {"finding": "empty", "split": "train", "count": 5, "first": [pair]},
        {"finding": "sources_in_train", "split": "test", "count": 5, "first": [{**pair, "line_there": 9}]},
    ]
    assert cells(diagnosis_tables(record(findings=found)))[2:-2] == [
        ["split", "count", "finding, and the first lines"],
        ["[red]", "1", "cannot be read"],
        ["x: no JSON; mend it"],
        ["valid", "2", "lines without a partner"],
        ["a: 1,000 lines"],
        ["b: 2 lines"],
        ["3"],
        ["valid", "1", "lines that end with CRLF: a"],
        ["1"],
        ["train", "5", "empty side"],
        ["1234: [bold]这里[/bold] → (empty)"],
        ["test", "5", "source is in train, too"],
        ["1234 (there 9): [bold]这里[/bold] → (empty)"],
    ]


def test_the_copy_says_what_it_lacks_and_why():
    splits = [
        {"split": "train", "kept": 9, "left_out": {"empty": 1200, "overlap": 1}, "unwritten": None},
        {"split": "valid", "kept": 0, "left_out": {}, "unwritten": "not_aligned"},
    ]
    text = diagnosis_tables(record(clean={"folder": "new", "splits": splits}))
    assert cells(text)[-4:] == [
        ["copy in new", "pairs", "left out", "because"],
        ["train", "9", "1,201", "1,200 empty side"],
        ["1 source is in another split"],
        ["valid", "0", "0", "not written: files have different counts of lines; align them again"],
    ]

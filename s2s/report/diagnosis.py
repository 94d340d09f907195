"""What was found in a corpus, in letters of one width."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from s2s.report.ruled_table import laid_out, ruled_table

__all__ = ["diagnosis_tables"]

TITLES = {
    "unreadable": "cannot be read",
    "utf16": "UTF-16, expected UTF-8",
    "bom": "byte order mark at the start",
    "crlf": "lines that end with CRLF",
    "line_counts": "lines without a partner",
    "no_pairs": "no pairs",
    "not_utf8": "not UTF-8",
    "empty": "empty side",
    "control": "control characters",
    "line_break": "line feed inside",
    "swapped": "sides swapped",
    "script": "another script than that of its side",
    "copy": "target is a copy of the source",
    "length": "lengths that do not go together",
    "duplicate": "pair seen before",
    "several": "source seen before, with another target",
    "pairs": "pair is in {}, too",
    "sources": "source is in {}, too",
    "targets": "target is in {}, too",
    "overlap": "source is in another split",
    "not_aligned": "files have different counts of lines; align them again",
    "nothing_left": "no pair is left",
}


def diagnosis_tables(record: Mapping[str, Any]) -> str:
    """Lay out what ``s2s.text.examination.examine`` returns: counts, what splits share, findings, and the copy."""
    overlap = [_overlap(record["overlap"])] if record["overlap"] else []
    findings = _findings(record["findings"]) if record["findings"] else "no findings\n"
    return "\n".join([_splits(record), *overlap, findings, _copy(record["clean"])])


def _splits(record: Mapping[str, Any]) -> str:
    """A row for each split: pairs, the length of a side and the scripts of its letters."""
    sides = {side: record[side] for side in ("source", "target")}
    titles = [f"{language} {what}" for language in sides.values() for what in ("characters", "scripts")]
    table = ruled_table(f"{record['corpus']}, {sides['source']} to {sides['target']}", "pairs", *titles)
    for split in record["splits"]:
        cells = []
        for side in sides:
            scripts = (f"{name} {100 * share:.1f} %" for name, share in split["scripts"][side].items())
            cells += [f"{split['characters'][side]:.1f}", ", ".join(scripts)]
        table.add_row(Text(split["split"]), f"{split['pairs']:,}", *cells)
    return laid_out(table)


def _overlap(overlap: Sequence[Mapping[str, Any]]) -> str:
    """A row for each split that is not for training and each that is."""
    table = ruled_table("of which are in training, too", "pairs", "sources", "targets", words=2)
    for one in overlap:
        numbers = (f"{one[what]:,}" for what in ("pairs", "sources", "targets"))
        table.add_row(Text(one["split"]), f"in {one['with']}", *numbers)
    return laid_out(table)


def _findings(findings: Sequence[Mapping[str, Any]]) -> str:
    """A row for each finding, and below it the first pairs that it is about."""
    table = ruled_table("split", "count")
    table.add_column("finding, and the first lines", no_wrap=True)
    for one in findings:
        about = [f"{_title(one['finding'])}{': ' + one['file'] if 'file' in one else ''}"]
        about += [one["message"]] if "message" in one else []
        about += [f"  {file}: {count:,} lines" for file, count in one.get("lines", {}).items()]
        about += [f"  {_example(example)}" for example in one["first"]]
        table.add_row(Text(one["split"]), f"{one['count']:,}", Text("\n".join(about)))
    return laid_out(table)


def _example(example: Mapping[str, Any]) -> str:
    """One line of a file, or a pair with its line."""
    there = f" (there {example['line_there']})" if "line_there" in example else ""
    if "source" not in example:
        return str(example["line"])
    return f"{example['line']}{there}: {example['source'] or '(empty)'} → {example['target'] or '(empty)'}"


def _copy(clean: Mapping[str, Any]) -> str:
    """A row for each split that the copy has, or would have."""
    title = f"copy in {clean['folder']}" if clean["folder"] else "clean=FOLDER would write"
    table = ruled_table(title, "pairs", "left out")
    table.add_column("because", no_wrap=True)
    for one in clean["splits"]:
        reasons = [f"{count:,} {_title(name)}" for name, count in one["left_out"].items()]
        if one["unwritten"]:
            reasons = [f"not written: {_title(one['unwritten'])}"]
        numbers = (f"{count:,}" for count in (one["kept"], sum(one["left_out"].values())))
        table.add_row(Text(one["split"]), *numbers, Text("\n".join(reasons)))
    return laid_out(table)


def _title(finding: str) -> str:
    """A finding in words: ``sources_in_train`` is that of sources, about another split."""
    name, _, other = finding.partition("_in_")
    return TITLES[name].format(other)

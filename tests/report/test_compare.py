"""The table of runs, with numbers that were worked by hand."""

import copy
import csv
import re
from typing import Any

import pytest

from s2s.report.compare import FinishedRun, comparability_notes, csv_table, markdown_table, text_table

SIGNATURE = "nrefs:1|bs:1000|seed:12345|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0"
CONFIG = {
    "data": {"label": "sample", "source": "de", "target": "en", "path": "/a"},
    "model": {"rnn": {"_target_": "s2s.model.kernel_cells.LSTM"}, "hidden_size": 256},
    "tokenizer": {"vocabulary_size": 1500},
}
BLEU = {"value": 40.004, "confidence": 1.256, "signature": SIGNATURE, "split": "test", "references_sha256": "ab"}
RESULT = {
    "BLEU": BLEU,
    "AER": {"value": 20.04, "signature": "words", "split": "test"},
    "model": {"parameters": 1_234_567, "multiply_adds_per_token": 51_234_000},
    "training": {"seconds": 3723.4, "tokens_per_second": 2711.4, "validation_perplexity": 5.576},
}
Run = dict[str, Any]


def run(name: str, *changes: tuple[str, Any]) -> FinishedRun:
    """A run as above but for some values, each under its path: `result.BLEU.value`."""
    whole: Run = copy.deepcopy({"name": name, "config": CONFIG, "result": RESULT, "records": [], "tokenizer": "t"})
    for path, value in changes:
        *parents, last = path.split(".")
        node = whole
        for parent in parents:
            node = node[parent]
        node[last] = value
    return FinishedRun(**whole)


LSTM = run("lstm")
GRU = run(
    "gru",
    ("config.model.rnn._target_", "s2s.model.kernel_cells.GRU"),
    ("result.BLEU.value", 38.0),
    ("result.AER.value", 18.0),
    ("result.model", {"parameters": 999_000, "multiply_adds_per_token": 999}),
    ("result.training", {"seconds": 59.6, "tokens_per_second": 3000.0, "validation_perplexity": 6.0}),
)


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def test_markdown_has_every_number_and_the_best_of_each_column_in_bold() -> None:
    titles, rule, lstm, gru = map(cells, markdown_table([LSTM, GRU]).splitlines())
    assert titles == [
        *("run", "differs in", "parameters", "mult-adds/token", "tokens/s"),
        *("valid perplexity", "BLEU", "AER %", "time"),
    ]
    assert len(rule) == len(titles)
    assert lstm == ["lstm", "rnn=lstm", "1.23M", "51.2M", "2,711", "**5.58**", "**40.00 ± 1.26**", "20.0", "1:02:03"]
    assert gru == ["gru", "rnn=gru", "**999k**", "**999**", "**3,000**", "6.00", "38.00 ± 1.26", "**18.0**", "**1:00**"]


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (999, "999"), (1000, "1.00k"), (9_994, "9.99k"), (9_996, "10.0k"), (99_960, "100k")],
)
def test_large_numbers_have_three_figures(number: int, text: str) -> None:
    line = markdown_table([run("x", ("result.model.parameters", number))]).splitlines()[-1]
    assert cells(line)[1] == text


def test_numbers_keep_three_figures_up_to_the_next_letter() -> None:
    line = markdown_table([run("x", ("result.model", {"parameters": 999_600, "multiply_adds_per_token": 2e9}))])
    assert cells(line.splitlines()[-1])[1:3] == ["1.00M", "2.00G"]


def test_one_run_differs_from_none_and_nothing_is_the_best() -> None:
    table = markdown_table([LSTM])
    assert "differs" not in table
    assert "**" not in table


def test_equal_numbers_are_not_the_best() -> None:
    assert "**" not in markdown_table([LSTM, run("again")])


def test_two_equal_winners_are_both_the_best() -> None:
    table = markdown_table([LSTM, run("again"), run("worse", ("result.BLEU.value", 1.0))])
    assert table.count("**40.00 ± 1.26**") == 2


def test_what_is_not_on_record_is_a_dash() -> None:
    line = markdown_table([run("x", ("result", {"BLEU": {"value": 1.0, "signature": "none"}}))]).splitlines()[-1]
    assert cells(line)[1:] == ["–", "–", "–", "–", "1.00", "–", "–"]


def test_markdown_keeps_its_columns_whatever_a_run_is_called() -> None:
    lines = markdown_table([run("a|b*c*"), GRU]).splitlines()
    assert len({len(cells(line)) for line in lines}) == 1
    assert cells(lines[2])[0] == "a\\|b\\*c\\*"


def test_plain_text_lines_up_under_chinese_names_and_has_no_colours() -> None:
    from rich.cells import cell_len

    lines = text_table([LSTM, run("样本-中文"), GRU]).splitlines()
    assert len({cell_len(line) for line in lines[1:]}) == 1
    assert "\x1b" not in "".join(lines)
    assert [line.split()[0] for line in lines[2:]] == ["lstm", "样本-中文", "gru"]


def test_a_terminal_shows_the_best_in_bold_within_its_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    table = text_table([LSTM, GRU], terminal_width=110)
    assert re.findall(r"\x1b\[1m +([^\s\x1b]+)", table)[-5:] == ["999k", "999", "3,000", "18.0", "1:00"]
    bare = re.sub(r"\x1b\[\d+m", "", table)
    assert max(map(len, bare.splitlines())) <= 110


def test_csv_reads_back_with_exact_numbers_and_units_in_its_titles() -> None:
    lstm, gru = csv.DictReader(csv_table([LSTM, GRU]).splitlines())
    assert list(lstm) == [
        *("run", "differs_in", "parameters", "multiply_adds_per_token", "tokens_per_second"),
        *("validation_perplexity", "BLEU", "AER", "seconds", "BLEU_confidence", "BLEU_split", "BLEU_signature"),
    ]
    assert list(lstm.values()) == [
        *("lstm", "rnn=lstm", "1234567", "51234000", "2711.4", "5.576", "40.004", "20.04", "3723.4"),
        *("1.256", "test", SIGNATURE),
    ]
    assert gru["seconds"] == "59.6"


def test_csv_leaves_empty_what_is_not_on_record() -> None:
    (row,) = csv.DictReader(csv_table([run("a,b", ("result", {}))]).splitlines())
    assert row.pop("run") == "a,b"
    assert set(row.values()) == {""}


def test_the_signature_stands_below_once() -> None:
    notes = comparability_notes([LSTM, GRU])
    assert notes[0] == f"BLEU on test, ± half its 95 % confidence interval: {SIGNATURE}"
    assert notes[1].startswith("Multiply-adds: those of matrix products per target token")
    assert len(notes) == 2


OTHER_TEST_SETS = [
    ("result.BLEU.references_sha256", "cd"),
    ("result.BLEU.split", "valid"),
    ("result.BLEU.signature", SIGNATURE.replace("13a", "zh")),
]


@pytest.mark.parametrize("change", OTHER_TEST_SETS)
def test_bleu_of_another_test_set_or_method_is_said_to_be_no_match_and_none_is_the_best(
    change: tuple[str, Any],
) -> None:
    runs = [LSTM, run("other", change, ("result.BLEU.value", 3.0))]
    assert any(note.startswith("BLEU and AER are not comparable") for note in comparability_notes(runs))
    assert "**40.00" not in markdown_table(runs)


def test_bleu_without_an_interval_is_comparable_with_one_that_has_it() -> None:
    bare = {**BLEU, "signature": SIGNATURE.replace("bs:1000|seed:12345|", "")}
    runs = [LSTM, run("older", ("result.BLEU", bare))]
    assert not any("not comparable" in note for note in comparability_notes(runs))


def test_runs_without_a_hash_of_their_references_go_by_their_corpus() -> None:
    first, same, other = (
        run("x", ("result.BLEU.references_sha256", None), ("config.data.path", path), ("config.data.label", label))
        for path, label in (("/a", "sample"), ("/b", "sample"), ("/a", "multi30k"))
    )
    assert not any("BLEU and AER" in note for note in comparability_notes([first, same]))
    assert any("BLEU and AER" in note for note in comparability_notes([first, other]))


@pytest.mark.parametrize("changes", [[("tokenizer", "u")], [("tokenizer", "")]])
def test_perplexities_of_other_pieces_are_said_to_be_no_match_and_none_is_the_best(
    changes: list[tuple[str, Any]],
) -> None:
    runs = [LSTM, run("other", *changes, ("result.training.validation_perplexity", 9.0))]
    assert comparability_notes(runs)[-1] == "Perplexities are not comparable: tokenizers differ between these runs."
    assert "**" not in markdown_table(runs)


def test_where_the_tokenizer_is_not_known_its_recipe_counts() -> None:
    first, same, other = (
        run("x", ("tokenizer", ""), ("config.tokenizer.vocabulary_size", size)) for size in (1500, 1500, 8000)
    )
    assert not any("Perplexities" in note for note in comparability_notes([first, same]))
    assert any("Perplexities" in note for note in comparability_notes([first, other]))

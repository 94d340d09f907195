"""python -m s2s.score: what texts and translations are worth, in order, whatever the batch; alternatives ranked."""

import json
import math
import subprocess
import sys
import threading

import nasty
import pytest

from s2s.report.words import words
from s2s.translator import Translator

TEXTS = ["one two", "", "three  four five", "nine", "zero zero one"]
PAIRS = [("eins zwei", "one two"), ("drei", ""), ("vier fünf", "four six"), ("acht", "eight")]


@pytest.fixture
def texts(language_model):
    return Translator.load(language_model, device="cpu").score([""] * len(TEXTS), TEXTS)


def rows(out):
    return [line.split("\t") for line in out.splitlines()]


def test_every_line_in_is_one_line_out_with_its_log_probability_and_perplexity(in_process, language_model, texts):
    stdin = "".join(f"{text}\n" for text in TEXTS).encode()
    code, out, err = in_process("score", f"run={language_model.folder}", "device=cpu", stdin=stdin)
    assert code == 0, err
    for (log_prob, perplexity, text), given, expected in zip(rows(out), TEXTS, texts, strict=True):
        assert text == given
        assert float(log_prob) == pytest.approx(expected.log_prob, abs=1e-4)
        per_token = math.exp(-expected.log_prob / len(expected.target_tokens))
        assert float(perplexity) == pytest.approx(per_token, rel=1e-3)
    nll = -sum(one.log_prob for one in texts)
    normalised = [" ".join(text.split()) for text in TEXTS]
    of_words = sum(len(words(text)) + 1 for text in normalised)
    characters = sum(len(text) + 1 for text in normalised)
    assert f"perplexity per word = {math.exp(nll / of_words):.2f} (words:{of_words})" in err
    assert f"bits per character = {nll / math.log(2) / characters:.2f} (characters:{characters})" in err


@pytest.mark.parametrize("batch_size", [1, 2, 64])
def test_scores_do_not_depend_on_the_batch(in_process, language_model, texts, batch_size):
    stdin = "\n".join(TEXTS).encode()
    options = (f"run={language_model.folder}", "device=cpu", "format=jsonl", f"batch_size={batch_size}")
    _, out, _ = in_process("score", *options, stdin=stdin)
    found = [json.loads(line) for line in out.splitlines()]
    assert [one["text"] for one in found] == TEXTS
    for one, expected in zip(found, texts, strict=True):
        assert one["tokens"] == list(expected.target_tokens)
        assert one["token_log_probs"] == pytest.approx(expected.token_log_probs, abs=1e-5)
        assert one["log_prob"] == pytest.approx(sum(one["token_log_probs"]), abs=1e-9)


@pytest.mark.parametrize("form", ["tsv", "jsonl", "two files"])
def test_pairs_come_in_columns_in_json_or_in_two_files(in_process, trained, tmp_path, form):
    expected = Translator.load(trained, device="cpu").score(*map(list, zip(*PAIRS, strict=True)))
    given = tmp_path / f"given.{form.split()[0]}"
    if form == "tsv":
        lines = ["\t".join(pair) for pair in PAIRS]
    elif form == "jsonl":
        lines = [json.dumps(dict(zip(("source", "target"), pair, strict=True))) for pair in PAIRS]
    else:
        lines = [source for source, _ in PAIRS]
        (tmp_path / "targets").write_text("".join(f"{target}\n" for _, target in PAIRS))
    given.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    target = [f"target={tmp_path / 'targets'}"] if form == "two files" else []
    code, out, err = in_process("score", f"run={trained.folder}", "device=cpu", f"input={given}", *target)
    assert code == 0, err
    assert [row[2] for row in rows(out)] == [target for _, target in PAIRS]
    assert [float(row[0]) for row in rows(out)] == pytest.approx([one.log_prob for one in expected], abs=1e-3)


def test_alternatives_between_empty_lines_are_ranked_with_the_ratio_of_their_probabilities(in_process, language_model):
    stdin = b"one one\none two\n\n\nnine\n"
    code, out, err = in_process("score", f"run={language_model.folder}", "device=cpu", "rank=true", stdin=stdin)
    assert code == 0, err
    first, second = out.split("\n\n")
    (best, worse), (alone,) = rows(first), rows(second)
    assert (best[0], worse[0], alone[0]) == ("1", "2", "1")
    assert {best[3], worse[3]} == {"one one", "one two"}
    assert (best[1], alone[1]) == ("1", "1")
    assert float(worse[1]) == pytest.approx(math.exp(float(best[2]) - float(worse[2])), rel=1e-2)
    assert float(worse[1]) >= 1


def test_groups_that_are_named_are_ranked_apart_and_json_has_everything(in_process, language_model):
    stdin = b"a\tone\na\ttwo\nb\tone\n"
    options = (f"run={language_model.folder}", "device=cpu", "rank=true", "read=tsv", "format=jsonl")
    _, out, _ = in_process("score", *options, stdin=stdin)
    first, second = (json.loads(line)["alternatives"] for line in out.splitlines())
    assert [one["group"] for one in first + second] == ["a", "a", "b"]
    assert [one["rank"] for one in first + second] == [1, 2, 1]
    assert first[0]["log_prob"] >= first[1]["log_prob"]
    assert first[0]["ratio"] == 1


def test_translations_of_one_source_are_a_group(in_process, trained):
    stdin = b"eins zwei\tnine nine\neins zwei\tone two\nacht\teight\n"
    code, out, err = in_process("score", f"run={trained.folder}", "device=cpu", "rank=true", stdin=stdin)
    assert code == 0, err
    assert [row[3] for row in rows(out) if row != [""]] == ["one two", "nine nine", "eight"]


def test_minimal_pairs_are_counted_by_kind(in_process, language_model, tmp_path):
    pairs = tmp_path / "pairs.tsv"
    lines = [("sense", "one two", "xxxxxxx eeee"), ("sense", "nine", "enin"), ("equal", "one", "one")]
    pairs.write_text("kind\tright\twrong\n" + "".join("\t".join(line) + "\n" for line in lines))
    code, out, err = in_process("score", f"run={language_model.folder}", "device=cpu", f"minimal_pairs={pairs}")
    assert code == 0, err
    assert out.splitlines() == ["sense = 100.00 (pairs:2)", "equal = 0.00 (pairs:1)", "all = 66.67 (pairs:3)"]


MISTAKES = {
    "an unknown form": (["read=csv"], b"", "read=csv is unknown; expected text, tsv, jsonl"),
    "an unknown format": (["format=html"], b"", "format=html is unknown"),
    "one column": (["read=tsv"], b"one two\n", "line 1 has 1 columns, expected 2, group and text; put a tab between"),
    "no JSON": (["read=jsonl"], b"{}\nnothing\n", "line 1 has no text, expected text under each; add them"),
    "broken JSON": (["read=jsonl"], b'{"text": "one"}\n{', "line 2 is no JSON"),
    "a target": (["target=x.txt"], b"one\n", "a language model reads no source; give its texts as input="),
    "pairs that are not there": (["minimal_pairs=x.tsv"], b"", "x.tsv does not exist"),
}


@pytest.mark.parametrize(("options", "stdin", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_line(in_process, language_model, options, stdin, message):
    code, _out, err = in_process("score", f"run={language_model.folder}", "device=cpu", *options, stdin=stdin)
    assert code == 2
    assert message in err.splitlines()[-1]


@pytest.mark.parametrize("content", ["kind\tright\n", "kind\tright\twrong\n", "one\tline\tmore\n"])
def test_a_file_of_no_pairs_is_refused(in_process, language_model, tmp_path, content):
    (tmp_path / "pairs.tsv").write_text(content)
    options = (f"run={language_model.folder}", "device=cpu", "minimal_pairs=pairs.tsv")
    code, _, err = in_process("score", *options)
    assert code == 2
    assert "kind, right" in err


def test_a_translator_needs_targets_and_ranks_no_minimal_pairs(in_process, trained, tmp_path):
    code, _, err = in_process("score", f"run={trained.folder}", "read=text", stdin=b"eins\n")
    assert (code, "read=text has no targets" in err) == (2, True)
    code, _, err = in_process("score", f"run={trained.folder}", "minimal_pairs=x.tsv")
    assert (code, "minimal_pairs= are for a language model" in err) == (2, True)


def test_no_lines_are_no_scores(in_process, language_model):
    code, out, err = in_process("score", f"run={language_model.folder}", "device=cpu")
    assert (code, out) == (0, "")
    assert err.endswith("nothing to score\n")


def test_whatever_text_comes_a_line_in_is_a_line_out(in_process, language_model):
    stdin = "".join(f"{line}\n" for line in nasty.LINES).encode("utf-8", "replace")
    code, out, err = in_process("score", f"run={language_model.folder}", "device=cpu", stdin=stdin)
    assert code == 0, err
    assert out.count("\n") == stdin.count(b"\n")
    given = [json.dumps({"text": text}) for text in ("\ud800 one", "one\r\ntwo", "\u2028")]
    options = (f"run={language_model.folder}", "device=cpu", "read=jsonl")
    code, out, err = in_process("score", *options, stdin="\n".join(given).encode())
    assert code == 0, err
    assert [line.split("\t")[2] for line in out.split("\n")[:-1]] == ["? one", "one two", "\u2028"]


def test_a_slow_pipe_is_answered_line_by_line(environment, language_model, texts):
    line = [sys.executable, "-m", "s2s.score", f"run={language_model.folder}", "device=cpu"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(line, env=environment, **pipes) as process:
        limit = threading.Timer(120, process.kill)  # else a line that never comes is waited for without end
        limit.start()
        for text, expected in zip(TEXTS, texts, strict=True):
            process.stdin.write(f"{text}\n".encode())
            process.stdin.flush()
            log_prob, _, shown = process.stdout.readline().decode().rstrip("\n").split("\t")
            assert shown == text
            assert float(log_prob) == pytest.approx(expected.log_prob, abs=1e-4)
        limit.cancel()

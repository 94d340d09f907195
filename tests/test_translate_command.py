"""python -m s2s.translate, as a person pipes text through it."""

import json
import subprocess
import sys
import threading

import pytest

from s2s.train import prepare

LINES = ["eins zwei", "", "drei\u2028vier", "neun", "acht sieben"]
TEXT = "eins zwei\n\ndrei\u2028vier\r\nneun\nacht sieben".encode()
HEAVY = ("datasets", "accelerate", "matplotlib", "sacrebleu", "s2s.training", "pyarrow", "pandas", "torch._dynamo")


@pytest.fixture
def open_command(environment, tmp_path):
    """Start a command whose pipes stay open."""
    started = []

    def start(*arguments, **pipes):
        line = [sys.executable, "-m", "s2s.translate", *map(str, arguments)]
        process = subprocess.Popen(line, stdin=subprocess.PIPE, cwd=tmp_path, env=environment, **pipes)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None and not pipe.closed:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue


def test_every_line_in_is_one_line_out_and_stdout_holds_nothing_else(s2s, trained, translator, tmp_path):
    result = s2s("translate", f"run={trained.folder}", "device=cpu", stdin=TEXT)
    assert result.returncode == 0, result.stderr
    assert result.stdout.decode() == "".join(f"{one.text}\n" for one in translator(LINES))
    assert result.stdout.count(b"\n") == len(LINES)
    assert result.stderr.decode() == f"run: {trained.folder}\n"
    assert list(tmp_path.iterdir()) == []


def test_a_slow_pipe_is_answered_line_by_line(open_command, trained, translator):
    process = open_command(f"run={trained.folder}", "device=cpu", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    limit = threading.Timer(120, process.kill)  # else a line that never comes is waited for without end
    limit.start()
    for line in ("eins zwei", "", "drei"):
        process.stdin.write(f"{line}\n".encode())
        process.stdin.flush()
        assert process.stdout.readline().decode() == translator([line])[0].text + "\n"
    limit.cancel()
    process.stdin.close()
    assert process.stdout.read() == b""
    assert process.wait(timeout=60) == 0


def test_what_is_drawn_for_a_line_does_not_depend_on_when_it_comes(open_command, in_process, trained):
    arguments = (f"run={trained.folder}", "device=cpu", "search=sample", "search.max_ratio=1")
    _, expected, _ = in_process("translate", *arguments, stdin=b"acht\n" * 6)
    assert len(set(expected.splitlines())) > 1
    process = open_command(*arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    limit = threading.Timer(120, process.kill)
    limit.start()
    for lines in (2, 1, 3):
        process.stdin.write(b"acht\n" * lines)
        process.stdin.flush()
        for _ in range(lines):
            line, _, expected = expected.partition("\n")
            assert process.stdout.readline().decode() == f"{line}\n"
    limit.cancel()


def test_a_reader_that_leaves_ends_it_quietly(open_command, trained):
    process = open_command(f"run={trained.folder}", "device=cpu", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdin.write(b"eins\n")
    process.stdin.flush()
    assert process.stdout.readline().endswith(b"\n")
    process.stdout.close()
    process.stdin.write(b"zwei\n" * 50)
    process.stdin.close()
    assert process.wait(timeout=60) == 0
    assert process.stderr.read().decode() == f"run: {trained.folder}\n"


def test_starting_up_imports_nothing_it_does_not_need(environment, trained):
    program = f"""
import io, sys
from s2s.config import command
from s2s.translate import translate
sys.argv[1:] = ["run={trained.folder}", "device=cpu"]
sys.stdin = io.TextIOWrapper(io.BytesIO(b"eins\\n"))
command("translate", translate)
print(*[name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr
    assert result.stderr == f"run: {trained.folder}\n\n"
    assert result.stdout.strip()


def test_json_lines_hold_everything_about_every_hypothesis(in_process, trained, translator):
    arguments = (f"run={trained.folder}", "format=jsonl", "n_best=3", "batch_size=2")
    code, out, error = in_process("translate", *arguments, stdin=TEXT)
    assert (code, error) == (0, f"run: {trained.folder}\n")
    rows = [json.loads(line) for line in out.split("\n")[:-1]]
    assert [row["source"] for row in rows] == LINES
    for row, expected in zip(rows, translator(LINES, n_best=3), strict=True):
        assert row["text"] == expected.text
        assert row["log_prob"] == pytest.approx(expected.log_prob, abs=1e-5)
        assert [one["text"] for one in row["alternatives"]] == [one.text for one in expected.alternatives]
        assert tuple(row["target_tokens"]) == expected.target_tokens
        assert [len(weights) for weights in row["attention"]] == [len(row["source_tokens"])] * len(row["target_tokens"])
        assert sum(row["token_log_probs"]) == pytest.approx(row["log_prob"], abs=1e-5)


def test_several_hypotheses_as_text_are_ranked(in_process, trained):
    _, out, _ = in_process("translate", f"run={trained.folder}", "n_best=3", stdin=b"eins zwei\n")
    rows = [line.split("\t") for line in out.splitlines()]
    assert [rank for rank, _, _ in rows] == ["1", "2", "3"]
    scores = [float(score) for _, score, _ in rows]
    assert scores == sorted(scores, reverse=True)


def test_the_heatmap_shows_the_first_line_with_words(in_process, trained, tmp_path):
    code, out, error = in_process("translate", f"run={trained.folder}", "heatmap=look.png", stdin=b"\neins\nzwei\n")
    assert code == 0
    assert len(out.splitlines()) == 3
    assert "heatmap: look.png\n" in error
    assert (tmp_path / "look.png").read_bytes().startswith(b"\x89PNG")


def test_a_heatmap_of_a_run_without_attention_is_refused(in_process, create_run):
    run = create_run("training.steps=1", "model=sutskever")
    prepare(run)[0].train()
    code, out, error = in_process("translate", f"run={run.folder}", "heatmap=look.png", stdin=b"eins\n")
    expected = f"error: heatmap=look.png: {run.folder} has no attention to draw; leave heatmap= out"
    assert (code, out, error.splitlines()[-1]) == (2, "", expected)


def test_files_are_read_and_written(in_process, trained, translator, tmp_path):
    (tmp_path / "in.txt").write_bytes(TEXT)
    code, out, _ = in_process("translate", f"run={trained.folder}", "input=in.txt", "output=out.txt")
    assert (code, out) == (0, "")
    written = (tmp_path / "out.txt").read_text(encoding="utf-8")
    assert written == "".join(f"{one.text}\n" for one in translator(LINES))


def test_the_input_is_never_written_over(in_process, trained, tmp_path):
    (tmp_path / "in.txt").write_bytes(TEXT)
    code, _, error = in_process("translate", f"run={trained.folder}", "input=in.txt", "output=./in.txt")
    assert (code, error) == (2, "error: ./in.txt is an input, which would be lost; give another file for the result\n")
    assert (tmp_path / "in.txt").read_bytes() == TEXT


def test_bytes_that_are_no_text_are_answered_too(in_process, trained):
    code, out, _ = in_process("translate", f"run={trained.folder}", stdin=b"eins\n\xff\xfe\nzwei\n")
    assert code == 0
    assert out.count("\n") == 3


def test_no_line_in_is_no_line_out(in_process, trained):
    assert in_process("translate", f"run={trained.folder}")[:2] == (0, "")


def test_the_search_of_the_command_line_goes_before_the_run_s(in_process, trained):
    arguments = (f"run={trained.folder}", "n_best=2")
    assert in_process("translate", *arguments, "search.beam_size=2", stdin=b"eins\n")[0] == 0
    for search in ("search=greedy", "search.beam_size=1"):
        code, _, error = in_process("translate", *arguments, search, stdin=b"eins\n")
        assert code == 2
        assert "n_best must be at most beam_size, got 2 and 1" in error


def test_the_newest_finished_run_is_taken(in_process, trained):
    code, _, error = in_process("translate", f"runs_dir={trained.folder.parent}", stdin=b"eins\n")
    assert (code, error) == (0, f"run: {trained.folder}\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["serach.beam_size=3"],
            "serach.beam_size is unknown, did you mean search.beam_size?; `--help` lists the options",
        ),
        (["format=xml"], "format=xml is unknown; expected text or jsonl"),
        ([], "no finished run in runs; train one with `python -m s2s.train` or name one with run=folder"),
        (["run=nowhere"], "nowhere is no run: it has no config.yaml; train one with `python -m s2s.train`"),
    ],
)
def test_a_mistake_is_one_line_on_stderr(in_process, tmp_path, arguments, message):
    assert in_process("translate", *arguments, stdin=b"eins\n") == (2, "", f"error: {message}\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("input=nowhere.txt", "nowhere.txt cannot be read (No such file or directory); give another file, or - for"),
        ("output=no/where.txt", "no/where.txt cannot be written (No such file or directory); give another file"),
        ("heatmap=look.bmp", "heatmap 'look.bmp' ends in '.bmp', expected one of"),
        ("batch_size=0", "batch_size=0 holds no sentence"),
        ("search.beam_size=0", "beam_size must be 1 or more, got 0"),
    ],
)
def test_a_mistake_about_files_or_numbers_is_explained(in_process, trained, argument, message):
    code, _, error = in_process("translate", f"run={trained.folder}", argument, stdin=b"eins\n")
    assert code == 2
    assert error.splitlines()[-1].startswith(f"error: {message}")
    assert "Traceback" not in error


def test_a_mistake_ends_the_program_with_code_2_and_no_traceback(s2s, tmp_path):
    result = s2s("translate", "serach=beam")
    assert (result.returncode, result.stdout) == (2, b"")
    assert result.stderr == b"error: serach is unknown, did you mean search?; `--help` lists the options\n"
    assert list(tmp_path.iterdir()) == []

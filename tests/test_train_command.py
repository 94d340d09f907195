"""python -m s2s.train, as a person runs it: what it prints, what it leaves behind, how it stops and goes on."""

import errno
import hashlib
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from s2s.errors import InputError


@pytest.fixture
def options(small_options):
    return [*small_options, "training.steps=2"]


@pytest.fixture(scope="module")
def sweep(small_options, environment, tmp_path_factory):
    """Two runs of one sweep, and what was printed."""
    folder = tmp_path_factory.mktemp("sweep")
    arguments = [*small_options, "training.steps=2", "seed=1,2", "-m"]
    line = [sys.executable, "-m", "s2s.train", *arguments]
    return folder, subprocess.run(line, capture_output=True, text=True, cwd=folder, env=environment, timeout=300)


def test_a_sweep_of_two_values_makes_two_runs(sweep):
    folder, result = sweep
    assert result.returncode == 0, result.stderr
    runs = sorted(path.parent for path in folder.glob("runs/*/result.json"))
    assert [run.name for run in runs] == ["files-de-en-luong", "files-de-en-luong-2"]
    assert sorted(re.findall(r"^seed: (\d)$", "".join((run / "config.yaml").read_text() for run in runs), re.M)) == [
        "1",
        "2",
    ]
    assert (runs[0] / "model.safetensors").read_bytes() != (runs[1] / "model.safetensors").read_bytes()


def test_nothing_but_runs_is_left_in_the_working_directory(sweep):
    folder, _ = sweep
    assert [path.name for path in folder.iterdir()] == ["runs"]
    files = {path.name for path in (folder / "runs" / "files-de-en-luong").iterdir()}
    assert files == {
        "config.yaml",
        "tokenizer",
        "model.safetensors",
        "shortlist.npz",
        "metrics.jsonl",
        "training",
        "result.json",
        "heatmap.png",
    }


def test_the_report_has_scores_with_signatures_samples_a_heatmap_and_what_comes_next(sweep, digits):
    folder, result = sweep
    run = folder / "runs" / "files-de-en-luong"
    scores = re.findall(
        r"^test (BLEU|chrF2) = (\d+\.\d\d)(?: ± \d+\.\d\d)? \((nrefs:1\|.*version:.*)\)$", result.stdout, re.M
    )
    assert [name for name, _, _ in scores] == ["BLEU", "chrF2", "BLEU", "chrF2"]
    kept = json.loads((run / "result.json").read_text())
    assert kept["BLEU"]["signature"] == scores[0][2]
    assert f"{kept['chrF2']['value']:.2f}" == scores[1][1]
    assert kept["BLEU"]["split"] == "test"
    references = (digits / "test.en").read_text(encoding="utf-8").removesuffix("\n")
    assert kept["BLEU"]["references_sha256"] == hashlib.sha256(references.encode()).hexdigest()
    assert len(re.findall(r"^source     .+\ntranslated .*\nreference  .+$", result.stdout, re.M)) == 6
    assert "heatmap    runs/files-de-en-luong/heatmap.png" in result.stdout
    assert re.search(
        r'^next       echo ".+" \| python -m s2s\.translate run=runs/files-de-en-luong$', result.stdout, re.M
    )
    assert (run / "heatmap.png").read_bytes().startswith(b"\x89PNG")


def test_the_result_keeps_what_comparing_needs(sweep):
    from s2s.model.cost import count_parameters, multiply_adds
    from s2s.run import Run

    folder, _ = sweep
    run = Run(folder / "runs" / "files-de-en-luong")
    kept, model = json.loads(run.result.read_text()), run.load_model()
    assert kept["model"] == {
        "parameters": count_parameters(model),
        "multiply_adds_per_token": multiply_adds(model),
    }
    (record,) = run.records()
    assert kept["training"] == {
        "seconds": record["seconds"],
        "updates": 2,
        "validation_perplexity": record["perplexity"],
    }


def test_gold_links_of_the_test_split_are_scored(in_process, options, digits, tmp_path):
    import shutil

    corpus = shutil.copytree(digits, tmp_path / "corpus")
    lengths = [len(line.split()) for line in (corpus / "test.en").read_text(encoding="utf-8").splitlines()]
    links = "".join(" ".join(f"{word}-{word}" for word in range(length)) + "\n" for length in lengths)
    (corpus / "test.de-en.align").write_text(links, encoding="utf-8")
    code, out, error = in_process("train", *options, "name=x", f"data.path={corpus}")
    assert code == 0, error
    kept = json.loads((tmp_path / "runs/x/result.json").read_text())["AER"]
    assert 0 <= kept["value"] <= 100
    assert f"test AER = {kept['value']:.2f} ({kept['signature']})" in out


def test_a_model_without_attention_has_no_alignment_and_no_heatmap(in_process, options, digits, tmp_path):
    import shutil

    corpus = shutil.copytree(digits, tmp_path / "corpus")
    (corpus / "test.de-en.align").write_text("0-0\n" * 6, encoding="utf-8")
    code, out, error = in_process("train", *options, "name=x", "model=sutskever", f"data.path={corpus}")
    assert code == 0, error
    assert "AER" not in json.loads((tmp_path / "runs/x/result.json").read_text())
    assert "heatmap" not in out
    assert "next       echo" in out


@pytest.mark.parametrize(
    ("choices", "name"),
    [
        ([], "files-de-en-luong"),
        (["model=bahdanau"], "files-de-en-bahdanau"),
        (["model/rnn=gru", "model/attention=dot"], "files-de-en-luong-gru-dot"),
        (
            ["model.num_layers=2", "model.tie_readout=false", "model.encoder_layers=null"],
            "files-de-en-luong-num_layers2-tie_readout_false-encoder_layers_null",
        ),
        (["model/rnn@model.encoder_rnn=gru"], "files-de-en-luong-encoder_rnn_gru"),
        (["data.label=a/b c", "model.dropout=0.25"], "a_b_c-de-en-luong-dropout0.25"),
        (["model.dropout=0.25", "name=x"], "x"),
        (["optimizer.lr=0.1", "sizes.hidden=8", "training.longest=50"], "files-de-en-luong"),
    ],
)
def test_a_run_is_named_after_what_was_chosen_for_its_model(in_process, options, monkeypatch, tmp_path, choices, name):
    import s2s.train

    def stop(run, _):
        raise InputError(str(run.folder))

    monkeypatch.setattr(s2s.train, "prepare", stop)
    code, _, error = in_process("train", *options, *choices)
    assert (code, error.splitlines()[0]) == (2, f"run: runs/{name}")


def test_progress_goes_to_stderr(sweep):
    _, result = sweep
    assert "run: runs/files-de-en-luong\n" in result.stderr
    assert "files: 60 training and 8 validation pairs, de to en" in result.stderr
    assert "validation perplexity" in result.stderr
    assert "validation" not in result.stdout


def test_the_run_can_be_moved_and_needs_no_corpus(sweep, tmp_path):
    import shutil

    from s2s import Translator

    folder, _ = sweep
    moved = shutil.copytree(folder / "runs" / "files-de-en-luong", tmp_path / "elsewhere")
    assert Translator.load(moved, device="cpu")(["eins"])[0].source == "eins"


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_or_sigterm_saves_and_the_run_goes_on_from_there(sent, small_options, environment, tmp_path):
    arguments = [*small_options, "name=x", "training.epochs=100000", "training.validate_every=1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "s2s.train", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=environment,
    )
    lines = []
    while not any("validation perplexity" in line for line in lines):
        lines.append(process.stderr.readline())
        assert lines[-1], "".join(lines)
    time.sleep(0.05)
    process.send_signal(sent)
    out, rest = process.communicate(timeout=120)
    assert process.returncode == 130, rest
    assert out == ""
    assert rest.endswith("stopped and saved; go on with: python -m s2s.train resume=runs/x\n")
    assert "Traceback" not in rest

    updates = json.loads((tmp_path / "runs/x/metrics.jsonl").read_text().splitlines()[-1])["updates"]
    line = [sys.executable, "-m", "s2s.train", "resume=runs/x", f"training.steps={updates + 2}"]
    result = subprocess.run(line, capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=300)
    assert result.returncode == 0, result.stderr
    assert "test BLEU = " in result.stdout
    made = [json.loads(line)["updates"] for line in (tmp_path / "runs/x/metrics.jsonl").read_text().splitlines()]
    assert [number for number in made if number >= updates] == [updates, updates + 1, updates + 2]


def test_a_full_disk_is_one_line_that_says_how_to_go_on(in_process, options, tmp_path, monkeypatch):
    real, calls = os.fsync, itertools.count()

    def full(descriptor):
        if next(calls) > 12:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    code, _, said = in_process("train", *options, "name=x", "training.steps=9", "training.validate_every=1")
    assert code == 2
    hint, error = said.splitlines()[-2:]
    assert hint == "what was saved before is whole; to go on from there: python -m s2s.train resume=runs/x"
    assert error.startswith("error: runs/x/")
    assert "cannot be written (No space left on device); make room for it" in error
    monkeypatch.setattr(os, "fsync", real)
    assert in_process("train", "resume=runs/x")[0] == 0


def test_a_resumed_run_takes_its_own_options_and_a_later_end(in_process, options, tmp_path):
    assert in_process("train", *options, "name=x")[0] == 0
    code, out, _ = in_process("train", f"resume={tmp_path}/runs/x", "training.steps=4", "device=cpu")
    assert code == 0
    assert "test BLEU" in out
    records = (tmp_path / "runs/x/metrics.jsonl").read_text().splitlines()
    assert [json.loads(record)["updates"] for record in records] == [2, 4]
    assert "steps: 4" in (tmp_path / "runs/x/config.yaml").read_text()


@pytest.mark.parametrize(
    "override", ["model.hidden_size=8", "model=bahdanau", "optimizer.lr=1", "data=sample", "seed=9"]
)
def test_a_resumed_run_cannot_become_another(in_process, trained, override):
    before = (trained.folder / "config.yaml").read_bytes()
    code, out, error = in_process("train", f"resume={trained.folder}", override)
    key = override.split("=")[0]
    assert (code, out) == (2, "")
    assert error == f"error: {key} cannot change in a resumed run, only training.* and device can; train a new run\n"
    assert (trained.folder / "config.yaml").read_bytes() == before


def test_a_mistake_in_resuming_is_not_kept(in_process, trained):
    before = (trained.folder / "config.yaml").read_bytes()
    code, _, error = in_process("train", f"resume={trained.folder}", "training.patience=-1")
    assert code == 2
    assert error.startswith("error: training.patience=-1 must be above 0")
    assert (trained.folder / "config.yaml").read_bytes() == before


@pytest.mark.parametrize(
    ("mistakes", "message"),
    [
        (["data.path=nowhere"], "error: data.path: nowhere does not exist"),
        (["training.epochs=0"], "error: training.epochs=0 must be above 0"),
        (["optimizer.lr=-1"], "error: the optimizer cannot be made"),
        (["device=toaster"], "error: device=toaster cannot be used here"),
        (["tokenizer=bpe", "tokenizer.vocabulary_size=4"], "error: tokenizer.vocabulary_size=4 does not fit"),
        (["resume=nowhere"], "error: nowhere is no run: it has no config.yaml"),
        (["training.epoch=1"], "error: training.epoch is unknown, did you mean training.epochs?"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_no_run_behind(in_process, options, tmp_path, mistakes, message):
    code, out, error = in_process("train", *options, "name=x", *mistakes)
    assert (code, out) == (2, "")
    assert error.splitlines()[-1].startswith(message)
    assert "Traceback" not in error
    assert not (tmp_path / "runs" / "x").exists()


def test_a_name_that_is_taken_is_refused(in_process, options, tmp_path):
    (tmp_path / "runs" / "x").mkdir(parents=True)
    code, _, error = in_process("train", *options, "name=x")
    assert (code, error) == (
        2,
        "error: runs/x exists; give another name=, or resume=runs/x, or remove it\n",
    )

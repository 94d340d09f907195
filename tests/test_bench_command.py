"""python -m s2s.bench: what it counts, what it prints, which mistakes it explains."""

import json
import re
import sys
import time

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from s2s.config import CONF, compose, help_text
from s2s.errors import InputError
from s2s.report.speed import json_text, peak_memory, seconds_to_first_line, spreads, text_table, timed
from s2s.train import prepare
from s2s.training.speed import Stretch, mean_lengths, time_training, time_translating, training_figures

SMALL = ("bench.repeats=1", "bench.updates=1", "bench.warm_up=1")
NOT_MEASURED = {
    "rescore_weights",
    "defaults",
    "output",
    "n_best",
    "batch_size",
    "heatmap",
    "mbr",
    "rescore",
    "candidates",
    "overwrite",
}


@pytest.fixture
def stretches():
    """Twice two updates: two pairs padded to 4 and 3, one pair alone; the second stretch takes twice the time."""
    lengths = [(np.array([4, 2]), np.array([3, 2])), (np.array([3]), np.array([5]))]
    return [Stretch(0.5, 2, lengths), Stretch(1.0, 2, lengths)]


def test_training_figures_are_what_they_are_by_hand(stretches):
    figures = training_figures(stretches, cost=1_000_000_000, product_rates=[200.0, 280.0])
    assert figures["target tokens/s"] == [20, 10]
    assert figures["updates/s"] == [4, 2]
    assert figures["matrix products of the model in GFLOP/s"] == [120, 60]
    assert figures["share of it in %"] == [50, 25]
    assert figures["padding in %"] == pytest.approx([100 * 3 / 22], abs=1e-9)
    assert mean_lengths(stretches) == pytest.approx((3, 10 / 3), abs=1e-9)


def test_the_product_is_named_by_its_size(stretches):
    figures = training_figures(stretches, cost=1, product_rates=[1.0], square=8192)
    assert "product of 8,192-square matrices in GFLOP/s" in figures


def test_a_gpus_memory_is_reported_beside_that_of_the_process(monkeypatch):
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 3_000_000)
    assert list(peak_memory(torch.device("cpu"))) == ["peak resident memory in MB"]
    assert peak_memory(torch.device("cuda"))["peak GPU memory in MB"] == [3]


def test_a_spread_is_median_least_and_greatest():
    assert spreads({"a": [3.0, 1.0, 2.0, 10.0], "nothing": []}) == {"a": {"median": 2.5, "least": 1, "greatest": 10}}


def test_the_table_shows_spreads_of_what_was_repeated_and_the_setting():
    figures, setting = {"tokens/s": [12345.6, 100.04, 20.0], "MB": [0.12345]}, {"processor": "[bold] x"}
    lines = text_table(figures, setting).splitlines()
    assert [re.split(r" {2,}", line.strip()) for line in lines if line and "─" not in line] == [
        ["median", "least", "greatest"],
        ["tokens/s", "100.0", "20.00", "12,346"],
        ["MB", "0.123"],
        ["processor: [bold] x"],
    ]
    assert json.loads(json_text(figures, setting)) == {"figures": spreads(figures), "setting": setting}


def test_work_is_timed_once_for_each_repeat():
    told, left = [], iter("abc")
    seconds, results = timed(lambda: next(left), repeats=2, name="work", say=told.append)
    assert (results, len(seconds), min(seconds) >= 0) == (["a", "b"], 2, True)
    assert [line.split(" in ")[0] for line in told] == ["work: 1 of 2", "work: 2 of 2"]


def test_a_process_is_timed_to_its_first_line_and_not_to_its_end():
    program = "import time; print(input(), flush=True); time.sleep(2)"
    start = time.perf_counter()
    (seconds,) = seconds_to_first_line([sys.executable, "-c", program], stdin="ä", repeats=1)
    assert time.perf_counter() - start - seconds > 1


def test_a_process_that_fails_is_named_with_its_last_words():
    with pytest.raises(InputError, match=r"^-c import sys; sys.exit\('no run'\) ended with 1: no run$"):
        seconds_to_first_line([sys.executable, "-c", "import sys; sys.exit('no run')"], stdin="", repeats=1)


def test_measured_updates_are_those_of_training(create_run, same):
    weights = []
    for _ in range(2):
        run = create_run("training.steps=7", "training.validate_every=7", "scheduled_sampling=linear")
        trainer, _ = prepare(run)
        if weights:
            time_training(trainer, warm_up=3, updates=2, repeats=2, say=lambda line: None)
        else:
            trainer.train()
        assert trainer.state.updates == 7
        weights.append({name: value.clone() for name, value in trainer.translator.model.state_dict().items()})
    assert same(*weights)


def test_measuring_goes_on_into_the_next_epoch(create_run):
    trainer, _ = prepare(create_run("training.batch_tokens=4096"))
    figures = time_training(trainer, warm_up=1, updates=2, repeats=2, say=lambda line: None)
    assert trainer.state.epoch >= 4
    assert len(figures["target tokens/s"]) == 2


def test_output_tokens_are_those_of_the_translations(translator):
    sentences = ["eins zwei", "drei", "vier fünf sechs"]
    figures = time_translating(translator, sentences, batch_size=2, repeats=3, say=lambda line: None)
    (tokens, lines), count = figures.values(), sum(len(one.target_tokens) for one in translator(sentences))
    assert list(figures) == ["beam 5, batch 2: output tokens/s", "beam 5, batch 2: sentences/s"]
    assert [rate / line for rate, line in zip(tokens, lines, strict=True)] == pytest.approx([count / 3] * 3, rel=1e-9)


def test_no_more_sentences_are_translated_than_asked_for(in_process, trained):
    lists = ("bench.beams=[2]", "bench.batches=[3,1]", "bench.sentences=5", "bench.sentences_alone=2")
    code, out, error = in_process("bench", "task=decode", f"run={trained.folder}", "device=cpu", *lists, *SMALL)
    assert code == 0, error
    assert re.findall(r"^beam .*(?=: 1 of 1)", error, re.MULTILINE) == [
        "beam 2, batch 3, 5 sentences",
        "beam 2, batch 1, 2 sentences",
    ]
    assert re.findall(r"^beam .*?/s", out, re.MULTILINE) == [
        f"beam 2, batch {batch}: {unit}" for batch in (3, 1) for unit in ("output tokens/s", "sentences/s")
    ]
    assert "data: files\nmodel: run\noptions: task=decode " in out


def test_a_file_is_translated_without_its_empty_lines(in_process, trained, tmp_path):
    (tmp_path / "text.de").write_text("eins\n\nzwei drei\n", encoding="utf-8")
    arguments = ("task=decode", f"run={trained.folder}", "device=cpu", "input=text.de", "format=json")
    code, out, error = in_process("bench", *arguments, "bench.beams=[1]", "bench.batches=[8]", *SMALL)
    assert (code, json.loads(out)["setting"]["data"]) == (0, "text.de")
    assert "batch 8, 2 sentences" in error


def test_the_bench_understands_what_training_and_translating_do():
    known = set(compose("bench", []))
    assert set(compose("train", [])) <= known
    assert set(OmegaConf.load(CONF / "translate.yaml")) - NOT_MEASURED <= known
    assert compose("bench", ["data=multi30k", "model=bahdanau", "training.batch_tokens=4096"]).sizes.hidden == 512


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["task=fly"], "task=fly is unknown; expected train, decode, startup"),
        (["format=csv"], "format=csv is unknown; expected text, json"),
        (["task=decode"], "no finished run in runs; train one with `python -m s2s.train` or name one with run=folder"),
        (["task=startup", "run=nowhere"], "nowhere is no run: it has no config.yaml"),
        (["data=files"], "data.source is not set; give data.source=… on the command line"),
        (["bench.repeats=0"], "bench.repeats=0: expected whole numbers above 0"),
        (["bench.updates=few"], "bench.updates=few is no value for bench.updates; expected a number, such as 10"),
        (["bench.beams=5"], "bench.beams=5: expected a list of whole numbers above 0"),
        (["bench.batches=[]"], "bench.batches=[]: expected a list of whole numbers above 0"),
        (["bench.update=3"], "bench.update is unknown, did you mean bench.updates?"),
    ],
)
def test_a_mistake_is_one_line_on_stderr(in_process, arguments, message):
    code, out, error = in_process("bench", *arguments)
    assert (code, out) == (2, "")
    assert error.startswith(f"error: {message}")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["search=sample"], "Sampling has no beams to be measured with; leave search= out"),
        (["input=empty"], "empty has no sentence to translate; give another input="),
    ],
)
def test_what_cannot_be_decoded_is_explained(in_process, trained, tmp_path, arguments, message):
    (tmp_path / "empty").write_text("\n \n", encoding="utf-8")
    code, _, error = in_process("bench", "task=decode", f"run={trained.folder}", *arguments)
    assert (code, error.splitlines()[-1]) == (2, f"error: {message}")


def test_the_help_names_every_own_option(in_process):
    code, out, _ = in_process("bench", "--help")
    assert (code, out) == (0, help_text("bench") + "\n")
    assert re.findall(r"^(\w+):", out, re.MULTILINE) == [
        "task",
        "run",
        "input",
        "format",
        "precision",
        "shortlist",
        "workers",
        "to",
        "bench",
    ]

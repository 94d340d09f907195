"""python -m s2s.tune, as a person looks for the best search of a run."""

import shutil

import pytest
from omegaconf import OmegaConf

from s2s.report.metrics import Score, bleu, chrf
from s2s.report.token_metrics import ExactMatch
from s2s.search.beam import BeamSearch
from s2s.train import prepare
from s2s.training.tuning import Result, tried
from s2s.translator import Translator

GRID = ("beam_size=[1,3]", "length_penalty=[0,0.6,2]", "coverage_penalty=[0,0.2]")


@pytest.fixture
def run(trained, tmp_path):
    """A copy of a run, which may be written to."""
    shutil.copytree(trained.folder, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def valid(digits):
    return [(digits / f"valid.{language}").read_text("utf-8").splitlines() for language in ("de", "en")]


def rows(out):
    """The settings of the table with their numbers, and which line is marked."""
    lines = out.splitlines()[1:-2]
    return [tuple(map(float, line[2:].split()))[:5] for line in lines], [line[0] for line in lines].index("*")


@pytest.mark.parametrize(("criterion", "score"), [("bleu", bleu), ("chrf", chrf), ("exact", ExactMatch().score)])
def test_every_setting_is_scored_as_a_search_with_it_is(in_process, run, valid, criterion, score):
    code, out, error = in_process("tune", f"run={run}", "device=cpu", f"criterion={criterion}", *GRID)
    assert code == 0, error
    table, marked = rows(out)
    sources, references = valid
    assert [row[:3] for row in table] == [(1, 1, 0), *((3, a, b) for a in (0, 0.6, 2) for b in (0, 0.2))]
    base = Translator.load(run, device="cpu")
    for size, alpha, beta, value, length in table:
        search = BeamSearch(
            beam_size=int(size), length_penalty=alpha, coverage_penalty=beta, max_ratio=1.0, max_extra=2
        )
        texts = [one.text for one in base.using(search)(sources)]
        assert value == pytest.approx(score(texts, references).value, abs=0.006)
        assert length == pytest.approx(sum(map(len, texts)) / sum(map(len, references)), abs=0.0006)
    best = max(row[3] for row in table)
    assert table[marked][3] == best
    size, alpha, beta = out.splitlines()[1 + marked][2:].split()[:3]
    assert out.splitlines()[-1] == (
        f"python -m s2s.translate run={run} search.beam_size={size} search.length_penalty={alpha} "
        f"search.coverage_penalty={beta}"
    )
    assert out.splitlines()[-2].startswith(
        f"best of 7 on 8 validation pairs: {score(*valid).name} = {best:.2f} (nrefs:1"
    )
    assert "beam_size=3: " in error


def test_the_best_search_is_kept_where_asked_for(in_process, run):
    before = OmegaConf.load(run / "config.yaml")
    options = ("beam_size=2", "length_penalty=1.25", "coverage_penalty=0.5")
    assert in_process("tune", f"run={run}", "device=cpu", *options)[0] == 0
    assert OmegaConf.load(run / "config.yaml") == before
    code, _, error = in_process("tune", f"run={run}", "device=cpu", *options, "keep=true")
    assert code == 0
    assert f"kept in {run}/config.yaml" in error
    after = OmegaConf.load(run / "config.yaml")
    assert Translator.load(run, device="cpu").search == BeamSearch(
        beam_size=2, length_penalty=1.25, coverage_penalty=0.5, max_ratio=1, max_extra=2
    )
    del before["search"], after["search"]
    assert after == before


def test_of_equal_scores_the_smaller_beam_wins_then_what_is_nearer_to_the_default():
    ranked = [(5, 0.6, 0.0, 30.1), (1, 1.4, 0.2, 30.0), (2, 0.6, 0.0, 30.0), (2, 0.6, 0.1, 30.0), (2, 0.4, 0.0, 30.0)]
    results = [
        Result(BeamSearch(beam_size=size, length_penalty=alpha, coverage_penalty=beta), Score("BLEU", value, ""), 1, 1)
        for size, alpha, beta, value in ranked
    ]
    assert sorted(results, key=Result.rank) == results[::-1]


def test_runs_that_translate_together_are_tuned_together(in_process, run):
    code, out, error = in_process(
        "tune", f"run=[{run},{run}]", "device=cpu", "beam_size=2", "length_penalty=1", "coverage_penalty=0"
    )
    assert code == 0, error
    assert out.splitlines()[-1].startswith(f"python -m s2s.translate run=[{run},{run}] search.beam_size=2 ")


def test_pairs_are_held_out_as_in_training_where_there_is_no_split(in_process, create_run, digits, tmp_path):
    for language in ("de", "en"):
        shutil.copy(digits / f"train.{language}", tmp_path)
    folder = create_run(f"data.path={tmp_path}", "training.steps=1", "search=beam")
    trainer, _ = prepare(folder)
    trainer.train()
    code, out, error = in_process(
        "tune", f"run={folder.folder}", "device=cpu", "beam_size=2", "length_penalty=1", "coverage_penalty=0"
    )
    assert code == 0, error
    assert "every 20th training pair is held out for it" in error
    assert "on 3 validation pairs" in out


def test_an_empty_source_has_an_empty_translation_whatever_the_setting(translator):
    settings = [(0.0, 0.0), (1.0, 0.0)]
    options = {"criterion": "bleu", "language": "en", "batch_size": 64, "say": lambda line: None}
    first, second = tried(translator, BeamSearch(), settings, (["", "eins"], ["x", "one"]), **options)
    assert first.score.value <= 100
    assert second.search.length_penalty == 1.0


def test_a_grid_costs_one_search_for_each_beam_size(translator, monkeypatch):
    calls, search = [], Translator._search

    def counted(self, *given):
        calls.append(self.search.search.beam_size)
        return search(self, *given)

    monkeypatch.setattr(Translator, "_search", counted)
    options = {"criterion": "bleu", "language": "en", "batch_size": 64, "say": lambda line: None}
    results = tried(
        translator, BeamSearch(), [(alpha / 10, 0.0) for alpha in range(15)], (["eins"], ["one"]), **options
    )
    assert (len(results), calls) == (15, [5])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["criterion=ter"], "criterion=ter is unknown; expected one of bleu, chrf, exact"),
        (["search=sample"], "Sampling has no beam size and penalties to tune; give search=beam"),
        (["beam_size=[1,x]"], r"beam_size=[1, 'x'] is no list of whole numbers; give [1,2]"),
        (["beam_size=[1.5]"], "beam_size=[1.5] is no list of whole numbers; give [1,2]"),
        (["beam_size=0"], "beam_size must be 1 or more, got 0"),
        (["length_penalty=[]"], "length_penalty=[] is no list of numbers; give [1,2]"),
        (["coverage_penalty=-1"], "coverage_penalty must be finite and not below 0, got -1"),
        (["run=[{run},{run}]", "keep=true"], "keep=true writes into one run, and several are named; leave it out"),
    ],
)
def test_a_mistake_is_one_line(in_process, run, options, message):
    code, out, error = in_process("tune", f"run={run}", "device=cpu", *(option.format(run=run) for option in options))
    assert (code, out) == (2, "")
    assert error.splitlines()[-1].startswith(f"error: {message}")

"""A language model that has a say in translating: as a person asks for it, tunes it and mistypes it."""

import json

import pytest

from s2s.fusion import Fusion
from s2s.search.beam import BeamSearch
from s2s.train import prepare
from s2s.translator import Translator

SENTENCES = ["eins zwei", "", "drei vier fünf", "neun", "acht sieben sechs eins", "null"]
STDIN = "".join(f"{sentence}\n" for sentence in SENTENCES).encode()


@pytest.fixture
def translate(in_process, trained):
    def run(*options):
        return in_process("translate", f"run={trained.folder}", "device=cpu", *options, stdin=STDIN)

    return run


def test_scores_of_what_is_found_are_those_of_both_models(translate, trained, language_model, translator):
    options = (f"search.lm={language_model.folder}", "search.lm_weight=0.7", "format=jsonl")
    code, out, error = translate(*options)
    assert code == 0, error
    alone = Translator.load(language_model, device="cpu")
    for row in map(json.loads, out.splitlines()):
        if row["source"]:
            (translated,), (said,) = (
                one.score([source], [row["target_tokens"]])
                for one, source in ((translator, row["source"]), (alone, ""))
            )
            assert row["log_prob"] == pytest.approx(translated.log_prob + 0.7 * said.log_prob, abs=1e-4)
            assert len(row["attention"]) == len(row["target_tokens"])


def test_a_weight_of_nothing_changes_nothing(translate, language_model):
    assert translate(f"search.lm={language_model.folder}", "search.lm_weight=0")[1] == translate()[1]


def test_a_heavy_weight_writes_what_the_language_model_likes_whatever_the_batch(translate, language_model):
    heavy = (f"search.lm={language_model.folder}", "search.lm_weight=3")
    found = {translate(*heavy, f"batch_size={size}")[1] for size in (1, 3, 64)}
    assert len(found) == 1
    assert found != {translate()[1]}


@pytest.mark.parametrize("option", ["shortlist=20", "precision=int8", "search=sample", "search.internal_lm_weight=0.1"])
def test_it_goes_with_the_other_options_of_translating(translate, language_model, option):
    code, out, error = translate(f"search.lm={language_model.folder}", option)
    assert code == 0, error
    assert len(out.splitlines()) == len(SENTENCES)


def test_weights_are_tuned_on_the_validation_pairs(in_process, trained, language_model, digits):
    code, out, error = in_process(
        "tune",
        f"run={trained.folder}",
        "device=cpu",
        f"search.lm={language_model.folder}",
        "lm_weight=[0,0.5,4]",
        "internal_lm_weight=[0,0.2]",
        "beam_size=3",
        "length_penalty=1",
        "coverage_penalty=0",
        "criterion=chrf",
    )
    assert code == 0, error
    rows = [line[2:].split() for line in out.splitlines()[1:-2]]
    assert [tuple(map(float, row[3:5])) for row in rows] == [(a, b) for a in (0, 0.5, 4) for b in (0, 0.2)]
    sources, references = ((digits / f"valid.{language}").read_text("utf-8").splitlines() for language in ("de", "en"))
    from s2s.report.metrics import chrf

    for row in rows:
        fusion = Fusion(lm=str(language_model.folder), lm_weight=float(row[3]), internal_lm_weight=float(row[4]))
        search = BeamSearch(beam_size=3, max_ratio=1.0, max_extra=2)
        fused = Translator.load(trained, device="cpu", search=search, fusion=fusion)
        assert float(row[5]) == pytest.approx(chrf([one.text for one in fused(sources)], references).value, abs=0.006)
    best = max(rows, key=lambda row: float(row[5]))
    assert f"search.lm={language_model.folder} search.lm_weight=" in out.splitlines()[-1]
    assert f"= {best[5]}" in out.splitlines()[-2]


def test_weights_of_runs_that_rescore_are_tuned_from_one_translation(in_process, trained, language_model, reverse):
    code, out, error = in_process(
        "tune",
        f"run={trained.folder}",
        "device=cpu",
        f"rescore=[{reverse.folder},{language_model.folder}]",
        "rescore_weights=[0,0.5]",
    )
    assert code == 0, error
    rows = [line[2:].split() for line in out.splitlines()[1:-2]]
    assert [tuple(map(float, row[3:5])) for row in rows] == [(0, 0), (0, 0.5), (0.5, 0), (0.5, 0.5)]
    assert len({row[-1] for row in rows}) == 1
    command = out.splitlines()[-1]
    assert f"rescore=[{reverse.folder},{language_model.folder}] rescore_weights=[" in command
    best = max(float(row[5]) for row in rows)
    assert f"= {best:.2f}" in out.splitlines()[-2]
    code, translated, error = in_process(*command.split()[2:3][0].split(".")[1:], *command.split()[3:], stdin=STDIN)
    assert code == 0, error
    assert len(translated.splitlines()) == len(SENTENCES)


def test_a_language_model_takes_the_pieces_of_a_translator(in_process, trained, small_options, tmp_path):
    options = [option for option in small_options if not option.startswith("tokenizer")]
    code, _, error = in_process(
        "train", *options, "model=lm", "training.steps=2", f"tokenizers_of={trained.folder}", "name=x"
    )
    assert code == 0, error
    from s2s.run import Run

    run = Run(tmp_path / "runs" / "x")
    assert run.tokenizers()[1].model == run.tokenizers()[0].model == trained.tokenizers()[1].model
    assert run.config.tokenizer.algorithm == "char"


MISTAKES = {
    "no run": (["search.lm=nowhere"], "nowhere is no run"),
    "a translator": (["search.lm={run}"], "translates; name a language model, trained with model=lm"),
    "weights alone": (["search.lm_weight=0.5"], "search.lm_weight= weighs a language model; name one with search.lm="),
    "a weight below 0": (
        ["search.lm={lm}", "search.lm_weight=-1"],
        "search.lm_weight=-1 is no weight; give a number from 0",
    ),
    "other pieces": (["search.lm={other}"], "writes other pieces than the translator; train it with tokenizers_of="),
    "several": (
        ["run=[{run},{run}]", "search.lm={lm}", "search.internal_lm_weight=0.1"],
        "search.internal_lm_weight= is of one run, and several translate; leave it out",
    ),
}


@pytest.fixture(scope="module")
def folders(create_run, trained, language_model):
    other = create_run("model=lm", "tokenizer=bpe", "tokenizer.vocabulary_size=40", "training.steps=1", name="other")
    prepare(other)[0].train()
    return {"run": trained.folder, "lm": language_model.folder, "other": other.folder}


@pytest.mark.parametrize(("options", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_line(in_process, folders, options, message):
    own = [option.format(**folders) for option in options]
    runs = [] if own[0].startswith("run=") else [f"run={folders['run']}"]
    code, out, error = in_process("translate", *runs, *own, stdin=STDIN)
    assert (code, out) == (2, "")
    assert message in error.splitlines()[-1]


def test_what_others_say_is_not_kept_in_a_run(in_process, trained, language_model):
    code, _, error = in_process("tune", f"run={trained.folder}", f"search.lm={language_model.folder}", "keep=true")
    assert (code, "keep=true keeps a search, and other runs have a say" in error) == (2, True)


@pytest.mark.parametrize("typed", ["tokenizer=bpe", "tokenizer.vocabulary_size=9", "init=x"])
def test_the_pieces_of_another_run_leave_no_choice(in_process, trained, small_options, typed):
    options = [option for option in small_options if not option.startswith("tokenizer")]
    code, _, error = in_process("train", *options, f"tokenizers_of={trained.folder}", typed)
    assert code == 2
    assert "tokenizers_of=" in error or "x is no run" in error

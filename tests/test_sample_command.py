"""python -m s2s.sample: texts of a language model, from nothing or from how they begin."""

import json

import pytest

from s2s.translator import Translator


@pytest.fixture
def sample(in_process, language_model):
    def run(*options, stdin=b""):
        return in_process("sample", f"run={language_model.folder}", "device=cpu", *options, stdin=stdin)

    return run


def test_a_text_begins_as_it_is_told(sample):
    code, out, err = sample("text=one t", "samples=4")
    assert code == 0, err
    assert len(out.splitlines()) == 4
    assert all(line.startswith("one t") for line in out.splitlines())


def test_from_nothing_texts_are_drawn_and_a_seed_draws_the_same_again(sample):
    texts = [sample("samples=6", f"search.seed={seed}")[1].splitlines() for seed in (0, 0, 1)]
    assert texts[0] == texts[1] != texts[2]
    assert len(set(texts[0])) > 1


def test_every_line_of_an_input_is_a_beginning_whatever_the_batch(sample):
    stdin = b"one\n\nnine f\n"
    found = [sample("input=-", f"batch_size={size}", "samples=2", stdin=stdin)[1] for size in (1, 64)]
    assert found[0] == found[1]
    lines = found[0].splitlines()
    assert len(lines) == 6
    assert all(line.startswith("one") for line in lines[:2])
    assert all(line.startswith("nine f") for line in lines[4:])


def test_json_has_what_the_model_says_of_every_piece(sample, language_model):
    _, out, _ = sample("text=one", "samples=3", "format=jsonl")
    (record,) = map(json.loads, out.splitlines())
    assert record["beginning"] == "one"
    translator = Translator.load(language_model, device="cpu")
    for one in record["samples"]:
        (scored,) = translator.score([""], [one["tokens"]])
        assert one["token_log_probs"] == pytest.approx(scored.token_log_probs, abs=1e-4)
    log_probs = [one["log_prob"] for one in record["samples"]]
    assert log_probs == sorted(log_probs, reverse=True)


def test_the_most_probable_text_is_a_search_away(sample):
    _, out, _ = sample("search=beam", "text=tw")
    assert out == "two\n"


def test_texts_end_at_their_limit(sample):
    _, out, _ = sample("text=one", "search.max_extra=6", "search.temperature=5", "samples=20", "format=jsonl")
    (record,) = map(json.loads, out.splitlines())
    assert max(len(one["tokens"]) for one in record["samples"]) == 6
    assert not all(one["finished"] for one in record["samples"])


MISTAKES = {
    "two beginnings": (["text=one", "input=-"], "text= and input= both say how texts begin; give one of them"),
    "a format": (["format=html"], "format=html is unknown; expected text or jsonl"),
    "characters it has never seen": (["text=食油"], "'食油' has characters this run has no piece for"),
    "a beginning too long": (["text=one two", "search.max_extra=3"], "leaves nothing to write; shorten it, or raise"),
}


@pytest.mark.parametrize(("options", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_line(sample, options, message):
    code, out, err = sample(*options)
    assert (code, out) == (2, "")
    assert message in err.splitlines()[-1]


def test_a_translator_writes_no_texts_and_a_language_model_translates_nothing(in_process, trained, language_model):
    code, _, err = in_process("sample", f"run={trained.folder}")
    assert (code, "translates; give run= of a language model" in err) == (2, True)
    for command in ("translate", "tune", "evaluate", "inspect"):
        code, _, err = in_process(command, f"run={language_model.folder}", stdin=b"eins\n")
        assert (code, "is a language model, which translates nothing" in err) == (2, True), err

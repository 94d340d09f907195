"""Several corpora and several directions in one model: how often each is drawn from, and what tags do."""

from pathlib import Path

import numpy as np
import pytest
from conftest import ENGLISH, GERMAN

from s2s.errors import InputError
from s2s.text.several import Mixture, SeveralCorpora
from s2s.train import prepare
from s2s.translator import Translator

# German copied, too, so that its own words do not say where to go.
THREE = ("data=several", "data.source=[de,en,de]", "data.target=[en,de,de]", "data.tags=true")


def corpora(**options):
    return SeveralCorpora(**{"label": "x", "source": "de", "target": "en", "path": ["a", "b"], **options})


def test_temperature_one_takes_every_pair_once():
    rows = np.arange(100)
    assert sorted(Mixture([90, 10], None, 1.0).draw(rows, seed=1, epoch=0)) == rows.tolist()


@pytest.mark.parametrize(
    ("weights", "temperature", "expected"),
    [
        (None, 2.0, [75, 25]),  # 90 ** 0.5 : 10 ** 0.5 = 3 : 1
        (None, 1e9, [50, 50]),
        ([1, 3], 1.0, [25, 75]),
        ([1, 3], 5.0, [25, 75]),
    ],
)
def test_corpora_are_drawn_from_by_temperature_or_weights(weights, temperature, expected):
    mixture, rows = Mixture([90, 10], weights, temperature), np.arange(100)
    drawn = mixture.draw(rows, seed=1, epoch=0)
    assert [(drawn < 90).sum(), (drawn >= 90).sum()] == expected
    for part in (drawn[drawn < 90], drawn[drawn >= 90]):  # each as often as any other, or once more
        _, times = np.unique(part, return_counts=True)
        assert times.max() - times.min() <= 1
    assert drawn.tolist() == mixture.draw(rows, seed=1, epoch=0).tolist()
    for other in ({"seed": 1, "epoch": 1}, {"seed": 2, "epoch": 0}):
        assert sorted(drawn) != sorted(mixture.draw(rows, **other))


def test_as_many_are_drawn_as_there_are_that_can_be_used():
    rows = np.array([0, 1, 2, 5, 6, 8])
    drawn = Mixture([5, 2, 2], None, 3.0).draw(rows, seed=1, epoch=0)
    assert len(drawn) == 6
    assert set(drawn) <= set(rows.tolist())
    with pytest.raises(InputError, match="no training pair is left of corpus 2 of 2; leave it out or look at it"):
        Mixture([5, 2], None, 1.0).draw(np.arange(5), seed=1, epoch=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": "a"}, "data=several: there is no list; give lists with a value for each corpus"),
        ({"source": ["de", "zh", "fr"]}, r"data.source has 3, data.path has 2; give lists"),
        ({"weights": [1.0]}, r"data.path has 2, data.weights has 1; give lists"),
        ({"temperature": 0.0}, r"data.temperature=0.0 data.weights=None: expected numbers above 0"),
        ({"weights": [1.0, -1.0]}, r"data.weights=\[1.0, -1.0\]: expected numbers above 0"),
    ],
)
def test_what_makes_no_sense_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        corpora(**options)


def test_one_value_holds_for_all_corpora_and_a_list_for_each():
    found = corpora(source=["de", "zh"], path="folder").corpora
    assert [(one.source, one.target, one.path) for one in found] == [("de", "en", "folder"), ("zh", "en", "folder")]
    assert corpora(target=["en", "zh"]).language == "zh"


def test_the_doctor_looks_at_one_corpus_at_a_time(in_process, digits):
    code, _, err = in_process("doctor", *THREE, f"data.path={digits}")
    assert (code, err) == (2, "error: data=several holds several corpora; look at one after another, with data=files\n")


@pytest.fixture(scope="module")
def both(create_run):
    """A run of German to English, English to German and German to German, by tags."""
    options = ("training.steps=600", "training.validate_every=600", "optimizer.lr=0.02", "sizes.dropout=0")
    run = create_run(
        *THREE, *options, "tokenizer=word", "tokenizer.joint=true", "sizes.hidden=64", "sizes.embedding=32"
    )
    trainer, _ = prepare(run)
    assert trainer.train()
    return run


def test_a_tag_is_one_piece_whatever_the_algorithm(create_run, both):
    unigram = create_run(*THREE, "tokenizer=unigram", "tokenizer.vocabulary_size=60")
    bpe = create_run(*THREE, "tokenizer=bpe", "tokenizer.vocabulary_size=60", "tokenizer.sampling=0.3")
    for run in (both, unigram, bpe):
        prepare(run)
        source, _ = run.tokenizers()
        pieces = source.pieces("<2en> drei vier")
        assert sum("<2en>" in piece for piece in pieces) == 1
        assert "".join(pieces[:-1]) == "▁<2en>▁drei▁vier"
    drawn = bpe.tokenizers()[0].encode(["<2de> three"] * 20, sampling=0.3, seed="1")
    assert all("<2de>" in bpe.tokenizers()[0].pieces_of(ids) for ids in drawn)


def test_the_direction_follows_the_tag(both, digits):
    loaded = {language: Translator.load(both, device="cpu", to=language) for language in ("de", "en")}
    words = {"de": set(GERMAN), "en": set(ENGLISH)}
    for to, source in (("de", "en"), ("en", "de"), ("de", "de")):
        sentences = (digits / f"valid.{source}").read_text(encoding="utf-8").splitlines()
        written = [word for one in loaded[to](sentences) for word in one.text.split()]
        assert len(written) > 8
        assert sum(word in words[to] for word in written) > 0.9 * len(written)
    assert [one.text for one in loaded["en"](["acht", "", "drei"])] == ["eight", "", "three"]
    typed = Translator.load(both, device="cpu")(["<2en> acht"])[0]
    assert (typed.text, typed.source_tokens) == ("eight", ("▁<2en>", "▁acht", "</s>"))


def test_each_part_of_a_long_line_has_the_tag(both):
    translator = Translator.load(both, device="cpu", to="en")
    translator.longest = 3
    (one,) = translator(["drei vier. acht neun. drei vier."])
    assert len(one.parts) > 1
    assert all(part.source.startswith("<2en> ") for part in one.parts)


def test_training_is_on_all_directions_and_goes_on_where_it_stopped(create_run, same):
    options = [*THREE, "data.weights=[3,1,1]", "training.validate_every=100"]
    whole, _ = prepare(create_run(*options, "training.steps=2"))
    assert len(whole.data.rows) == 180
    assert len(whole.data.valid_sources) == 24
    assert whole.train()
    run = create_run(*options, "training.steps=17", "scheduler=constant")
    prepare(run)[0].train()
    run.config.training.steps = 30
    straight, _ = prepare(create_run(*options, "training.steps=30", "scheduler=constant"))
    straight.train()
    going_on, _ = prepare(run)
    going_on.train()
    assert same(straight.model.state_dict(), going_on.model.state_dict())


@pytest.mark.parametrize("format", ["safetensors", "onnx"])
def test_what_is_given_away_is_asked_for_a_language_too(in_process, digits, format):
    folders = f"data.path=[{digits},{digits}]"
    options = ["data=several", folders, "data.source=[de,en]", "data.target=[en,de]", "data.tags=true"]
    options += ["tokenizer=word", "sizes.embedding=8", "sizes.hidden=8", "training.steps=2", "device=cpu"]
    code, out, err = in_process("train", *options, "name=two")
    assert code == 0, err
    (following,) = [line for line in out.splitlines() if line.startswith("next ")]
    assert "<2" not in following
    assert following.endswith("| python -m s2s.translate run=runs/two to=en")
    code, _, err = in_process("export", "run=runs/two", f"format={format}", "precision=null", "output=given")
    assert code == 0, err
    assert str(digits) not in Path("given/config.yaml").read_text("utf-8")
    found = [in_process("translate", f"run={run}", "to=en", stdin=b"drei vier\n") for run in ("runs/two", "given")]
    assert [code for code, _, _ in found] == [0, 0], found
    assert found[0][1] == found[1][1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["to=fr"], "to=fr is no language that RUN can be asked for; give one of en, de"),
        ([], "RUN translates into en, de; say into which, such as to=en"),
    ],
)
def test_a_mistake_in_the_language_is_one_line(in_process, both, options, message):
    code, out, err = in_process("translate", f"run={both.folder}", "device=cpu", *options, stdin=b"drei\n")
    assert (code, out) == (2, "")
    assert err.splitlines()[-1] == f"error: {message}".replace("RUN", str(both.folder))


def test_a_run_without_tags_is_asked_for_no_language(in_process, trained):
    code, _, err = in_process("translate", f"run={trained.folder}", "device=cpu", "to=en", stdin=b"drei\n")
    assert code == 2
    assert "it was trained without data.tags=true; leave it out" in err
    code, out, _ = in_process("translate", f"run={trained.folder}", "device=cpu", stdin=b"drei\n")
    assert (code, out) == (0, "three\n")


def test_a_language_is_given_on_the_command_line_and_a_split_is_scored_pooled(in_process, both):
    code, out, _ = in_process("translate", f"run={both.folder}", "device=cpu", "to=de", stdin=b"eight\n\n")
    assert (code, out) == (0, "acht\n\n")
    code, out, err = in_process("evaluate", f"run={both.folder}", "device=cpu", "metrics=[exact]")
    assert code == 0, err
    assert out.startswith("exact match")

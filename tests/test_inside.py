"""Gates, beams and the course of training, each against what the model itself says."""

import numpy as np
import pytest
from PIL import Image

from s2s.errors import InputError
from s2s.inside import beam_tree, cell_traces, draw_cells, evolution, write_evolution, write_trees
from s2s.search.beam import BeamSearch
from s2s.search.sampling import Sampling
from s2s.text.batching import collate
from s2s.train import prepare
from s2s.translator import Translator

SOURCE = "eins zwei drei"


def trained_on(run):
    trainer, _ = prepare(run)
    assert trainer.train()
    return run


@pytest.fixture(scope="module")
def evolved(create_run):
    """A run that kept the attention of its second validation pair."""
    return trained_on(create_run("training.steps=9", "training.validate_every=3", "training.keep_attention=2"))


@pytest.mark.parametrize(
    ("cell", "values"),
    [
        ("lstm", ["input_gate", "forget_gate", "content", "output_gate", "memory", "hidden"]),
        ("gru", ["reset_gate", "update_gate", "content", "hidden"]),
        ("rnn", ["hidden"]),
        ("lstm_layernorm", ["input_gate", "forget_gate", "content", "output_gate", "memory", "hidden"]),
    ],
)
def test_every_layer_and_direction_is_traced_over_the_pieces_it_read(create_run, cell, values):
    run = trained_on(create_run("training.steps=2", f"model/rnn={cell}", "model.num_layers=2"))
    translator = Translator.load(run, device="cpu")
    (translation,) = translator([SOURCE])
    traces = cell_traces(translator, translation)
    assert [trace.name for trace in traces] == [
        *(f"encoder, layer {layer}{way}" for layer in (1, 2) for way in ("", ", backward")),
        "decoder, layer 1",
        "decoder, layer 2",
    ]
    for trace in traces[:4]:
        assert trace.labels == translation.source_tokens
    for trace in traces[4:]:
        assert trace.labels == ("<s>", *translation.target_tokens[:-1])
    for trace in traces:
        assert list(trace.values) == values


def test_a_direction_is_shown_in_the_order_of_the_sentence(translator):
    (translation,) = translator([SOURCE])
    forward, backward, _ = cell_traces(translator, translation)
    encoded = translator.model.encoder(collate(translator.source.encode([SOURCE])))
    both = np.concatenate([forward.values["hidden"], backward.values["hidden"]], axis=1)
    np.testing.assert_allclose(both, encoded.values[0].detach().numpy(), atol=1e-5)


def test_a_reversed_source_is_labelled_in_the_order_in_which_it_is_read(create_run):
    translator = Translator.load(trained_on(create_run("training.steps=2", "model=sutskever")), device="cpu")
    (translation,) = translator([SOURCE])
    assert cell_traces(translator, translation)[0].labels == translation.source_tokens[::-1]


def test_pictures_of_cells_are_numbered_and_skip_empty_lines(translator, tmp_path):
    said = []
    draw_cells(translator, [(["eins", "", "zwei"], None)], str(tmp_path / "gates.png"), say=said.append)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gates-1.png", "gates-2.png"]
    draw_cells(translator, [(["eins"], ["one"])], str(tmp_path / "one.png"), say=said.append)
    with Image.open(tmp_path / "one.png") as picture:
        assert picture.size[0] > 300


@pytest.mark.parametrize("search", [BeamSearch(beam_size=1), BeamSearch(beam_size=4, coverage_penalty=0.2)], ids=repr)
def test_the_tree_of_a_beam_leads_to_what_the_search_returns(translator, search):
    translator = translator.using(search)
    (translation,) = translator([SOURCE], n_best=search.beam_size)
    tree = beam_tree(translator, SOURCE)
    assert tree.winner_text == translation.text
    won = [(step, index) for step, row in enumerate(tree.steps) for index, one in enumerate(row) if one.fate == "won"]
    ((step, index),) = won
    labels = [tree.steps[at][place].label for at, place in enumerate(tree.path(step, index))]
    assert tuple(labels) == translation.target_tokens
    assert tree.steps[step][index].score == pytest.approx(translation.score, abs=1e-9)
    counted = sorted((ending.score for ending in tree.endings if ending.counted), reverse=True)
    kept = [one.score for one in (translation, *translation.alternatives)]
    assert counted[: len(kept)] == pytest.approx(kept, abs=1e-9)
    for row in tree.steps:
        assert sum(one.fate == "alive" for one in row) <= search.beam_size


def test_a_tree_needs_a_beam_and_all_words(translator, trained):
    with pytest.raises(InputError, match="view=beam needs a beam search, got Sampling"):
        beam_tree(translator.using(Sampling()), SOURCE)
    with pytest.raises(InputError, match="view=beam shows all words; leave shortlist= out"):
        beam_tree(Translator.load(trained, device="cpu", shortlist=5), SOURCE)


def test_the_trees_of_all_sentences_are_on_one_page(translator, tmp_path):
    write_trees(translator, ["eins", "", "zwei <b>"], str(tmp_path / "beam.html"), title="Beams")
    page = (tmp_path / "beam.html").read_text("utf-8")
    assert page.count('type="application/json"') == 2
    assert "zwei <b>" not in page


def test_attention_over_training_has_a_panel_for_each_validation(evolved):
    sheet = evolution(evolved)
    assert [one.title for one in sheet.panels] == ["update 3", "update 6", "update 9"]
    last = sheet.panels[-1].views["pieces"]
    translator = Translator.load(evolved, device="cpu")
    assert last.source == tuple(translator.source.pieces(sheet.source))
    assert not np.array_equal(sheet.panels[0].views["pieces"].weights, last.weights)


def test_attention_over_training_is_an_animation_or_a_page(evolved, tmp_path):
    write_evolution(evolved, str(tmp_path / "course.gif"), level="words", say=print)
    with Image.open(tmp_path / "course.gif") as animation:
        assert animation.n_frames == 3
    write_evolution(evolved, str(tmp_path / "course.html"), level="words", say=print)
    assert "update 9" in (tmp_path / "course.html").read_text("utf-8")


def test_a_run_that_kept_no_attention_says_how_to_keep_some(trained):
    with pytest.raises(InputError, match=r"no attention over its training; train with training\.keep_attention=1"):
        evolution(trained)


@pytest.mark.parametrize(
    ("show", "message"),
    [
        (lambda translator, run, path: draw_cells(translator, [], path, say=print), "view=gates draws a picture"),
        (lambda translator, run, path: write_trees(translator, [], path, title=""), "view=beam writes a page"),
        (lambda translator, run, path: write_evolution(run, path, level="words", say=print), "view=evolution writes"),
    ],
)
def test_a_file_of_another_kind_is_refused(translator, trained, show, message):
    with pytest.raises(InputError, match=rf"{message}.*, got output=x\.txt; give a file that ends in \."):
        show(translator, trained, "x.txt")


def test_cells_of_a_run_that_writes_backwards_are_labelled_with_what_they_read(create_run):
    translator = Translator.load(trained_on(create_run("training.steps=2", "tokenizer.backwards=true")), device="cpu")
    (translation,) = translator.score([SOURCE], ["one two"])
    *written, _ = translator.target.pieces("one two")
    assert cell_traces(translator, translation)[-1].labels == ("<s>", *written)
    assert "".join(reversed(written)) == "▁one▁two"


def test_the_gates_of_a_language_model_are_those_of_the_text_it_is_given(language_model, tmp_path):
    translator = Translator.load(language_model, device="cpu")
    (read,) = translator.score([""], ["one two"])
    (trace,) = cell_traces(translator, read)
    assert trace.name == "decoder, layer 1"
    assert trace.labels == ("<s>", *read.target_tokens[:-1])
    draw_cells(translator, [(["one two", "", "six"], None)], str(tmp_path / "gates.png"), say=print)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gates-1.png", "gates-2.png"]


def test_the_beam_of_a_language_model_goes_on_from_a_beginning(language_model, tmp_path):
    search = BeamSearch(beam_size=3, max_extra=12)
    translator = Translator.load(language_model, device="cpu", search=search)
    tree = beam_tree(translator, "tw")
    assert tree.winner_text == translator(["tw"])[0].text == "two"
    assert [len(step) for step in tree.steps[:3]] == [1, 1, 1]
    write_trees(translator, ["tw", ""], str(tmp_path / "beam.html"), title="beams")
    assert (tmp_path / "beam.html").stat().st_size > 1000

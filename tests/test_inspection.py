"""What is shown of a sentence agrees with the model, whatever is asked for beside it."""

import random
from dataclasses import replace

import numpy as np
import pytest
from conftest import GERMAN

from s2s.errors import InputError
from s2s.inspection import Linking, panel, sheets
from s2s.report.alignment import hard_links, pharaoh, threshold_links
from s2s.report.symmetrise import symmetrise
from s2s.search.beam import BeamSearch
from s2s.train import prepare
from s2s.translator import Translator

SOURCES = ["eins zwei drei", "", "neun acht"]


def sentences(count):
    draw = random.Random(5)
    return [" ".join(draw.choice(GERMAN) for _ in range(draw.randint(1, 5))) for _ in range(count)]


def briefly_trained(create_run, *options):
    run = create_run("training.steps=4", "search=beam", *options)
    trainer, _ = prepare(run)
    assert trainer.train()
    return Translator.load(run, device="cpu")


@pytest.fixture(scope="module")
def headed(create_run):
    """A translator with two heads that look through a window."""
    options = ("model/attention=multihead", "model.attention.heads=2", "model/window=local_p", "model.window.width=2")
    return briefly_trained(create_run, *options)


def test_attention_of_200_sentences_hypotheses_is_that_of_forced_decoding(translator):
    searching = translator.using(BeamSearch(beam_size=5))
    every = [
        one for found in searching(sentences(200), n_best=5, batch_size=32) for one in (found, *found.alternatives)
    ]
    assert len(every) == 1000
    forced = translator.score([one.source for one in every], [one.target_tokens for one in every], batch_size=7)
    for one, other in zip(every, forced, strict=True):
        assert one.target_tokens == other.target_tokens
        assert one.source_tokens == other.source_tokens
        np.testing.assert_allclose(one.attention, other.attention, atol=1e-5)
        assert one.token_log_probs == pytest.approx(other.token_log_probs, abs=1e-4)


def test_rows_sum_to_one_by_pieces_and_by_words_and_probabilities_to_the_same(translator):
    for sheet in sheets({"": translator}, sentences(30), n_best=3):
        for shown in sheet.panels:
            for view in shown.views.values():
                np.testing.assert_allclose(view.weights.sum(axis=1), 1, atol=1e-5)
                assert sum(view.log_probs) == pytest.approx(shown.log_prob, abs=1e-4)


def test_a_sentence_without_words_has_no_panel_and_keeps_its_place(translator):
    shown = sheets({"": translator}, SOURCES)
    assert [sheet.source for sheet in shown] == SOURCES
    assert [len(sheet.panels) for sheet in shown] == [1, 0, 1]


def test_panels_are_named_by_what_tells_them_apart(translator):
    two = {"a": translator, "b": translator.using(BeamSearch(beam_size=2))}
    titles = {
        (models, n_best): [one.title for one in sheets(translators, SOURCES[:1], n_best=n_best)[0].panels]
        for models, translators in ((1, {"a": translator}), (2, two))
        for n_best in (1, 2)
    }
    assert titles == {(1, 1): [""], (1, 2): ["1", "2"], (2, 1): ["a", "b"], (2, 2): ["a 1", "a 2", "b 1", "b 2"]}


def test_given_targets_are_shown_in_place_of_translations(translator):
    targets = ["nine nine", "", "one"]
    shown = sheets({"": translator}, SOURCES, targets)
    assert [one.text for sheet in shown for one in sheet.panels] == ["nine nine", "one"]
    (scored,) = translator.score(SOURCES[:1], targets[:1])
    np.testing.assert_allclose(shown[0].panels[0].views["pieces"].weights, scored.attention, atol=1e-6)
    with pytest.raises(InputError, match="n_best=2 ranks translations"):
        sheets({"": translator}, SOURCES, targets, n_best=2)


def test_heads_and_window_are_shown_where_asked(headed):
    (sheet,) = sheets({"": headed}, SOURCES[:1], parts=True)
    pieces, words = sheet.panels[0].views["pieces"], sheet.panels[0].views["words"]
    assert list(pieces.parts) == list(words.parts) == ["head 1", "head 2", "window"]
    mean = (pieces.parts["head 1"] + pieces.parts["head 2"]) / 2
    np.testing.assert_allclose(mean, pieces.weights, atol=1e-5)
    assert ((pieces.parts["window"] == 0) <= (pieces.weights < 1e-6)).all()
    assert sheets({"": headed}, SOURCES[:1])[0].panels[0].views["pieces"].parts == {}


def test_links_are_read_off_words(translator):
    translations = translator(sentences(5))
    shown = [one.words() for one in translations]
    assert Linking(share=0.9)(translations) == [hard_links(view, share=0.9) for view in shown]
    above = [threshold_links(view, threshold=0.2) for view in shown]
    assert Linking(threshold=0.2)(translations) == above
    assert panel(translator, translations[0], links=above[0]).links == pharaoh(above[0])


@pytest.mark.parametrize("method", ["intersection", "union", "grow-diag-final-and"])
def test_links_of_the_other_direction_are_turned_round_and_joined(translator, create_run, method):
    backward = briefly_trained(create_run, "data.source=en", "data.target=de")
    translations = translator(sentences(6))
    texts, sources = [one.text for one in translations], [one.source for one in translations]
    forward = Linking()(translations)
    turned = [{(i, j) for j, i in hard_links(one.words())} for one in backward.score(texts, sources)]
    joined = [symmetrise(one, other, method) for one, other in zip(forward, turned, strict=True)]
    assert Linking(backward=backward, method=method)(translations) == joined


def test_an_unknown_way_to_join_links_is_refused():
    with pytest.raises(InputError, match="symmetrise=grow is unknown; expected one of intersection"):
        Linking(method="grow")


def test_a_model_without_attention_has_nothing_to_show(create_run):
    blind = briefly_trained(create_run, "model=sutskever")
    with pytest.raises(InputError, match="a model without attention"):
        sheets({"": blind}, SOURCES)


def test_an_unfinished_hypothesis_is_shown_like_any_other(translator):
    short = translator.using(replace(translator.search, max_ratio=0.0, max_extra=3))
    (sheet,) = sheets({"": short}, ["eins zwei drei vier"])
    assert sheet.panels[0].views["pieces"].target[-1] == "</s>"


def test_heads_of_a_run_that_writes_backwards_stand_beside_the_tokens_they_wrote(create_run):
    heads = ("model/attention=multihead", "model.attention.heads=2")
    (sheet,) = sheets({"": briefly_trained(create_run, "tokenizer.backwards=true", *heads)}, SOURCES[:1], parts=True)
    pieces = sheet.panels[0].views["pieces"]
    mean = (pieces.parts["head 1"] + pieces.parts["head 2"]) / 2
    np.testing.assert_allclose(mean, pieces.weights, atol=1e-5)
    assert np.abs(mean[:-1] - mean[-2::-1]).max() > 1e-4

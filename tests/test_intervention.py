"""A say in a translation: how it begins, where it looks; all else stays as it is."""

import numpy as np
import pytest

from s2s.errors import InputError
from s2s.intervention import interfere, interfered_sheets, replaced_word, sight
from s2s.search.beam import BeamSearch
from s2s.search.sampling import Sampling
from s2s.train import prepare
from s2s.translator import Translator

SOURCE = "eins zwei drei"
PIECES = ["▁Der", "▁alte", "▁Hund", "e", "▁Der", "</s>"]


def test_without_a_say_the_translation_is_the_same(translator):
    (plain,) = translator([SOURCE], n_best=3)
    same = interfere(translator, SOURCE, n_best=3)
    assert same.text == plain.text
    assert same.score == pytest.approx(plain.score, abs=1e-6)
    assert [one.text for one in same.alternatives] == [one.text for one in plain.alternatives]


@pytest.mark.parametrize("search", [BeamSearch(beam_size=1), BeamSearch(beam_size=4), Sampling(seed=3)], ids=repr)
def test_a_translation_begins_as_it_is_told_and_counts_those_tokens_as_the_model_does(translator, search):
    forced = interfere(translator.using(search), SOURCE, prefix="nine f")
    assert forced.text.startswith("nine f")
    assert translator([SOURCE])[0].text != forced.text
    (scored,) = translator.score([SOURCE], [forced.target_tokens])
    assert forced.token_log_probs == pytest.approx(scored.token_log_probs, abs=1e-4)
    np.testing.assert_allclose(forced.attention, scored.attention, atol=1e-5)


def test_a_run_that_writes_backwards_is_refused(create_run):
    run = create_run("training.steps=1", "tokenizer.backwards=true")
    prepare(run)[0].train()
    with pytest.raises(InputError, match="this run writes its targets backwards, so none begins as one says; take one"):
        interfere(Translator.load(run, device="cpu"), SOURCE, prefix="nine")


def test_forbidden_positions_get_no_weight_at_their_step_and_what_follows_is_free_again(translator):
    (plain,) = translator([SOURCE])
    place = int(plain.attention[0].argmax())
    changed = interfere(translator, SOURCE, forbid=[f"0:{place}", "1:0", "1:1"])
    assert changed.attention[0, place] == 0
    assert (changed.attention[1, :2] == 0).all()
    assert (changed.attention[2:] > 0).all()
    np.testing.assert_allclose(changed.attention.sum(axis=1), 1, atol=1e-5)


def test_a_forced_position_gets_all_the_weight(translator):
    changed = interfere(translator, SOURCE, force=["0:3", "1:5"], prefix="two")
    assert changed.attention[0].argmax() == 3
    assert changed.attention[0, 3] == pytest.approx(1)
    assert changed.attention[1, 5] == pytest.approx(1)
    assert changed.text.startswith("two")


def test_a_word_is_all_its_pieces_wherever_it_stands():
    seen = sight(PIECES, force=["2:Hunde", "5:Der"], forbid=["0:alte"])
    assert seen[2] == [False, False, True, True, False, False]
    assert seen[5] == [True, False, False, False, True, False]
    assert seen[0] == [True, False, True, True, True, True]
    assert set(seen) == {0, 2, 5}


def test_chinese_words_are_found_within_pieces():
    assert sight(["▁我们去", "图书馆", "。", "</s>"], force=["0:图书", "1:去"]) == {
        0: [False, True, False, False],
        1: [True, False, False, False],
    }


def test_forcing_and_forbidding_one_step_leaves_what_is_forced_and_not_forbidden():
    assert sight(PIECES, force=["1:0", "1:2"], forbid=["1:2"]) == {1: [True] + [False] * 5}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"force": ["Hund"]}, "force=Hund is no step and place; write step:number or step:word"),
        ({"forbid": ["1:6"]}, "forbid=1:6: the source has no 6; its pieces are 0:▁Der 1:▁alte"),
        ({"force": ["0:Katze"]}, "the source has no Katze"),
        ({"force": ["0:s"]}, "the source has no s"),
        ({"forbid": [f"3:{place}" for place in range(6)]}, "forbid= leaves step 3 nothing to look at"),
    ],
)
def test_places_that_are_not_there_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        sight(PIECES, **options)


@pytest.mark.parametrize(
    ("text", "change", "expected"),
    [
        ("The dog sleeps.", "1:cat", "The cat"),
        ("The dog sleeps.", "0:A", "A"),
        ("我们去图书馆。", "2:看", "我们看"),
        ("Two dogs, three cats", "2:;", "Two dogs;"),
    ],
)
def test_a_word_is_replaced_and_what_follows_is_left_to_be_written(text, change, expected):
    assert replaced_word(text, change) == expected


@pytest.mark.parametrize("change", ["3", "9:x", "one:x", "1:"])
def test_a_word_that_is_not_there_is_not_replaced(change):
    with pytest.raises(InputError, match=f"replace={change} is no number and word; .* 0:The 1:dog 2:sleeps"):
        replaced_word("The dog sleeps.", change)


def test_before_and_after_are_shown_side_by_side(translator):
    empty, sheet = interfered_sheets(translator, ["", SOURCE], replace="0:nine")
    assert empty.panels == ()
    before, after = sheet.panels
    assert (before.title, after.title) == ("as it is", "with your say")
    assert before.text == translator([SOURCE])[0].text
    assert after.text.startswith("nine")


def test_requests_that_cannot_be_met_are_refused(translator, trained):
    with pytest.raises(InputError, match="has characters this run has no piece for"):
        interfere(translator, SOURCE, prefix="日本")
    with pytest.raises(InputError, match="leaves nothing to write within the length limit"):
        interfere(translator, "eins", prefix="one " * 40)
    with pytest.raises(InputError, match="prefix= and replace= both say"):
        list(interfered_sheets(translator, [SOURCE], prefix="a", replace="0:b"))
    listed = Translator.load(trained, device="cpu", shortlist=5)
    with pytest.raises(InputError, match="a shortlist may lack the words of a prefix"):
        interfere(listed, SOURCE, prefix="nine")


def test_a_window_without_a_position_in_sight_is_refused(create_run):
    run = create_run("training.steps=1", "model/window=local_m", "model.window.width=1")
    prepare(run)[0].train()
    local = Translator.load(run, device="cpu")
    assert interfere(local, SOURCE, forbid=["0:0"]).attention[0, 1] == 1
    with pytest.raises(InputError, match=r"^at step 0 the model's window holds no source position that"):
        interfere(local, SOURCE, forbid=["0:0", "0:1"])

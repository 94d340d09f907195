"""Lines too long to be translated at once are translated in parts, and what belongs together stays together."""

import json
import random
from itertools import islice, pairwise, product

import numpy as np
import pytest

from s2s import translator as translating
from s2s.errors import InputError
from s2s.inside import beam_tree, draw_cells, write_trees
from s2s.inspection import Linking, sheets
from s2s.intervention import interfere
from s2s.report.suspects import suspects
from s2s.report.writers import opened_writers, sheet_lines
from s2s.reranking import MinimumBayesRisk, Rescoring, Scorer
from s2s.search.beam import BeamSearch
from s2s.search.sampling import Sampling
from s2s.training.tuning import tried
from s2s.translation import Translation

LINE = "eins zwei drei. vier fünf, sechs sieben acht neun"
PARTS = ["eins zwei drei.", "vier fünf,", "sechs sieben acht", "neun"]
LINES = ["neun", LINE, "", "zwei null", "acht " * 12]


@pytest.fixture
def translator(translator):
    """One that is asked for the characters of a few words at once."""
    translator.longest = 18
    return translator


def by_hand(source, text, score, *, tokens=("a", "</s>"), width=2, others=()):
    """A translation whose every weight and log-probability is its score."""
    weights = np.full((len(tokens), width), score, np.float32)
    source_tokens = (*"xyz"[: width - 1], "</s>")
    fields = (source, text, score, score * len(tokens), source_tokens, tokens, (score,) * len(tokens), weights)
    return Translation(*fields, alternatives=tuple(others))


def test_what_is_joined_is_that_of_the_parts_one_after_the_other():
    """By hand."""
    first, second = by_hand("x", "one", -1.0), by_hand("xy", "two", -2.0, tokens=("b", "c", "</s>"), width=3)
    whole = Translation.joined("x xy", [first, second])
    assert (whole.source, whole.text, whole.score, whole.log_prob) == ("x xy", "one two", -1.5, -8.0)
    assert whole.source_tokens == ("x", "</s>", "x", "y", "</s>")
    assert whole.target_tokens == ("a", "</s>", "b", "c", "</s>")
    assert whole.token_log_probs == (-1, -1, -2, -2, -2)
    assert whole.attention.tolist() == [[-1, -1, 0, 0, 0]] * 2 + [[0, 0, -2, -2, -2]] * 3
    assert whole.parts == (first, second)
    assert whole.notice == "3 pieces are too many to be translated at once; it was cut into 2 parts"


def test_hypotheses_of_the_whole_are_the_best_choices_of_one_of_each_part():
    """By hand: sums of the scores are -4, -5, -6, -7."""
    first = by_hand("x", "a", -1.0, others=[by_hand("x", "b", -3.0)])
    second = by_hand("y", "c", -3.0, others=[by_hand("y", "d", -4.0)])
    whole = Translation.joined("x y", [first, second], n_best=3)
    assert [(one.text, one.score) for one in whole.hypotheses] == [("a c", -2.0), ("a d", -2.5), ("b c", -3.0)]
    assert all(not part.alternatives for one in whole.hypotheses for part in one.parts)


def test_a_long_line_is_translated_as_its_parts_are(translator):
    assert translator.parts(LINE) == PARTS
    for size in (1, 64):
        found = translator(LINES, n_best=3, batch_size=size)
        assert [one.source for one in found] == LINES
        assert [len(one.parts) for one in found] == [0, 4, 0, 0, 4]
        for own, alone in zip(found[1].parts, translator(PARTS), strict=True):
            assert (own.source, own.text, own.target_tokens) == (alone.source, alone.text, alone.target_tokens)
            assert own.token_log_probs == pytest.approx(alone.token_log_probs, abs=1e-5)
            np.testing.assert_allclose(own.attention, alone.attention, atol=1e-5)


def test_labels_matrix_and_numbers_of_every_hypothesis_agree(translator):
    for best in translator(LINES, n_best=3):
        scores = [one.score for one in best.hypotheses]
        assert scores == sorted(scores, reverse=True)
        assert len({one.target_tokens for one in best.hypotheses}) == len(scores) == (3 if best.source else 1)
        for one in best.hypotheses:
            assert one.attention.shape == (len(one.target_tokens), len(one.source_tokens))
            np.testing.assert_allclose(one.attention.sum(axis=1), np.ones(len(one.target_tokens)), atol=1e-5)
            assert one.log_prob == pytest.approx(sum(one.token_log_probs), abs=1e-9)
            assert (
                one.target_tokens.count("</s>")
                == one.source_tokens.count("</s>")
                == max(1, len(one.parts)) * bool(one.source)
            )
            if one.source:
                assert "</s>" not in "".join(one.words().target).replace("</s>", "")


def test_nothing_is_drawn_twice_for_a_line(translator):
    """Parts that are equal have draws of their own, which depend on nothing but the line's number."""
    translator.search = Sampling(max_ratio=1.0, seed=3)
    line = "acht sieben. " * 30
    (one,) = translator([line])
    assert len({part.source for part in one.parts}) == 1
    assert len({part.text for part in one.parts}) > 5
    assert [part.text for part in translator(["neun", line])[1].parts] != [part.text for part in one.parts]
    assert translator([line], first_row=1)[0].text == translator(["neun", line])[1].text


def test_json_has_every_part_and_nothing_as_large_as_the_square(translator):
    for one in translator(LINES, n_best=2):
        record = json.loads(json.dumps(one.as_dict()))
        assert record["text"] == one.text
        for own, said in zip(one.parts, record.get("parts", []), strict=True):
            assert (said["source"], tuple(said["source_tokens"])) == (own.source, own.source_tokens)
            assert np.shape(said["attention"]) == (len(own.target_tokens), len(own.source_tokens))
        assert ("attention" in record) == ("target_tokens" in record) == ("parts" not in record)
        assert [("parts" in other) for other in record["alternatives"]] == ["parts" in record] * len(one.alternatives)


def test_candidates_are_chosen_among_part_by_part(translator):
    choosing = MinimumBayesRisk(utility="chrf", drawn=False, candidates=4)
    one = translator.reranked_by(choosing)([LINE], n_best=2)[0]
    expected = translator.reranked_by(choosing)(PARTS)
    assert [part.text for part in one.parts] == [part.text for part in expected]
    rescoring = Rescoring(first="a", weight=0.5, others={"b": Scorer(translator, 0.5)}, candidates=3)
    one = translator.reranked_by(rescoring)([LINE])[0]
    assert [part.text for part in one.parts] == [best.text for best in translator.reranked_by(rescoring)(PARTS)]
    assert one.run_scores == {
        name: pytest.approx(np.mean([part.run_scores[name] for part in one.parts])) for name in ("a", "b")
    }


def test_a_pair_that_is_given_must_be_of_a_length_that_fits(translator, monkeypatch):
    monkeypatch.setattr(translating, "LONGEST_GIVEN", 20)
    expected = r"29 pieces are too many for a pair whose target is given, at most 20: 'zwei'…; cut it into sentences"
    with pytest.raises(InputError, match=expected):
        translator.score(["eins", "zwei"], ["one", "two " * 7])


def test_settings_of_a_search_are_compared_on_the_whole_line(translator):
    settings = [(0.0, 0.0), (1.4, 0.2)]
    pairs = ([LINE, "neun"], ["one two three four five six seven eight nine", "nine"])
    options = {"criterion": "chrf", "language": "en", "batch_size": 8, "say": lambda line: None}
    search = BeamSearch(beam_size=4)
    results = tried(translator, search, settings, pairs, **options)
    for result in results:
        own = translator.using(result.search)(pairs[0])
        assert result.length == pytest.approx(sum(len(one.text) for one in own) / sum(map(len, pairs[1])))


def test_every_part_has_a_panel_and_links_are_counted_through_the_line(translator):
    linking = Linking()
    sheet, short = sheets({"run": translator}, [LINE, "neun"], n_best=2, linking=linking)
    assert [panel.title for panel in sheet.panels] == [
        f"{rank} part {number} of 4" for rank in (1, 2) for number in (1, 2, 3, 4)
    ]
    assert (sheet.best, short.best) == (4, 1)
    assert sheet.notice == "49 pieces are too many to be translated at once; it was cut into 4 parts".replace(
        "49", str(len(translator(LINES)[1].source_tokens) - 4)
    )
    assert (short.notice, len(short.panels)) == ("", 2)
    (links,) = sheet_lines(sheet, "links", "words")
    expected, source_words, target_words = [], 0, 0
    for part in translator(PARTS):
        (own,) = linking([part])
        expected += [(i + source_words, j + target_words) for i, j in own]
        source_words += len(part.words().source) - 1
        target_words += len(part.words().target) - 1
    assert links.split() == [f"{i}-{j}" for i, j in sorted(expected)]


def test_every_part_is_suspected_by_itself(translator):
    found = list(suspects(sheets({"run": translator}, ["neun", LINE], n_best=2)))
    assert [(one.line, len(one.sheet.panels)) for one in found] == [(1, 2), (2, 5), (2, 1), (2, 1), (2, 1)]
    assert [one.sheet.panels[0].title for one in found[1:]] == [f"1 part {number} of 4" for number in (1, 2, 3, 4)]


def test_pictures_pages_and_numbers_of_a_long_line_are_written(translator, tmp_path):
    said = []
    outputs = [str(tmp_path / f"look.{suffix}") for suffix in ("png", "html", "npz", "jsonl", "align", "txt")]
    with opened_writers(outputs, form="text", level="pieces", title="", say=said.append) as write:
        list(map(write, sheets({"run": translator}, [LINE], linking=Linking(), parts=True)))
    assert {path.name for path in tmp_path.iterdir()} == {path.rsplit("/", 1)[1] for path in outputs}
    with np.load(tmp_path / "look.npz") as arrays:
        assert {name.split("/")[1] for name in arrays} == {"1", "2", "3", "4"}
    assert translator([LINE])[0].draw(tmp_path / "first.png") == "the first of 4 parts"
    draw_cells(translator, [([LINE], None)], str(tmp_path / "gates.svg"), say=said.append)
    assert [path.name for path in sorted(tmp_path.glob("gates*"))] == [f"gates-{n}.svg" for n in (1, 2, 3, 4)]


def test_every_part_has_a_tree(translator, tmp_path):
    write_trees(translator, [LINE, "neun"], str(tmp_path / "beam.html"), title="")
    page = (tmp_path / "beam.html").read_text(encoding="utf-8")
    assert page.count('type="application/json"') == 5
    assert beam_tree(translator, PARTS[1]).winner_text == translator([LINE])[0].parts[1].text


def test_a_line_in_parts_is_not_interfered_with(translator):
    with pytest.raises(InputError, match=r"^'eins zwei .*'… is too long to be translated at once; cut it into sent"):
        interfere(translator, LINE, prefix="one")


@pytest.mark.parametrize("command", ["translate", "inspect"])
def test_the_line_is_named_on_stderr(in_process, trained, command):
    """Where it is longer than what the run was trained on."""
    assert trained.config.training.longest == 100
    lines = ["eins", "acht " * 20, "acht " * 21]  # of which the last has 105 characters, the blank before it counted
    code, out, error = in_process(command, f"run={trained.folder}", stdin="\n".join(lines).encode())
    notice = "line 3: 105 pieces are too many to be translated at once; it was cut into 2 parts"
    assert (code, error) == (0, f"run: {trained.folder}\n{notice}\n")
    if command == "translate":
        assert len(out.splitlines()) == 3


def test_ten_thousand_words_are_one_line(in_process, trained, monkeypatch):
    """And take room as a line does, not as its square."""
    monkeypatch.setattr(Translation, "attention", property(lambda self: pytest.fail("the square of the line")))
    draw = random.Random(1)
    text = " ".join(draw.choice(["eins", "zwei", "neun"]) for _ in range(10_000))
    options = (f"run={trained.folder}", "search=greedy", "search.max_ratio=0.02", "format=jsonl")
    code, out, error = in_process("translate", *options, stdin=f"{text}\nacht\n".encode())
    assert code == 0, error
    first, second = map(json.loads, out.split("\n")[:-1])
    assert [second["source"], " ".join(part["source"] for part in first["parts"])] == ["acht", text]
    assert len(error.splitlines()) == 2


def test_what_was_cut_has_no_seam_inside_a_word(translator):
    """Blanks are cut at as long as there are any."""
    for first, second in pairwise(translator.parts("neun " * 40)):
        assert (first.split()[-1], second.split()[0]) == ("neun", "neun")


def test_all_pairs_of_hypotheses_are_ranked_where_all_are_wanted():
    """What a plain loop over all choices finds."""
    draw = random.Random(2)
    parts = []
    for number in range(3):
        scores = sorted((-draw.random() for _ in range(4)), reverse=True)
        first, *others = (by_hand("x", f"{number}{rank}", score) for rank, score in enumerate(scores))
        parts.append(Translation(**{**vars(first), "alternatives": tuple(others)}))
    every = sorted(product(*(part.hypotheses for part in parts)), key=lambda chosen: -sum(one.score for one in chosen))
    whole = Translation.joined("", parts, n_best=10)
    assert [one.text for one in whole.hypotheses] == [" ".join(one.text for one in c) for c in islice(every, 10)]

"""Whatever text comes, a line in is a line out, and what is said of it agrees with itself.

``FUZZ_EXAMPLES=500 python -m pytest tests/test_nasty_text.py`` looks longer.
"""

import io
import json
import os

import nasty
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from s2s.inspection import Linking, sheets
from s2s.report.json_lines import json_line
from s2s.report.suspects import suspects, suspicion_table
from s2s.report.writers import sheet_lines
from s2s.search.beam import BeamSearch
from s2s.text.cutting import cut, rejoined
from s2s.text.lines import read_lines_as_they_come
from s2s.text.tokenizer import TokenizerRecipe, normalise
from s2s.translate import everything, text_lines, translations

FUZZ = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "25")),
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
ALL_CHARACTERS = st.text(st.characters(), max_size=40)  # halves of surrogate pairs too
PARTS = st.sampled_from([*nasty.LINES, "eins ", "zwei", " ", ". ", "。"])
TEXTS = ALL_CHARACTERS | st.lists(PARTS, max_size=4).map("".join) | st.sampled_from(nasty.EVERYTHING)
WHOLE = TEXTS.map(lambda text: text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"))
STREAMS = st.binary(max_size=200) | st.lists(WHOLE.map(str.encode) | st.binary(max_size=20), max_size=4).map(b"\n".join)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | WHOLE,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WHOLE, inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture
def quick(translator):
    """Two short hypotheses for each line."""
    translator.search = BeamSearch(beam_size=2, max_ratio=0.1, max_extra=6)
    return translator


@pytest.fixture(scope="module")
def tokenizers():
    """One of each kind."""
    text = ["eins zwei drei vier", "Das ist ein kleines Haus.", "fünf sechs sieben", "acht neun null, ja!"] * 5
    sizes = {"bpe": 40, "unigram": 36, "char": 40, "word": 18}
    return [TokenizerRecipe(algorithm=name, vocabulary_size=size).train(text) for name, size in sizes.items()]


def check_translation(one, source):
    """It is one line of UTF-8, and its tokens, their numbers and the matrix agree; so do its words."""
    assert one.source == source
    for hypothesis in one.hypotheses:
        assert len(hypothesis.text.encode().splitlines()) <= 1
        assert hypothesis.attention.shape == (len(hypothesis.target_tokens), len(hypothesis.source_tokens))
        assert len(hypothesis.token_log_probs) == len(hypothesis.target_tokens)
        assert hypothesis.log_prob == pytest.approx(sum(hypothesis.token_log_probs), abs=1e-6)
        assert np.isfinite([hypothesis.score, hypothesis.log_prob]).all()
        assert hypothesis.has_words == bool(normalise(source)) == bool(hypothesis.source_tokens)
        if hypothesis.has_words:
            assert np.allclose(hypothesis.attention.sum(axis=1), 1, atol=1e-4)
            words = hypothesis.words()
            assert np.allclose(words.weights.sum(axis=1), 1, atol=1e-4)
            assert sum(words.log_probs) == pytest.approx(hypothesis.log_prob, abs=1e-4)


def check_stream(translator, stream):
    """As many lines come out as there are in it, in both formats."""
    count = len(stream.removeprefix(b"\xef\xbb\xbf").split(b"\n"))
    count -= stream.removeprefix(b"\xef\xbb\xbf").endswith(b"\n") or not stream.removeprefix(b"\xef\xbb\xbf")
    found = list(translations(translator, io.BytesIO(stream), n_best=2, batch_size=8))
    assert len(found) == count
    for one in found:
        check_translation(one, one.source)
        (line,) = everything(one).splitlines()
        assert json.loads(line.encode().decode())["source"] == one.source
        best = text_lines(one, n_best=1)
        ranked = text_lines(one, n_best=2).split("\n")
        assert best.splitlines() == [one.text] * bool(one.text)
        assert [row.split("\t")[0] for row in ranked] == (["1", "2"][: len(one.hypotheses)] if one.has_words else [""])


def check_inspection(translator, sources):
    """Every form that a terminal shows is there for every line."""
    shown = sheets({"run": translator}, sources, n_best=2, linking=Linking())
    for sheet, source in zip(shown, sources, strict=True):
        assert bool(sheet.panels) == bool(normalise(source))
        assert [len(list(sheet_lines(sheet, form, "words"))) for form in ("jsonl", "links")] == [1, 1]
        for form, level in (("heatmap", "pieces"), ("text", "words")):
            lines = list(sheet_lines(sheet, form, level))
            assert all("\n" not in line and "\x1b" not in line for line in lines)
    assert suspicion_table(suspects(shown))


def test_every_nasty_line_is_translated_scored_and_shown(quick):
    found = quick(nasty.EVERYTHING, n_best=2)
    scored = quick.score(nasty.EVERYTHING, nasty.EVERYTHING[::-1])
    for one, given_target, source in zip(found, scored, nasty.EVERYTHING, strict=True):
        check_translation(one, source)
        assert given_target.attention.shape == (len(given_target.target_tokens), len(given_target.source_tokens))
    check_inspection(quick, nasty.LINES)
    check_stream(quick, "\n".join(line for line in nasty.EVERYTHING if line not in nasty.HALVES).encode())


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_stream_of_nasty_lines_is_read_line_by_line(mark, end):
    """Whatever else readers take for the end of one; and a BOM is none of the first."""
    lines = [line for line in nasty.LINES if not line.endswith("\r")]
    stream = mark + end.join(line.encode() for line in ["eins", *lines, "zwei"])
    assert [line for chunk in read_lines_as_they_come(io.BytesIO(stream)) for line in chunk] == ["eins", *lines, "zwei"]


@pytest.mark.parametrize("line", ["\ud83d\ude00 </s>", "</s> \u202e\x00▁", "\u0301", "👩\u200d👧 你好", "$\\frac$ %s"])
def test_a_nasty_line_is_drawn(quick, tmp_path, line):
    (one,) = quick([line])
    one.draw(tmp_path / "look.png")
    assert (tmp_path / "look.png").read_bytes().startswith(b"\x89PNG")


@FUZZ
@given(stream=STREAMS)
def test_any_bytes_give_a_line_for_every_line(quick, stream):
    check_stream(quick, stream)


@FUZZ
@given(sources=st.lists(TEXTS, max_size=3), targets=st.lists(TEXTS, min_size=3, max_size=3))
def test_any_text_is_translated_scored_and_shown(quick, sources, targets):
    for one, source in zip(quick(sources, n_best=2), sources, strict=True):
        check_translation(one, source)
    for one in quick.score(sources, targets[: len(sources)]):
        assert one.attention.shape == (len(one.target_tokens), len(one.source_tokens))
        assert one.log_prob == pytest.approx(sum(one.token_log_probs), abs=1e-5)
    check_inspection(quick, sources)


@FUZZ
@given(text=TEXTS)
def test_any_text_has_a_piece_for_every_id_in_every_tokenizer(tokenizers, text):
    for tokenizer in tokenizers:
        (ids,), pieces = tokenizer.encode([text]), tokenizer.pieces(text)
        assert len(ids) == len(pieces)
        assert (ids[-1], pieces[-1]) == (3, "</s>")
        assert (len(ids) > 1) == bool(normalise(text))
        assert "".join(pieces[:-1]).replace("▁", " ").strip() == normalise(text)
        tokenizer.decode(ids).encode()


@FUZZ
@given(text=TEXTS, longest=st.integers(1, 12))
def test_any_text_is_cut_and_put_together_again(tokenizers, text, longest):
    for tokenizer in tokenizers:
        parts = cut(tokenizer.pieces(text)[:-1], longest)
        assert all(part == part.strip() != "" for part in parts)
        assert "".join("".join(parts).split()) == "".join(normalise(text).split())
        assert "".join(rejoined(parts).split()) == "".join(normalise(text).split())


@FUZZ
@given(value=JSON)
def test_any_value_is_json_on_one_line(value):
    (line,) = json_line(value).splitlines()
    assert json.loads(line.encode()) == value


def test_halves_of_characters_are_escaped_in_json():
    assert json_line("a\ud800\u2028ü") == '"a\\ud800\\u2028ü"'

"""Long lines are cut where people would pause, nothing is lost, and the parts are put together again."""

import pytest

from s2s.text.cutting import cut, rejoined


def pieces(text, *, size=1):
    """A text in pieces of so many characters, ``▁`` for blanks."""
    marked = "▁" + text.replace(" ", "▁")
    return [marked[start : start + size] for start in range(0, len(marked), size)]


@pytest.mark.parametrize(
    ("text", "longest", "expected"),
    [
        ("eins zwei", 10, ["eins zwei"]),
        ("Da. Er kam, sah und ging.", 14, ["Da. Er kam,", "sah und ging."]),
        ("Er kam, sah. Und er ging.", 18, ["Er kam, sah.", "Und er ging."]),
        ("Er sagte: „Komm!“ Und ging", 20, ["Er sagte: „Komm!“", "Und ging"]),
        ("eins zwei drei vier", 12, ["eins zwei", "drei vier"]),
        ("3.14159265", 6, ["3.141", "59265"]),
        ("他来了。他看了，他走了。", 8, ["他来了。", "他看了，他走了。"]),
        ("他来了他看了，他走了他笑了", 9, ["他来了他看了，", "他走了他笑了"]),
        ("他来了他看了他走了", 5, ["他来了他", "看了他走了"]),
        ("aaaaaaaa", 4, ["aaa", "aaaa", "a"]),
        ("\u0301" * 7, 4, ["\u0301" * 3, "\u0301" * 4]),
        ("a👩\u200d👧b", 4, ["a", "👩\u200d👧b"]),
    ],
)
def test_a_line_is_cut_after_a_sentence_or_a_mark_or_a_word_or_anywhere(text, longest, expected):
    """By hand; the sign of the blank that a line begins with is a piece too."""
    assert cut(pieces(text), longest) == expected


@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize("longest", [2, 3, 7, 50])
def test_nothing_is_lost_and_no_part_is_too_long(size, longest):
    text = "Ein Satz, noch einer. Und 你好，世界。 ohne\u200dBlank x" * 5
    of_line = pieces(text, size=size)
    parts = cut(of_line, longest)
    assert "".join(parts).replace(" ", "") == text.replace(" ", "")
    assert all(0 < len(part) <= longest * size for part in parts)
    assert len(parts) <= 2 * len(of_line) / longest + 1


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([], ""),
        (["one.", "", "two."], "one. two."),
        (["他来了。", "他看了", "他走了"], "他来了。他看了他走了"),
        (["he said", "“ja”", "한국어", "말"], "he said “ja” 한국어 말"),
        (["สวัสดี", "ครับ"], "สวัสดีครับ"),
    ],
)
def test_parts_are_put_together_as_their_script_is_written(texts, expected):
    assert rejoined(texts) == expected

"""Long lines are cut into sentences, nothing is lost, and the parts are put together again."""

import pytest

from s2s.text.cutting import cut, rejoined


def pieces(text, *, size=1):
    """A text in pieces of so many characters, ``▁`` for blanks."""
    marked = "▁" + text.replace(" ", "▁")
    return [marked[start : start + size] for start in range(0, len(marked), size)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("eins zwei", ["eins zwei"]),
        ("Er kam. Sie ging!", ["Er kam.", "Sie ging!"]),
        ("„Kommst du?“ Er kam … Sie nicht.", ["„Kommst du?“", "Er kam …", "Sie nicht."]),
        ("Am 3. Mai kam J. S. Bach. Um 9 ging er.", ["Am 3. Mai kam J. S. Bach.", "Um 9 ging er."]),
        ("Das sind ca. zehn usw. und so fort", ["Das sind ca. zehn usw. und so fort"]),
        ("Da steht www.x.de! 1 und Pi 3.14", ["Da steht www.x.de!", "1 und Pi 3.14"]),
        ("他来了。他说：“走！”然后走了。", ["他来了。", "他说：“走！”", "然后走了。"]),
        ("क्या हुआ? वह गया। ठीक", ["क्या हुआ?", "वह गया।", "ठीक"]),
    ],
)
def test_a_line_is_cut_where_a_sentence_ends(text, expected):
    """By hand."""
    assert cut(pieces(text), 100) == expected


@pytest.mark.parametrize(
    ("text", "longest", "expected"),
    [
        ("Er kam, sah es und ging", 14, ["Er kam,", "sah es und", "ging"]),
        ("eins zwei drei vier", 12, ["eins zwei", "drei vier"]),
        ("Da. eins zwei drei vier. Da", 12, ["Da. eins", "zwei drei", "vier.", "Da"]),
        ("他来了他看了，他走了他笑了", 9, ["他来了他看了，", "他走了他笑了"]),
        ("他来了他看了他走了", 5, ["他来了他", "看了他走了"]),
        ("aaaaaaaa", 4, ["aaa", "aaaa", "a"]),
        ("\u0301" * 7, 4, ["\u0301" * 3, "\u0301" * 4]),
        ("a👩\u200d👧b", 4, ["a", "👩\u200d👧b"]),
        ("ab", 1, ["a", "b"]),
    ],
)
def test_a_long_sentence_is_cut_after_a_mark_or_a_word_or_anywhere(text, longest, expected):
    """By hand; the sign of the blank that a line begins with is a piece too."""
    assert cut(pieces(text), longest) == expected


@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize("longest", [1, 2, 3, 7, 50])
def test_nothing_is_lost_and_no_part_is_too_long(size, longest):
    text = "Ein Satz, noch einer. Und 你好，世界。 ohne\u200dBlank x" * 5
    parts = cut(pieces(text, size=size), longest)
    assert "".join(parts).replace(" ", "") == text.replace(" ", "")
    assert all(0 < len(part) <= longest * size for part in parts)


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

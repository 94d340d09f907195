"""What lines are made of."""

import pytest

from s2s.text.scripts import LATIN, SCRIPTS, first_control, makeup


def counted(line):
    one = makeup([line])
    return int(one.sizes[0]), {SCRIPTS[n]: int(c) for n, c in enumerate(one.letters[0]) if c}, bool(one.control[0])


@pytest.mark.parametrize(
    ("line", "size", "letters"),
    [
        ("Schöne Grüße!", 12, {"Latin": 11}),
        ("我 爱 iPhone 15。", 11, {"Latin": 6, "Han": 2}),
        ("𠀀々〇Ａ", 4, {"Latin": 1, "Han": 3}),
        ("カーと ひ", 4, {"other letters": 1, "Hiragana": 2, "Katakana": 1}),
        ("Привет한글", 8, {"Cyrillic": 6, "Hangul": 2}),
        (" \u3000\t\u200b\u00ad", 0, {}),
        ("", 0, {}),
    ],
)
def test_characters_are_counted_by_script_and_blanks_not_at_all(line, size, letters):
    assert counted(line) == (size, letters, False)


@pytest.mark.parametrize(
    "character", ["\x00", "\r", "\n", "\x0b", "\x85", "\u2028", "\u2029", "\ufeff", "\ufffd", "\x7f"]
)
def test_control_characters_are_seen_wherever_they_stand(character):
    assert counted(f"好{character}a") == (2, {"Latin": 1, "Han": 1}, True)
    assert first_control(f"ab\tc{character}") == 4


def test_lines_are_counted_apart():
    one = makeup(["aä", "", "好", "b"])
    assert one.sizes.tolist() == [2, 0, 1, 1]
    assert one.letters[:, LATIN].tolist() == [2, 0, 0, 1]
    assert first_control("abc") == 0


def test_a_chinese_character_weighs_three_letters():
    one = makeup(["好ab", "好abcd", "1"])
    scripts, shares = one.main_scripts()
    assert [SCRIPTS[n] for n in scripts[:2]] == ["Han", "Latin"]
    assert shares.tolist() == pytest.approx([3 / 5, 4 / 7, 0])
    assert one.weights().tolist() == [5, 7, 0]

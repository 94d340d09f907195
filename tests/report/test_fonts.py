"""Fonts: every character finds a family that has it, or a person is told what to install."""

from pathlib import Path

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager

from s2s.report import fonts
from s2s.report.fonts import choose_families, missing_glyph_notice


def test_families_are_tried_in_order_until_every_character_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    glyphs = {"DejaVu Sans": "ab", "Useless": "a", "Han": "我", "More": "们", "Never": "我们"}
    monkeypatch.setattr(
        fonts, "_without_glyphs_of", lambda family, wanted: [c for c in wanted if c not in glyphs[family]]
    )
    assert choose_families("a 我b们", ["Useless", "Han", "More", "Never"]) == (["DejaVu Sans", "Han", "More"], [])
    assert choose_families("我好", ["Han"]) == (["DejaVu Sans", "Han"], ["好"])
    assert choose_families("ab", ["Han"]) == (["DejaVu Sans"], [])


def test_a_family_that_is_not_installed_gives_nothing() -> None:
    assert choose_families("我", ["No Such Family"]) == (["DejaVu Sans"], ["我"])


def test_a_font_newer_than_the_list_of_matplotlib_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manager = font_manager.fontManager
    new = manager.findfont("STIXGeneral", fallback_to_default=False)
    broken = tmp_path / "broken.ttf"
    broken.write_bytes(b"no font")
    monkeypatch.setattr(manager, "ttflist", [entry for entry in manager.ttflist if entry.name != "STIXGeneral"])
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [str(broken), str(new)])
    fonts._register_new_fonts.cache_clear()
    assert "STIXGeneral" in fonts._installed_families()
    fonts._register_new_fonts.cache_clear()


def test_fonts_of_mere_boxes_are_no_candidates() -> None:
    assert not any("last resort" in family.lower() for family in fonts._installed_families())
    assert choose_families("\U000e0fff")[1] == ["\U000e0fff"]


def test_joiners_and_selectors_need_no_glyph() -> None:
    assert choose_families("می\u200cخواهم ❤\ufe0f \U000e0067\U000e007f a\U000e0100", []) == (["DejaVu Sans"], [])


def test_a_font_whose_glyph_has_no_outline_does_not_have_the_character(tmp_path: Path) -> None:
    """As in fonts of coloured emoji, whose pictures matplotlib does not draw."""
    family, file = "Colours Only", tmp_path / "colours.ttf"
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    pen.lineTo((0, 500))
    pen.lineTo((500, 500))
    pen.closePath()
    outline = pen.glyph()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", "drawn", "empty"])
    builder.setupCharacterMap({0x1F469: "drawn", 0x1F467: "empty"})
    builder.setupGlyf({".notdef": outline, "drawn": outline, "empty": TTGlyphPen(None).glyph()})
    builder.setupHorizontalMetrics(dict.fromkeys([".notdef", "drawn", "empty"], (600, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": family, "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(file)
    manager = font_manager.fontManager
    before = list(manager.ttflist)
    manager.addfont(str(file))
    try:
        assert choose_families("👩👧", [family]) == (["DejaVu Sans", family], ["👧"])
    finally:
        manager.ttflist[:] = before


@pytest.mark.parametrize(
    ("text", "first"),
    [("日本です", "Noto Sans CJK JP"), ("日本", "Noto Sans CJK SC"), ("日本 한국", "Noto Sans CJK KR")],
)
def test_kana_and_hangul_choose_the_forms_of_their_countries(text: str, first: str) -> None:
    families = ["Alphabet", "Noto Sans CJK KR", "Noto Sans Thai", "Noto Sans CJK JP", "Noto Sans CJK SC"]
    sorted_families = fonts._by_preference(families, text)
    assert sorted_families[0] == first
    assert sorted_families.index("Noto Sans Thai") < sorted_families.index("Alphabet")


def test_the_notice_says_what_to_install_for_each_script() -> None:
    assert missing_glyph_notice([]) == ""
    assert "我们 (2 different)" in missing_glyph_notice(["我", "们"])
    assert "(30 different)" in missing_glyph_notice([chr(0x4E00 + index) for index in range(30)])
    chinese, emoji, hindi, other = missing_glyph_notice(["我", "\U0001f9d1", "ह", "𐌰", "ि"]).split("\n")
    for notice, packages in {
        chinese: ("fonts-noto-cjk`", "google-noto-sans-cjk-fonts`", "font-noto-sans-cjk`"),
        emoji: ("fonts-symbola`", "google-noto-emoji-fonts`", "font-noto-emoji`"),
        hindi: ("fonts-noto-core`", "google-noto-sans-devanagari-fonts`", "font-noto-sans-devanagari`"),
        other: ("fonts-noto-core`", "google-noto-fonts-all`"),
    }.items():
        assert all(package in notice for package in packages)
    assert "हि (2 different)" in hindi

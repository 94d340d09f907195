"""Fonts: every character finds a family that has it, or a person is told what to install."""

from pathlib import Path

import pytest
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
    assert list(fonts._installed_families())[-1] == "STIXGeneral"
    fonts._register_new_fonts.cache_clear()


def test_fonts_of_mere_boxes_are_no_candidates() -> None:
    assert not any("last resort" in family.lower() for family in fonts._installed_families())
    assert choose_families("\U000e0fff")[1] == ["\U000e0fff"]


def test_the_notice_says_what_to_install() -> None:
    assert missing_glyph_notice([]) == ""
    assert "我们 (2 different)" in missing_glyph_notice(["我", "们"])
    assert "apt install fonts-noto-cjk" in missing_glyph_notice(["我"])
    assert "fonts-noto-cjk" not in missing_glyph_notice(["\U0001f9d1"])
    assert "(30 different)" in missing_glyph_notice([chr(0x4E00 + index) for index in range(30)])

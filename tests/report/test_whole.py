"""Files that appear when they are whole, or not at all."""

import os
import re

import pytest

from s2s.errors import InputError
from s2s.report.whole import whole_file, write_whole


def test_a_file_has_its_name_when_it_is_whole(tmp_path):
    path = tmp_path / "a.png"
    path.write_text("before", encoding="utf-8")
    with whole_file(path) as partial:
        partial.write_text("after", encoding="utf-8")
        assert partial.suffix == ".png"
        assert path.read_text(encoding="utf-8") == "before"
    assert path.read_text(encoding="utf-8") == "after"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.png"]


def test_what_an_error_ends_leaves_the_file_that_was_there_and_no_other(tmp_path):
    path = tmp_path / "a.png"
    path.write_text("before", encoding="utf-8")

    def write_half():
        with whole_file(path) as partial:
            partial.write_text("half", encoding="utf-8")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert path.read_text(encoding="utf-8") == "before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.png"]


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "target").write_text("before", encoding="utf-8")
    (tmp_path / "link").symlink_to("target")
    write_whole("output", str(tmp_path / "link"), "after")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text(encoding="utf-8") == "after"


def test_a_device_is_written_as_it_is():
    write_whole("output", os.devnull, "nothing is kept")
    assert not os.path.isfile(os.devnull)


def test_a_text_that_cannot_be_written_is_refused(tmp_path):
    path = tmp_path / "nowhere" / "a.md"
    expected = f"output={path} cannot be written (No such file or directory); give another file"
    with pytest.raises(InputError, match=re.escape(expected)):
        write_whole("output", str(path), "text")

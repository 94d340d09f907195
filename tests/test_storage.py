"""A file is there whole or not at all, whatever happens while it is written."""

import errno
import os
import re

import pytest

from s2s.errors import InputError
from s2s.storage import checksum, whole_file, write_result, write_whole, writing

NO_ROOM = [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO]


class Killed(BaseException):
    """Stands in for the end of the process."""


@pytest.fixture
def breaking(monkeypatch):
    """Let one step of writing fail in a given way, or all from a count of calls on."""

    def breaks(step, error, after=0):
        calls = iter(range(after))
        real = getattr(os, step)

        def broken(*arguments, **keywords):
            if next(calls, None) is None:
                raise error
            return real(*arguments, **keywords)

        monkeypatch.setattr(os, step, broken)

    return breaks


def test_a_file_is_written_and_its_folder_made(tmp_path):
    write_whole(tmp_path / "a" / "b" / "file", b"content")
    assert (tmp_path / "a" / "b" / "file").read_bytes() == b"content"
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["file"]


@pytest.mark.parametrize("code", NO_ROOM, ids=[errno.errorcode[code] for code in NO_ROOM])
@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_where_there_is_no_room_what_stood_there_stays_and_nothing_is_left(breaking, tmp_path, step, code):
    path = tmp_path / "file"
    write_whole(path, b"before")
    breaking(step, OSError(code, os.strerror(code)))
    with pytest.raises(InputError, match=rf"file cannot be written \({os.strerror(code)}\); make room for it"):
        write_whole(path, b"after")
    assert path.read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("after", [0, 1])
@pytest.mark.parametrize("step", ["fsync", "replace", "open"])
def test_a_process_that_ends_in_the_middle_leaves_the_old_file_or_the_new_one(breaking, tmp_path, step, after):
    path = tmp_path / "file"
    write_whole(path, b"before")
    breaking(step, Killed(), after)
    try:
        write_whole(path, b"after")
    except Killed:
        assert path.read_bytes() in (b"before", b"after")
    else:
        assert path.read_bytes() == b"after"


def test_content_is_on_the_disk_before_the_name_is(monkeypatch, tmp_path):
    done = []
    for step in ("fsync", "replace"):
        real = getattr(os, step)
        monkeypatch.setattr(os, step, lambda *a, step=step, real=real: (done.append(step), real(*a))[1])
    write_whole(tmp_path / "file", b"content")
    assert done == ["fsync", "replace", "fsync"]  # the content, the new name, the folder that has the name


def test_a_folder_that_is_a_file_is_told_in_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file/inside cannot be written \(File exists\)"):
        write_whole(tmp_path / "file" / "inside", b"")


def test_other_errors_are_not_taken_for_a_full_disk():
    with pytest.raises(ValueError, match="of the program"), writing("file"):
        raise ValueError("of the program")


def test_checksums_are_of_the_content_alone():
    assert checksum(b"abc") == "ba7816bf8f01cfea"  # FIPS 180-4, the first half of its first half
    assert checksum(b"abc") != checksum(b"abd")


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
    write_result("output", str(tmp_path / "link"), "after")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text(encoding="utf-8") == "after"


def test_a_device_is_written_as_it_is():
    write_result("output", os.devnull, "nothing is kept")
    assert not os.path.isfile(os.devnull)


def test_a_text_that_cannot_be_written_is_refused(tmp_path):
    path = tmp_path / "nowhere" / "a.md"
    expected = f"output={path} cannot be written (No such file or directory); give another file"
    with pytest.raises(InputError, match=re.escape(expected)):
        write_result("output", str(path), "text")

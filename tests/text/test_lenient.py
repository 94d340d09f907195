"""Reading text files that training refuses, and equally those that it reads."""

import codecs
import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2s.errors import InputError
from s2s.text.lenient import LenientFile
from s2s.text.reading import read_lines


@pytest.fixture
def read(tmp_path):
    """Write bytes to a file and read them: the file, and its lines."""

    def of(data, name="x.de"):
        (tmp_path / name).write_bytes(data)
        file = LenientFile(tmp_path / name)
        return file, list(file)

    return of


def test_good_files_are_read_as_training_reads_them(tmp_path_factory):
    path = tmp_path_factory.mktemp("good") / "x.zh"

    @given(st.text("a好 \r\n\ufeff\u2028\x00", max_size=20))
    def equal(text):
        path.write_bytes(text.encode())
        assert list(LenientFile(path)) == list(read_lines(path))

    equal()


def test_a_line_that_is_no_utf8_stays_bytes_and_those_around_it_are_text(read):
    file, lines = read(b"gut\n" + "schön\r\n".encode("latin-1") + "好\n".encode())
    assert lines == ["gut", b"sch\xf6n", "好"]
    assert (file.lines, file.crlf, file.first_crlf) == (3, 1, [2])


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_is_read_as_such_and_told(read, encoding):
    mark = codecs.BOM_UTF16_LE if encoding == "utf-16-le" else codecs.BOM_UTF16_BE
    file, lines = read(mark + "猫在ਊ屋顶\r\n睡觉\n".encode(encoding))  # the third character has a byte 0x0a
    assert lines == ["猫在ਊ屋顶", "睡觉"]
    assert (file.utf16, file.lines, file.crlf) == (True, 2, 1)


def test_a_mark_is_told_and_taken_off_also_before_bytes(read):
    assert read(b"\xef\xbb\xbfa\n")[1] == ["a"]
    file, lines = read(b"\xef\xbb\xbf\xff\n")
    assert (lines, file.marked, file.utf16) == ([b"\xff"], True, False)
    assert not read(b"a\n\xef\xbb\xbfb\n")[0].marked


def test_a_second_reading_counts_anew(read):
    file, first = read(b"a\r\nb\n")
    assert list(file) == first
    assert (file.lines, file.crlf, file.first_crlf) == (2, 1, [1])


def test_zipped_files_are_read_and_damaged_ones_refused(read, tmp_path):
    data = gzip.compress(b"a\nb\xff\n")
    assert read(data, "x.de.gz")[1] == ["a", b"b\xff"]
    with pytest.raises(InputError, match=r"x.de.gz: cannot be read \(.*\), expected a whole gzip file; check the file"):
        read(data[:-9], "x.de.gz")
    with pytest.raises(InputError, match=r"none: cannot be read \(.*No such file.*\), expected a text file"):
        list(LenientFile(tmp_path / "none"))

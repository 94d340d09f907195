"""Lines as they come, with their targets, and files that are read and written."""

import io

import pytest

from s2s.errors import InputError
from s2s.text.lines import CHUNK_BYTES, check_nothing_is_lost, opened, paired_lines, read_lines_as_they_come

LINES = ["eins zwei", "", "drei\u2028vier", "你好。", "acht sieben"]
TEXT = "eins zwei\n\ndrei\u2028vier\r\n你好。\nacht sieben".encode()


class Pipe(io.BytesIO):
    """Gives so many bytes at a time."""

    def __init__(self, data, size):
        super().__init__(data)
        self.size = size

    def read1(self, size=-1):
        return super().read1(self.size)


@pytest.fixture
def target(tmp_path):
    """Write a target file."""

    def write(text):
        path = tmp_path / "target.txt"
        path.write_bytes(text.encode())
        return str(path)

    return write


def flat(chunks):
    return [line for chunk in chunks for line in chunk]


def pairs(chunks):
    return [pair for sources, targets in chunks for pair in zip(sources, targets, strict=True)]


@pytest.mark.parametrize("size", [1, 2, 5, len(TEXT)])
def test_a_line_cut_anywhere_by_the_pipe_is_one_line(size):
    assert flat(read_lines_as_they_come(Pipe(TEXT, size))) == LINES
    assert flat(read_lines_as_they_come(Pipe(TEXT + b"\n", size))) == LINES


def test_lines_come_as_soon_as_they_are_whole():
    assert list(read_lines_as_they_come(Pipe(b"ab\ncd\nef", 4))) == [["ab"], ["cd"], ["ef"]]
    assert list(read_lines_as_they_come(Pipe(b"a\nb\n\nc", 4))) == [["a", "b"], [""], ["c"]]
    assert list(read_lines_as_they_come(io.BytesIO(TEXT))) == [LINES[:-1], LINES[-1:]]


def test_a_line_longer_than_a_chunk_is_whole():
    line = "ü" * CHUNK_BYTES
    assert flat(read_lines_as_they_come(io.BytesIO(f"{line}\nzwei".encode()))) == [line, "zwei"]


def test_bytes_that_are_no_text_are_shown_as_such():
    assert flat(read_lines_as_they_come(io.BytesIO(b"a\xff\xfeb\nc\r\n"))) == ["a��b", "c"]


def test_nothing_is_no_line():
    assert list(read_lines_as_they_come(io.BytesIO(b""))) == []
    assert list(paired_lines(io.BytesIO(b""), None)) == []


@pytest.mark.parametrize("size", [3, len(TEXT)])
def test_every_line_has_its_target_whatever_the_pipe_gives(target, size):
    path = target("one two\n\nthree\r\nhello.\neight")
    expected = ["one two", "", "three", "hello.", "eight"]
    assert pairs(paired_lines(Pipe(TEXT, size), path)) == list(zip(LINES, expected, strict=True))


def test_without_a_target_file_there_are_no_targets():
    chunks = list(paired_lines(io.BytesIO(TEXT), None))
    assert flat(sources for sources, _ in chunks) == LINES
    assert {targets for _, targets in chunks} == {None}


@pytest.mark.parametrize("size", [3, len(TEXT)])
@pytest.mark.parametrize("text", ["", "1\n2\n", "1\n2\n3\n4\n"])
def test_a_target_file_with_fewer_lines_is_refused_before_a_line_goes_without(target, size, text):
    path, read = target(text), []
    with pytest.raises(InputError) as caught:
        read.extend(paired_lines(Pipe(TEXT, size), path))
    assert all(len(sources) == len(targets) for sources, targets in read)
    assert str(caught.value) == f"target={path} has fewer lines than the input; give one for each of its lines"


@pytest.mark.parametrize("source", [TEXT, TEXT + b"\n"])
def test_a_target_file_with_more_lines_is_refused_when_the_input_has_ended(target, source):
    path = target("1\n2\n3\n4\n5\n\n")
    read = []
    with pytest.raises(InputError) as caught:
        read.extend(paired_lines(io.BytesIO(source), path))
    assert str(caught.value) == f"target={path} has more lines than the input, 5; give one for each of its lines"


def test_a_target_file_for_no_input_is_refused(target):
    with pytest.raises(InputError, match="has more lines than the input, 0; "):
        list(paired_lines(io.BytesIO(b""), target("1\n")))


def test_a_file_is_closed_and_the_terminal_s_pipes_stay_open(tmp_path, monkeypatch):
    own = io.BytesIO(b"eins\n"), io.BytesIO()
    for name, stream in zip(("stdin", "stdout"), own, strict=True):
        monkeypatch.setattr(f"sys.{name}", io.TextIOWrapper(stream))
    with opened("-", "rb") as source, opened("-", "wb") as output:
        assert (source, output) == own
    assert not any(stream.closed for stream in own)
    with opened(str(tmp_path / "out"), "wb") as file:
        file.write(b"one\n")
    assert file.closed
    with opened(str(tmp_path / "out"), "rb") as file:
        assert file.read() == b"one\n"


def test_a_number_names_a_file_and_no_stream_of_the_process(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "1984").write_text("eins\n", encoding="utf-8")
    with opened(1984, "rb") as file:
        assert list(paired_lines(file, 1984)) == [(["eins"], ["eins"])]


@pytest.mark.parametrize(
    ("name", "mode", "message"),
    [
        ("no.txt", "rb", "no.txt cannot be read (No such file or directory); give another file, or - for the terminal"),
        (".", "wb", ". cannot be written (Is a directory); give another file, or - for the terminal"),
    ],
)
def test_a_file_that_cannot_be_opened_is_named(tmp_path, monkeypatch, name, mode, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught, opened(name, mode):
        pass
    assert str(caught.value) == message


def test_nothing_that_is_read_is_written_over(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to("in.txt")
    check_nothing_is_lost(["-", "out.txt", "in.txt/x"], ["in.txt", None, "-"])
    check_nothing_is_lost(["-"], ["-", None])
    for output in ("in.txt", "./in.txt", str(tmp_path / "in.txt"), "link"):
        with pytest.raises(InputError, match=f"^{output} is an input, which would be lost; give another file"):
            check_nothing_is_lost(["a", output], [None, "in.txt"], overwrite=True)


def test_nothing_that_exists_is_written_over_unless_it_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out.txt").touch()
    (tmp_path / "link").symlink_to("out.txt")
    for output in ("out.txt", "link"):
        with pytest.raises(InputError, match=f"^{output} exists; give another file or overwrite=true$"):
            check_nothing_is_lost(["new.txt", None, output])
    check_nothing_is_lost(["new.txt", "out.txt", "-", "-"], overwrite=True)
    with pytest.raises(InputError, match=r"^\./out.txt is named twice, and one result would be lost; give each"):
        check_nothing_is_lost(["out.txt", "./out.txt"], overwrite=True)
    check_nothing_is_lost(["/dev/null", "/dev/null"], ["/dev/null"])


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_a_bom_at_the_start_is_no_part_of_the_text(size):
    mark = "\ufeff".encode()
    assert flat(read_lines_as_they_come(Pipe(mark + TEXT + b"\n" + mark + b"x", size))) == [*LINES, "\ufeffx"]
    assert flat(read_lines_as_they_come(Pipe(mark + b"eins", size))) == ["eins"]
    assert flat(read_lines_as_they_come(Pipe(mark + b"\n", size))) == [""]
    assert flat(read_lines_as_they_come(Pipe(mark, size))) == []

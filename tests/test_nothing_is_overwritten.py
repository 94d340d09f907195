"""No command writes over a file, unless it is asked to, and never over what it reads."""

import pytest

NOWHERE = "run=nowhere"  # which would be the error, if it were looked for before the files
COMMANDS = [
    ("translate", NOWHERE, "output={}", "out.txt"),
    ("translate", NOWHERE, "heatmap={}", "look.png"),
    ("inspect", NOWHERE, "output={}", "page.html"),
    ("inspect", NOWHERE, "output=[-,new.jsonl,{}]", "arrays.npz"),
    ("inspect", NOWHERE, "report=[-,{}]", "suspects.jsonl"),
    ("inspect", NOWHERE, "view=gates output={}", "gates.svg"),
    ("inspect", NOWHERE, "view=evolution output={}", "course.gif"),
    ("evaluate", NOWHERE, "output={}", "out.txt"),
    ("evaluate", NOWHERE, "output=[new.txt,{}]", "out.txt"),
    ("evaluate", NOWHERE, "report=[-,{}]", "page.html"),
    ("evaluate", "hypotheses=nowhere", "references=nowhere report={}", "all.json"),
    ("score", NOWHERE, "output={}", "scores.tsv"),
    ("sample", NOWHERE, "output={}", "texts.txt"),
    ("compare", "runs=nowhere", "output={}", "table.md"),
    ("compare", "runs=nowhere", "curves={}", "curves.pdf"),
]


@pytest.mark.parametrize(("command", "run", "option", "name"), COMMANDS, ids=[f"{c[0]} {c[2]}" for c in COMMANDS])
def test_a_file_that_exists_is_refused_before_any_work_and_written_over_where_that_is_asked_for(
    in_process, tmp_path, command, run, option, name
):
    arguments = [run, *option.format(name).split()]
    (tmp_path / name).write_text("kept", encoding="utf-8")
    expected = (2, "", f"error: {name} exists; give another file or overwrite=true\n")
    assert in_process(command, *arguments) == expected
    code, _, error = in_process(command, *arguments, "overwrite=true")
    assert (code, "nowhere" in error, "exists; give" in error) == (2, True, False)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text(encoding="utf-8") == "kept"


@pytest.mark.parametrize("name", ["talk-1.png", "talk-12.png"])
def test_pictures_that_would_be_numbered_are_refused_too(in_process, tmp_path, name):
    (tmp_path / name).touch()
    for other in ("talk-1.svg", "talk-x.png", "walk-1.png"):
        (tmp_path / other).touch()
    code, _, error = in_process("inspect", NOWHERE, "output=talk.png")
    assert (code, error) == (2, f"error: {name} exists; give another file or overwrite=true\n")
    (tmp_path / name).unlink()
    assert "nowhere" in in_process("inspect", NOWHERE, "output=talk.png")[2]


@pytest.mark.parametrize("name", ["/dev/null", "-"])
def test_a_device_and_the_terminal_are_no_files(in_process, name):
    for command in ("translate", "inspect"):
        assert "nowhere is no run" in in_process(command, NOWHERE, f"output={name}")[2]


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("translate", ["output=x.png", "heatmap=./x.png"]),
        ("inspect", ["output=x.html", "report=x.html"]),
        ("evaluate", ["output=[x.txt,x.txt]"]),
        ("compare", ["output=x.svg", "format=text", "curves=x.svg"]),
    ],
)
def test_one_file_for_two_results_is_refused(in_process, tmp_path, command, arguments):
    run = "runs=nowhere" if command == "compare" else NOWHERE
    code, _, error = in_process(command, run, *arguments, "overwrite=true")
    assert code == 2
    assert " is named twice, and one result would be lost; give each a file of its own\n" in error
    assert list(tmp_path.iterdir()) == []


def test_what_is_read_is_never_written_over(in_process, tmp_path):
    (tmp_path / "in.txt").write_text("eins\n", encoding="utf-8")
    for command, option in (
        ("translate", "output"),
        ("inspect", "output"),
        ("inspect", "report"),
        ("score", "output"),
        ("sample", "output"),
    ):
        code, _, error = in_process(command, NOWHERE, "input=in.txt", f"{option}=./in.txt", "overwrite=true")
        assert (code, error.split(", ")[0]) == (2, "error: ./in.txt is an input")
    assert (tmp_path / "in.txt").read_text(encoding="utf-8") == "eins\n"


def test_results_are_written_over_where_it_is_asked_for(in_process, trained, translator, tmp_path):
    arguments = (f"run={trained.folder}", "output=out.txt", "heatmap=look.png")
    for name in ("out.txt", "look.png"):
        (tmp_path / name).write_text("older and longer than what is written now", encoding="utf-8")
    code, _, error = in_process("translate", *arguments, "overwrite=true", stdin=b"eins\n")
    assert code == 0, error
    assert (tmp_path / "out.txt").read_text(encoding="utf-8") == translator(["eins"])[0].text + "\n"
    assert (tmp_path / "look.png").read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in tmp_path.iterdir()} == {"out.txt", "look.png"}

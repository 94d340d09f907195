"""A reader that has left, as in ``| head -1``, ends a command quietly."""

import os
import subprocess
import sys

import pytest


@pytest.fixture
def unread(environment, tmp_path):
    """Run a command whose stdout nobody reads any more; its exit code and what it says on stderr."""

    def run(command, *arguments, both=False):
        reader, writer = os.pipe()
        os.close(reader)
        line = [sys.executable, "-m", f"s2s.{command}", *map(str, arguments)]
        errors = writer if both else subprocess.PIPE
        try:
            done = subprocess.run(
                line, input=b"eins\n", stdout=writer, stderr=errors, cwd=tmp_path, env=environment, timeout=120
            )
        finally:
            os.close(writer)
        return done.returncode, (done.stderr or b"").decode()

    return run


@pytest.mark.parametrize("command", ["translate", "inspect"])
def test_a_translator_ends_quietly(unread, trained, command):
    assert unread(command, f"run={trained.folder}", "device=cpu") == (0, f"run: {trained.folder}\n")


@pytest.mark.parametrize("command", ["score", "sample"])
def test_a_language_model_ends_quietly(unread, language_model, command):
    expected = f"run: {language_model.folder}\n"
    assert unread(command, f"run={language_model.folder}", "device=cpu") == (0, expected)


def test_it_does_so_where_stderr_goes_the_same_way(unread, trained):
    assert unread("translate", f"run={trained.folder}", "device=cpu", both=True) == (0, "")


def test_scores_and_tables_end_quietly(unread, trained, tmp_path):
    (tmp_path / "a.txt").write_text("one two three four\n", encoding="utf-8")
    assert unread("evaluate", "hypotheses=a.txt", "references=a.txt") == (0, "")
    assert unread("compare", trained.folder) == (0, "")
    assert unread("tune", "--help") == (0, "")

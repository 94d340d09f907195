"""README says what is true: its links lead somewhere and its commands are understood."""

import re
import shlex
from pathlib import Path

import pytest

from s2s.config import compose

HOUSE = Path(__file__).parents[1]
PAGES = [
    HOUSE / name
    for name in (
        *(
            "README.md",
            "docs/README.zh.md",
            "docs/inspect.md",
            "docs/models.md",
            "docs/experiments.md",
            "docs/speed.md",
            "docs/evaluate.md",
            "docs/decoding.md",
            "docs/small-data.md",
            "docs/reliability.md",
            "docs/doctor.md",
            "docs/language-model.md",
            "docs/scale.md",
        ),
        "data/sample/README.md",
    )
]
BLOCK = re.compile(r"```bash\n(.*?)```", re.DOTALL)
COMMAND = re.compile(
    r"python -m s2s\.(train|average|translate|tune|evaluate|compare|inspect|bench|doctor|sample|score|export)"
    r"([^|<>#`\n]*)"
)


def commands(page):
    """Every command of this project on a page, in blocks and in tables."""
    return sorted({match.groups() for match in COMMAND.finditer(page.read_text(encoding="utf-8"))})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(HOUSE).as_posix())
def test_links_lead_to_files(page):
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
    assert links or page.parent.name == "sample"
    for link in links:
        assert (page.parent / link).exists(), link


def test_the_first_block_holds_the_two_commands_of_set_up():
    for page in PAGES[:2]:
        first = BLOCK.search(page.read_text(encoding="utf-8"))[1].splitlines()
        assert len(first) == 2
        assert first[0].startswith("python -m pip install -e . && python -m s2s.train")
        assert first[1] == 'python -m pip install -e ".[test]" && python -m pytest'


def test_the_pages_have_commands():
    assert sum(len(commands(page)) for page in PAGES) > 100


@pytest.mark.parametrize("page", PAGES[:-1], ids=lambda page: page.name)
def test_every_command_of_a_page_is_understood(page):
    for name, line in commands(page):
        arguments = shlex.split(line)
        options = [argument for argument in arguments if not argument.startswith("-")]
        if "-m" in arguments:
            options = [option.split(",")[0] for option in options]
        if name == "compare":
            options = [option for option in options if "=" in option]
        compose(name, options)


def test_docs_holds_nothing_that_no_page_shows():
    shown = {
        (page.parent / link).resolve() for page in PAGES for link in re.findall(r"\]\(([^)#]+)\)", page.read_text())
    }
    assert {path.resolve() for path in (HOUSE / "docs").iterdir()} <= shown

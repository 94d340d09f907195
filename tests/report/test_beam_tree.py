"""Trees of beam searches: held to how the search works, told in plain words, and drawn in a real browser."""

import json
import math
import random
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from s2s.errors import InputError
from s2s.report.beam_record import BeamTree, Branch
from s2s.report.beam_tree import why, write_beam_trees

EOS = "</s>"
HOSTILE = "<img src=x onerror=\"document.title='hit'\"></script><script>document.title='hit'</script>{{data}}<!--"
Model = Callable[[tuple[str, ...]], dict[str, float]]


def branch(parent: int, label: str, own: float, total: float, fate: str, score: float | None = None) -> Branch:
    """A branch of probabilities instead of logarithms."""
    return Branch(parent, label, math.log(own), math.log(total), fate, score)


# A beam of 2, alpha 1: the greedy beginning "a x z" is lost at step 3.
BY_HAND = BeamTree(
    source="ein Satz",
    steps=(
        (
            branch(-1, "▁a", 0.6, 0.6, "alive"),
            branch(-1, "▁b", 0.3, 0.3, "alive"),
            branch(-1, "▁c", 0.06, 0.06, "pruned"),
            branch(-1, EOS, 0.04, 0.04, "late", math.log(0.04)),
        ),
        (
            branch(1, "▁y", 0.8, 0.24, "alive"),
            branch(0, "▁x", 0.25, 0.15, "alive"),
            branch(0, "▁q", 0.24, 0.144, "pruned"),
            branch(0, "▁r", 0.2, 0.12, "pruned"),
        ),
        (
            branch(0, EOS, 0.5, 0.12, "won", math.log(0.12) / (8 / 6)),
            branch(0, "▁w", 0.3, 0.072, "alive"),
            branch(0, "▁v", 0.2, 0.048, "alive"),
            branch(1, "▁z", 0.3, 0.045, "pruned"),
        ),
        (
            branch(1, EOS, 0.9, 0.0648, "ended", math.log(0.0648) / (9 / 6)),
            branch(2, EOS, 0.9, 0.0432, "ended", math.log(0.0432) / (9 / 6)),
            branch(1, "▁u", 0.1, 0.0072, "alive"),
            branch(2, "▁u", 0.1, 0.0048, "alive"),
        ),
    ),
    beam_size=2,
    length_penalty=1.0,
    coverage_penalty=0.0,
    winner_text="b y",
)


def record(model: Model, beam_size: int, *, alpha: float = 0.6, coverage: float = 0.0, longest: int = 12) -> BeamTree:
    """Search in plain Python and keep everything; every token costs ``coverage``."""
    steps: list[list[Branch]] = []
    alive: list[tuple[int, tuple[str, ...], float]] = [(-1, (), 0.0)]
    best, won = -math.inf, (0, 0)
    for length in range(1, longest + 1):
        found = []
        for parent, beginning, so_far in alive:
            for piece, probability in model(beginning).items():
                if length < longest or piece == EOS:
                    found.append((so_far + math.log(probability), math.log(probability), parent, (*beginning, piece)))
        found.sort(key=lambda candidate: -candidate[0])
        alive, step = [], []
        for place, (total, own, parent, pieces) in enumerate(found[: 2 * beam_size]):
            fate, score = "alive" if len(alive) < beam_size else "pruned", None
            if pieces[-1] == EOS:
                fate, score = "late", total / ((5 + length) / 6) ** alpha - coverage * length
                if place < beam_size:
                    fate, best, won = "ended", max(best, score), (length - 1, place) if score > best else won
            elif fate == "alive":
                alive.append((place, pieces, total))
            step.append(Branch(parent, pieces[-1], own, total, fate, score))
        steps.append(step)
        bound = max((one[2] for one in alive), default=-math.inf) / ((5 + longest) / 6) ** alpha
        if bound <= best or (beam_size == 1 and best > -math.inf):
            break
    steps[won[0]][won[1]] = replace(steps[won[0]][won[1]], fate="won")
    tree = BeamTree("ein Haus", tuple(map(tuple, steps)), beam_size, alpha, coverage, "")
    return replace(tree, winner_text=tree.text(*won))


def toy_model(seed: int, *, pieces: str = "abcdefgh", end: float = 0.3) -> Model:
    """A distribution for every beginning, drawn anew."""

    def model(beginning: tuple[str, ...]) -> dict[str, float]:
        draw = random.Random(f"{seed} {beginning}")
        weights = {f"▁{piece}": math.exp(2 * draw.gauss(0, 1)) for piece in pieces} | {EOS: end * len(beginning) + 0.1}
        return {piece: weight / sum(weights.values()) for piece, weight in weights.items()}

    return model


def changed(step: int, index: int, **fields: Any) -> tuple[tuple[Branch, ...], ...]:
    """The steps of the tree made by hand with one branch changed."""
    steps = [list(branches) for branches in BY_HAND.steps]
    steps[step][index] = replace(steps[step][index], **fields)
    return tuple(map(tuple, steps))


def said(tree: BeamTree) -> list[str]:
    return [str(note) for note in why(tree)]


def test_a_search_worked_by_hand_is_told_in_plain_words() -> None:
    assert said(BY_HAND) == [
        "“b y” ended at step 3 with log-probability −2.120; divided by the length penalty 1.333 this scores −1.590.",
        "The runner-up, “b y w”, which ended at step 4, scores 0.234 lower.",
        "At step 1 the winner was only second best, at −1.204; best, at −0.511, was “a”, but all that continued it had "
        "fallen off the beam by step 3.",
        "Greedy search would have begun “a x z”, which fell off the beam at step 3 as fourth of 4.",
        "The search stopped after step 4: 2 beginnings were alive, but could score no better any more.",
    ]
    assert [note.branch for note in why(BY_HAND)] == [(2, 0), (3, 0), (0, 0), (2, 3), None]


def test_endings_are_what_counts_then_what_was_late_and_their_sums_are_written_out() -> None:
    assert [(ending.text, ending.length, ending.counted) for ending in BY_HAND.endings] == [
        ("b y", 3, True),
        ("b y w", 4, True),
        ("b y v", 4, True),
        ("", 1, False),
    ]
    assert [round(ending.length_penalty, 6) for ending in BY_HAND.endings] == [1.333333, 1.5, 1.5, 1.0]


def test_a_more_probable_runner_up_was_beaten_by_the_penalty_for_length() -> None:
    steps = (
        (branch(-1, "x", 0.7, 0.7, "alive"), branch(-1, EOS, 0.3, 0.3, "ended", math.log(0.3))),
        (branch(0, EOS, 0.4, 0.28, "won", math.log(0.28) / (7 / 6)),),
    )
    tree = BeamTree("x", steps, 2, 1.0, 0.0, "x")
    assert said(tree)[1:] == [
        "The runner-up, (nothing), which ended at step 1, scores 0.113 lower. It is the more probable one, at −1.204 "
        "against −1.273; the penalty for its length turned that round.",
        "At every step the winner was best.",
        "Greedy search would have written the same.",
    ]


def test_an_end_that_came_late_is_told_where_it_would_have_won() -> None:
    steps = changed(0, 3, score=-0.5)
    tree = replace(BY_HAND, steps=steps, coverage_penalty=0.1)
    assert [ending.counted for ending in tree.endings] == [True, True, True, False]
    assert said(tree)[-2] == (
        "(nothing), which ended at step 1, would score −0.500, but it was not among the best 2 of that step and does "
        "not count."
    )
    assert not any("does not count" in note for note in said(BY_HAND))


def test_greedy_search_is_told_where_it_ended_elsewhere() -> None:
    steps = (
        (branch(-1, "▁a", 0.6, 0.6, "alive"), branch(-1, "▁b", 0.4, 0.4, "alive")),
        (branch(1, EOS, 0.9, 0.36, "won", math.log(0.36)), branch(0, EOS, 0.5, 0.3, "ended", math.log(0.3))),
    )
    tree = BeamTree("x", steps, 2, 0.0, 0.0, "b")
    assert said(tree)[2:] == [
        "At step 1 the winner was only second best, at −0.916; best, at −0.511, was “a”, whose best ending scores "
        "0.182 lower.",
        "Greedy search would have written “a”, which scores 0.182 lower.",
    ]


def test_what_was_alive_to_the_last_is_said_to_have_been() -> None:
    steps = (
        (branch(-1, "▁a", 0.6, 0.6, "alive"), branch(-1, "▁b", 0.4, 0.4, "alive")),
        (branch(1, EOS, 0.9, 0.36, "won", math.log(0.36)), branch(0, "▁x", 0.5, 0.3, "alive")),
    )
    assert said(BeamTree("x", steps, 2, 0.0, 0.0, "b"))[1:] == [
        "Nothing else that ended counts.",
        "At step 1 the winner was only second best, at −0.916; best, at −0.511, was “a”, which was still alive when "
        "the search stopped.",
        "Greedy search would have begun “a x”, which was alive when the search stopped.",
        "The search stopped after step 2: one beginning was alive, but could score no better any more.",
    ]


def test_coverage_is_what_a_score_holds_beside_log_probability() -> None:
    tree = record(toy_model(3), 4, coverage=0.25)
    assert tree.winner is not None
    assert all(ending.coverage == pytest.approx(-0.25 * ending.length) for ending in tree.endings)
    assert f"with {-0.25 * tree.winner.length:.3f} for coverage".replace("-", "−") in said(tree)[0]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("beam_size", [1, 2, 5])
def test_every_search_can_be_told(seed: int, beam_size: int) -> None:
    tree = record(toy_model(seed), beam_size)
    assert tree.winner is not None
    assert tree.winner.score == max(ending.score for ending in tree.endings if ending.counted)
    greedy = record(toy_model(seed), 1).winner_text
    last = next(note for note in said(tree) if note.startswith("Greedy"))
    if "the same." in last:
        assert tree.winner_text == greedy
    else:
        written = re.search("“(.*)”", last)
        assert written is not None
        assert greedy.startswith(written[1])
        assert "begun" in last or greedy == written[1]


def test_a_sentence_without_words_has_no_winner() -> None:
    tree = BeamTree("", (), 5, 0.6, 0.0, "")
    assert said(tree) == ["Nothing ended, so nothing won."]


def test_text_is_joined_from_pieces_also_without_blanks() -> None:
    labels = ["▁我们", "明天", "见面", "。"]
    steps = tuple(
        (Branch(-1 if place == 0 else 0, label, -0.1, -0.1 * (place + 1), "alive"),)
        for place, label in enumerate(labels)
    )
    assert BeamTree("x", steps, 1, 0.6, 0.0, "").text(2, 0) == "我们明天见面"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Branch(-1, "x", 0.5, -1.0, "alive"), "log-probability 0.5 of 'x', expected"),
        (lambda: Branch(-1, "x", -math.inf, -math.inf, "alive"), "leave out candidates of probability 0"),
        (lambda: Branch(-1, "x", math.nan, -1.0, "alive"), "log-probability nan of 'x'"),
        (lambda: Branch(-1, "x", -1.0, -1.0, "dead"), "fate 'dead' of 'x', expected one of alive, pruned"),
        (lambda: Branch(-1, "x", -1.0, -1.0, "alive", -1.0), "score -1.0 of 'x', which is alive"),
        (lambda: Branch(-1, EOS, -1.0, -1.0, "late"), "score None of '</s>', which is late"),
        (lambda: Branch(-1, EOS, -1.0, -1.0, "won", math.nan), "score nan of '</s>'"),
        (lambda: replace(BY_HAND, beam_size=0), "beam_size is 0"),
        (lambda: replace(BY_HAND, length_penalty=math.nan), "length_penalty is nan"),
        (lambda: replace(BY_HAND, steps=changed(0, 0, parent=0)), "parent 0 of '▁a' at step 1, expected -1"),
        (lambda: replace(BY_HAND, steps=changed(1, 0, parent=2)), r"parent 2 of '▁y' at step 2, .* before: \[0, 1\]"),
        (lambda: replace(BY_HAND, steps=changed(1, 0, parent=4)), "parent 4 of"),
        (lambda: replace(BY_HAND, steps=changed(1, 1, log_prob=-0.5)), "step 2 have log-probabilities"),
        (lambda: replace(BY_HAND, steps=((),)), "no candidates at step 1"),
        (lambda: replace(BY_HAND, length_penalty=0.6), "score -1.590.* of 'b y', expected log_prob / length penalty"),
        (
            lambda: replace(BY_HAND, steps=changed(3, 0, fate="won")),
            r"won at .*\[\(2, 0\), \(3, 0\)\], expected \[\(2, 0\)\]",
        ),
        (
            lambda: replace(BY_HAND, steps=changed(2, 0, fate="ended")),
            r"won at \(step, index\) \[\], expected \[\(2, 0\)\]",
        ),
    ],
)
def test_what_is_no_search_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


def test_the_page_holds_each_tree_as_data_that_cannot_leave_its_element(tmp_path: Path) -> None:
    hostile = replace(BY_HAND, source=HOSTILE, winner_text=HOSTILE, steps=changed(0, 0, label=HOSTILE))
    write_beam_trees([BY_HAND, hostile], tmp_path / "new" / "page.html", title="<b>Trees & more</b>")
    page = (tmp_path / "new" / "page.html").read_text(encoding="utf-8")
    assert "<title>&lt;b&gt;Trees &amp; more&lt;/b&gt;</title>" in page
    found = re.findall(r'<script type="application/json" class="data"[^>]*>(.*?)</script>', page)
    first, second = map(json.loads, found)
    assert first["steps"][0][1]["log_prob"] == -1.203973
    assert first["endings"][0]["branch"] == [2, 0]
    assert second["source"] == second["winner_text"] == second["steps"][0][0]["label"] == HOSTILE
    assert "<img" not in page


# In a browser.


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: pip install playwright"
    )
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium on the PATH to draw the page with")
    with playwright.sync_playwright() as session:
        started = session.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def look(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Write trees and open their page, which may neither fail nor ask for anything but itself."""
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    page, problems, requests = context.new_page(), [], []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text))
    page.on("dialog", lambda dialog: problems.append(dialog.message))
    page.on("request", lambda request: requests.append(request.url))

    def look(*trees: BeamTree) -> Any:
        path = tmp_path / "trees.html"
        write_beam_trees(trees, path, title="Trees")
        page.goto(path.as_uri())
        return page

    yield look
    assert problems == []
    assert requests
    assert all(url.startswith("file:") and url.endswith("trees.html") for url in requests)
    context.close()


def test_pruned_branches_show_when_asked_for(look: Callable[..., Any]) -> None:
    page = look(BY_HAND)
    assert page.locator(".branch").count() == 11
    assert page.locator(".branch.way small").all_inner_texts() == ["2. 30 %", "1. 80 %", "★ −1.590"]
    page.get_by_label("Show pruned (5)").check()
    assert page.locator(".branch").count() == 16
    assert page.locator("path").count() == 16
    page.get_by_label("Show pruned (5)").uncheck()
    assert page.locator(".branch").count() == 11


def test_a_pointer_over_a_branch_gives_its_numbers(look: Callable[..., Any]) -> None:
    page = look(BY_HAND)
    page.locator(".branch", has_text="▁x").hover()
    assert page.locator("#tip .so-far").inner_text() == "a x"
    assert page.locator("#tip dd").all_inner_texts() == [
        "25 % (log-probability −1.386)",
        "log-probability −1.897",
        "2 of 4 at step 2",
        "1 of the 4 candidates, 1 pruned",
    ]
    assert page.locator(".branch.on").count() == page.locator("path.on").count() == 2
    page.locator(".branch.won").hover()
    assert page.locator("#tip dd").last.inner_text() == "−1.590"
    page.mouse.move(1, 1)
    assert not page.locator("#tip").is_visible()


def test_arrows_walk_the_tree(look: Callable[..., Any]) -> None:
    page = look(BY_HAND)
    focused = "document.activeElement.place?.join()"
    page.locator("#normal").focus()
    seen = []
    for key in ("Tab", "ArrowRight", "ArrowRight", "ArrowDown", "ArrowRight", "ArrowLeft", "ArrowUp", "End", "Home"):
        page.keyboard.press(key)
        seen.append(page.evaluate(focused))
    assert seen == ["0,1", "1,0", "2,0", "2,1", "3,0", "2,1", "2,0", "2,0", "0,1"]
    assert page.locator("#tip").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#tip").is_visible()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('#notes') !== null"), "one Tab leaves the tree"


def test_the_right_arrow_goes_along_the_winner_even_where_another_is_better(look: Callable[..., Any]) -> None:
    steps = (
        (branch(-1, "▁a", 1.0, 1.0, "alive"),),
        (branch(0, "▁b", 0.6, 0.6, "alive"), branch(0, EOS, 0.4, 0.4, "won", math.log(0.4))),
    )
    page = look(BeamTree("x", steps, 2, 0.0, 0.0, "a"))
    page.locator("#normal").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.place.join()") == "1,1"


def test_a_note_shows_its_branch_even_if_that_was_pruned(look: Callable[..., Any]) -> None:
    page = look(BY_HAND)
    assert page.locator("#notes li").nth(3).inner_text().startswith("Greedy search would have begun “a x z”, which")
    page.locator("#notes li").nth(3).get_by_role("button").click()
    assert page.evaluate("document.activeElement.place.join()") == "2,3"
    assert page.locator("#tip .so-far").inner_text() == "a x z"
    assert page.locator("#pruned").is_checked()


def test_the_table_writes_every_score_out(look: Callable[..., Any]) -> None:
    page = look(BY_HAND)
    rows = page.locator("tbody tr").all()
    assert rows[1].locator("td").all_inner_texts() == [
        "2",
        "b y w",
        "−2.736",
        "4",
        "((5 + 4) / 6)^1 = 1.500",
        "−2.736 / 1.500 = −1.824",
        "show",
    ]
    assert rows[0].get_attribute("class") == "won"
    assert rows[3].locator("td").first.inner_text() == "does not count"
    covered = look(replace(BY_HAND, coverage_penalty=0.2, steps=changed(2, 0, score=math.log(0.12) * 6 / 8 - 0.05)))
    assert covered.locator("tbody tr").first.locator("td").nth(6).inner_text() == "−2.120 / 1.333 − 0.050 = −1.640"


@pytest.mark.parametrize("pruned", [False, True])
def test_a_tree_has_no_crossing_lines_and_no_boxes_over_each_other(look: Callable[..., Any], pruned: bool) -> None:
    page = look(*(record(toy_model(seed, end=2.0), 8, alpha=1.5, longest=16) for seed in range(5)))
    page.locator("#pruned").set_checked(pruned)
    for sentence in range(5):
        page.locator("#sentence").select_option(index=sentence)
        drawn = page.evaluate(
            "[...drawn.values()].map((one) => [...one.place, one.middle, branchAt(one.place).parent])"
        )
        tops = {(step, index): middle for step, index, middle, _ in drawn}
        for step in range(1, max(step for step, *_ in drawn) + 1):
            column = sorted((middle, tops[step - 1, parent]) for number, _, middle, parent in drawn if number == step)
            assert all(lower[0] - upper[0] >= 3.6 and lower[1] >= upper[1] for upper, lower in pairwise(column))
        assert min(tops.values()) >= 2.6
        assert max(tops.values()) <= page.evaluate("svg.viewBox.baseVal.height") - 1.4


def test_by_rank_the_best_is_on_top(look: Callable[..., Any]) -> None:
    page = look(record(toy_model(5), 4))
    page.locator("#pruned").check()
    page.locator("#order").select_option("rank")
    places = page.evaluate("[...drawn.values()].map((one) => [one.place[1], one.at])")
    assert all(index == at for index, at in places)


def test_a_selector_opens_each_sentence(look: Callable[..., Any]) -> None:
    page = look(
        BY_HAND, replace(BY_HAND, source="我们明天见面。", winner_text="مرحبا"), BeamTree("", (), 2, 1.0, 0.0, "")
    )
    assert page.locator("#sentence option").all_inner_texts() == ["1. ein Satz", "2. 我们明天见面。", "3. (empty)"]
    page.locator("#next").click()
    assert page.locator("#source").inner_text() == "我们明天见面。"
    assert page.evaluate("getComputedStyle(document.getElementById('winner-text')).direction") == "rtl"
    page.locator("#sentence").select_option(index=2)
    assert page.locator("#notes").inner_text() == "Nothing ended, so nothing won."
    assert not page.locator("#view").is_visible()
    assert page.locator("#next").is_disabled()
    page.locator("#previous").click()
    assert page.locator("#view").is_visible()


def test_a_page_of_no_sentences_says_so(look: Callable[..., Any]) -> None:
    assert look().locator("main").inner_text().split("\n")[-1] == "No sentence was searched."


def test_hostile_text_is_only_text(look: Callable[..., Any]) -> None:
    steps = changed(0, 1, label=HOSTILE)
    page = look(replace(BY_HAND, source=HOSTILE, winner_text=HOSTILE, steps=steps))
    page.locator("#pruned").check()
    page.locator(".branch.way").first.hover()
    page.locator("tbody button").first.click()
    assert page.title() == "Trees"
    assert page.locator("img").count() == 0
    assert page.locator("script:not(.data)").count() == 1
    for place in ("#source", "#winner-text", "tbody .text >> nth=0"):
        assert page.locator(place).inner_text() == HOSTILE
    assert page.locator("#tip .so-far").inner_text().startswith("<img src=x")


def test_sixty_steps_of_ten_stay_inside_the_page_and_zoom(look: Callable[..., Any]) -> None:
    page = look(record(toy_model(1, pieces="abcdefghijklmnopqrst", end=1e-6), 10, longest=60))
    page.locator("#pruned").check()
    assert page.locator(".branch").count() > 1100
    assert page.evaluate(
        "document.documentElement.scrollWidth <= innerWidth && view.scrollWidth > 3 * view.clientWidth"
    )
    before = page.locator(".branch").first.bounding_box()["height"]
    page.locator("#larger").click()
    assert page.locator(".branch").first.bounding_box()["height"] == pytest.approx(1.25 * before, rel=0.05)
    page.locator("#fit").click()
    assert page.evaluate("stage.offsetWidth <= view.clientWidth + 1")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("0")
    page.keyboard.press("Home")
    page.mouse.move(600, 600)
    page.keyboard.press("End")
    assert page.evaluate("document.activeElement.classList.contains('won')")
    page.wait_for_timeout(200)  # the browser tells of what came under the pointer a little later
    assert page.locator("#tip .so-far").inner_text() == page.locator("#winner-text").inner_text()
    assert page.locator("#tip").is_visible()
    assert page.locator("#zoom").inner_text() == "100 %"
    frame, box = page.locator("#view").bounding_box(), page.locator(".branch.won").bounding_box()
    assert frame["x"] <= box["x"] <= frame["x"] + frame["width"]

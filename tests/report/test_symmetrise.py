"""Two alignments made one, against examples worked by hand and against the procedure as it was published."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2s.errors import InputError
from s2s.report.alignment import Link
from s2s.report.symmetrise import METHODS, symmetrise

LINKS = st.sets(st.tuples(st.integers(0, 5), st.integers(0, 4)))
GROW = "grow-diag-final-and"


def published(forward: set[Link], backward: set[Link]) -> set[Link]:
    """GROW-DIAG and FINAL-AND word by word, e the target and f the source, as Moses' manual has them."""
    neighbouring = [(-1, 0), (0, -1), (1, 0), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1)]
    size = 7
    alignment = [(target, source) for source, target in forward & backward]

    def e_aligned(e: int) -> bool:
        return any(e == target for target, _ in alignment)

    def f_aligned(f: int) -> bool:
        return any(f == source for _, source in alignment)

    added = True
    while added:
        added = False
        for e in range(size):
            for f in range(size):
                for e_step, f_step in neighbouring if (e, f) in alignment else []:
                    e_new, f_new = e + e_step, f + f_step
                    free = not e_aligned(e_new) or not f_aligned(f_new)
                    if free and (f_new, e_new) in forward | backward:
                        alignment.append((e_new, f_new))
                        added = True
    for direction in (forward, backward):
        for e in range(size):
            for f in range(size):
                if not e_aligned(e) and not f_aligned(f) and (f, e) in direction:
                    alignment.append((e, f))
    return {(f, e) for e, f in alignment}


def test_intersection_and_union_are_those_of_sets() -> None:
    forward, backward = {(0, 0), (1, 1)}, {(1, 1), (2, 1)}
    assert symmetrise(forward, backward, "intersection") == {(1, 1)}
    assert symmetrise(forward, backward, "union") == {(0, 0), (1, 1), (2, 1)}


def test_a_neighbour_is_taken_where_one_word_has_no_link_yet() -> None:
    # (1, 0) and (1, 1) touch (0, 0): source word 1 is free. After (1, 0) only target word 1 is free for (1, 1).
    assert symmetrise({(0, 0), (1, 0)}, {(0, 0), (1, 1)}, GROW) == {(0, 0), (1, 0), (1, 1)}


def test_a_neighbour_is_left_where_both_words_have_links() -> None:
    # (1, 0) touches both links of the intersection, and neither of its words is free.
    assert symmetrise({(0, 0), (1, 1), (1, 0)}, {(0, 0), (1, 1)}, GROW) == {(0, 0), (1, 1)}


def test_growth_goes_on_from_what_it_added_in_every_direction() -> None:
    path = {(3, 3), (2, 2), (1, 3), (0, 4), (4, 2), (5, 1)}
    assert symmetrise({(3, 3)}, path, GROW) == path


def test_a_link_apart_is_added_last_where_both_its_words_are_free() -> None:
    assert symmetrise({(0, 0), (3, 3)}, {(0, 0)}, GROW) == {(0, 0), (3, 3)}
    assert symmetrise({(0, 0)}, {(0, 0), (3, 3)}, GROW) == {(0, 0), (3, 3)}


def test_a_link_apart_is_left_where_one_word_has_a_link() -> None:
    assert symmetrise({(0, 0), (0, 3)}, {(0, 0), (3, 0)}, GROW) == {(0, 0)}


def test_forward_links_apart_go_before_backward_ones() -> None:
    assert symmetrise({(0, 2)}, {(0, 0)}, GROW) == {(0, 2)}
    assert symmetrise({(0, 0)}, {(0, 2)}, GROW) == {(0, 0)}


def test_a_sentence_worked_by_hand() -> None:
    # das Haus ist ja sehr klein / the house is very small. Both agree on das, Haus and klein. ist-is (2, 2) touches
    # Haus-house, and ja-very (3, 3) then touches ist-is. sehr-very (4, 3) touches klein-small, and sehr is free.
    # das-small (0, 4) touches nothing, and both its words have links.
    forward = {(0, 0), (1, 1), (2, 2), (4, 3), (5, 4), (0, 4)}
    backward = {(0, 0), (1, 1), (3, 3), (5, 4)}
    assert symmetrise(forward, backward, GROW) == {(0, 0), (1, 1), (2, 2), (3, 3), (4, 3), (5, 4)}


@given(forward=LINKS, backward=LINKS)
def test_grow_diag_final_and_is_the_published_procedure(forward: set[Link], backward: set[Link]) -> None:
    assert symmetrise(forward, backward, GROW) == published(forward, backward)


@given(forward=LINKS, backward=LINKS, how=st.sampled_from(METHODS))
def test_the_result_lies_between_intersection_and_union(forward: set[Link], backward: set[Link], how: str) -> None:
    assert forward & backward <= symmetrise(forward, backward, how) <= forward | backward


@given(forward=LINKS, backward=LINKS)
def test_no_link_is_left_out_whose_words_are_both_free(forward: set[Link], backward: set[Link]) -> None:
    result = symmetrise(forward, backward, GROW)
    sources, targets = {source for source, _ in result}, {target for _, target in result}
    assert all(source in sources or target in targets for source, target in forward | backward)


@given(links=LINKS, how=st.sampled_from(METHODS))
def test_two_equal_alignments_stay_what_they_are(links: set[Link], how: str) -> None:
    assert symmetrise(links, set(links), how) == links


@given(forward=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40))), backward=LINKS, data=st.data())
def test_the_order_in_which_links_come_changes_nothing(
    forward: list[Link], backward: set[Link], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(forward))
    assert symmetrise(set(forward), backward, GROW) == symmetrise(set(shuffled), backward, GROW)


@given(forward=LINKS, backward=LINKS)
def test_what_is_given_is_left_as_it_was(forward: set[Link], backward: set[Link]) -> None:
    before = set(forward), set(backward)
    for how in METHODS:
        symmetrise(forward, backward, how).add((99, 99))
    assert (forward, backward) == before


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(InputError, match="'grow' is unknown; expected one of intersection, union, grow-diag"):
        symmetrise(set(), set(), "grow")

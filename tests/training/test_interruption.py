"""Ctrl-C: after the first the update under way is finished, the second ends at once."""

import signal
import threading

import pytest

from s2s.training.interruption import Interruption


def test_the_first_ctrl_c_is_noted_and_the_second_ends_at_once():
    with Interruption() as interruption:
        assert not interruption.asked
        signal.raise_signal(signal.SIGINT)
        assert interruption.asked
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_handlers_are_afterwards_what_they_were():
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    with Interruption():
        assert [signal.getsignal(number) for number in numbers] != before
    assert [signal.getsignal(number) for number in numbers] == before


def test_in_another_thread_which_may_not_listen_nothing_is_asked():
    found = []

    def enter():
        with Interruption() as interruption:
            found.append(interruption.asked)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert found == [False]

"""What was looked up is remembered for a second, refreshed while it is used, and forgotten when something changed."""

from __future__ import annotations

import threading

import psycopg

from factories.waiting import until
from mixpeek.tenancy.memory import AGEING_S, ASK_AGAIN_S, LASTS_S, LASTS_UNANSWERED_S, Memory


class Facts:
    """A database of one fact, and a clock."""

    def __init__(self) -> None:
        self.value: str | None = "first"
        self.asked = 0
        self.now = 100.0
        self.hold: threading.Event | None = None
        self.reached = threading.Event()
        self.refusals: list[Exception] = []
        self.memory: Memory[str, str] = Memory(self.look_up, clock=lambda: self.now)

    def look_up(self, _: str) -> str | None:
        self.asked += 1
        value = self.value
        self.reached.set()
        if self.refusals:
            raise self.refusals.pop()
        if self.hold is not None:
            assert self.hold.wait(10)
        return value


def test_an_answer_is_remembered_for_a_second_and_not_longer() -> None:
    facts = Facts()
    assert facts.memory.recall("key") is None

    assert [facts.memory.find("key") for _ in range(5)] == ["first"] * 5
    assert facts.asked == 1

    facts.now += LASTS_S
    assert facts.memory.recall("key") is None


def test_an_answer_in_steady_use_is_looked_up_again_beside_the_requests() -> None:
    facts = Facts()
    facts.memory.find("key")
    facts.value = "second"
    facts.now += AGEING_S

    assert facts.memory.recall("key") == "first"
    until(lambda: facts.memory.recall("key") == "second", what="the newer answer is there")
    assert facts.asked == 2


def test_what_is_gone_is_forgotten_as_soon_as_that_is_seen() -> None:
    facts = Facts()
    facts.memory.find("key")
    facts.value = None
    facts.now += AGEING_S

    facts.memory.recall("key")

    until(lambda: facts.memory.recall("key") is None, what="the gone answer is forgotten")


def test_an_answer_that_was_on_its_way_when_something_changed_is_not_remembered() -> None:
    facts = Facts()
    facts.hold = threading.Event()
    asking = threading.Thread(target=facts.memory.find, args=("key",))
    asking.start()
    assert facts.reached.wait(10)

    facts.memory.forget()
    facts.hold.set()
    asking.join(10)

    assert facts.memory.recall("key") is None


def test_an_answer_holds_while_the_database_does_not_answer_and_not_for_ever() -> None:
    facts = Facts()
    facts.memory.find("key")
    facts.hold = threading.Event()
    facts.now += AGEING_S
    facts.memory.recall("key")  # asks again, and waits

    facts.now += LASTS_S
    assert facts.memory.recall("key") == "first"

    facts.now += LASTS_UNANSWERED_S
    assert facts.memory.recall("key") is None
    facts.hold.set()


def test_a_database_that_could_not_be_asked_is_asked_again() -> None:
    facts = Facts()
    facts.memory.find("key")
    facts.value = "second"
    facts.refusals.append(psycopg.OperationalError("the primary is gone"))
    facts.now += AGEING_S
    facts.memory.recall("key")
    until(lambda: not facts.refusals, what="it was asked in vain")

    facts.now += LASTS_S
    assert facts.memory.recall("key") == "first"
    until(lambda: ticking(facts) == "second", what="it is asked again")


def ticking(facts: Facts) -> str | None:
    """Return what is remembered, a while later."""
    facts.now += ASK_AGAIN_S
    return facts.memory.recall("key")

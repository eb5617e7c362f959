"""How a worker's hosts are shared by its batches: nobody is left without, and what one does not need others have."""

from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from mixpeek.batches.sharing import COMPUTING, WAITING, Shares, Wish, fill, share_out

WISHES = st.lists(
    st.builds(Wish, st.sampled_from(["a", "b", "c"]), st.integers(1, 40), st.sampled_from([COMPUTING, WAITING])),
    min_size=1,
    max_size=8,
)


def test_a_batch_alone_has_all_hosts_that_are_of_use_to_it() -> None:
    assert share_out(8 * COMPUTING, [Wish("a", 8)]) == [8]
    assert share_out(8 * COMPUTING, [Wish("a", 3)]) == [3]


def test_namespaces_share_alike_however_many_batches_one_has() -> None:
    shares = share_out(8 * COMPUTING, [Wish("many", 8), Wish("many", 8), Wish("one", 8)])

    assert shares == [2, 2, 4]


def test_what_a_small_batch_does_not_need_goes_to_the_others() -> None:
    assert share_out(8 * COMPUTING, [Wish("large", 8), Wish("small", 1)]) == [7, 1]


def test_hosts_that_wait_for_a_network_count_for_a_quarter() -> None:
    assert share_out(2 * COMPUTING, [Wish("a", 8, WAITING)]) == [8]
    assert share_out(2 * COMPUTING, [Wish("a", 8, WAITING), Wish("b", 2)]) == [4, 1]


@given(WISHES, st.integers(1, 16))
def test_everybody_has_one_host_and_nobody_more_than_they_wish(wishes: list[Wish], hosts: int) -> None:
    granted = share_out(hosts * COMPUTING, wishes)

    assert all(1 <= given <= wish.hosts for given, wish in zip(granted, wishes, strict=True))


@given(st.dictionaries(st.integers(), st.integers(0, 50), min_size=1), st.integers(0, 200))
def test_a_whole_is_given_away_as_far_as_it_is_wished_for(wishes: dict[int, int], whole: int) -> None:
    given_away = fill(whole, wishes)

    assert sum(given_away.values()) == min(whole, sum(wishes.values()))
    short = [given_away[key] for key in wishes if given_away[key] < wishes[key]]
    assert not short or max(given_away.values()) - min(short) <= 1


def test_a_host_stands_aside_while_another_namespace_has_work_and_goes_on_after_it() -> None:
    shares, went_on = Shares(2), threading.Event()
    with shares.joined(Wish("large", 2)) as large:
        large.begin(0), large.begin(1)
        assert large.allows(1)
        with shares.joined(Wish("small", 1)):
            assert large.allows(0) and not large.allows(1)
            waiting = threading.Thread(target=lambda: large.wait(1, lambda: False) and went_on.set())
            waiting.start()
            assert not went_on.is_set()
        waiting.join(10)

    assert went_on.is_set()


def test_who_waits_for_a_turn_ends_when_nothing_is_left() -> None:
    shares = Shares(1)
    with shares.joined(Wish("large", 2)) as large:
        large.begin(0), large.begin(1)
        assert not large.wait(1, lambda: True)


def test_the_last_one_at_work_may_go_on_whatever_its_place_is() -> None:
    with Shares(3).joined(Wish("one", 3)) as share:
        for place in range(3):
            share.begin(place)
        share.give_back(0)
        share.give_back(1)

        assert share.hosts == 1
        assert share.allows(2), "it may have to run what a lost machine left behind"


def test_a_batch_has_more_hosts_once_there_are_more_and_fewer_once_machines_are_gone() -> None:
    shares = Shares(1)
    with shares.joined(Wish("one", 3)) as one:
        before = one.hosts
        shares.resize(4)
        with shares.joined(Wish("other", 8)) as other:
            grown = (one.hosts, other.hosts)
            shares.resize(2)
            assert (before, grown, (one.hosts, other.hosts)) == (1, (2, 2), (1, 1))

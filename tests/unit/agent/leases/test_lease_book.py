"""The lease and its line with a clock in the hand: one holder, first asked first served."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from trimtab_agent.leases import Ask, Lease, LeaseBook
from trimtab_agent.leases.records import MAX_TTL_NS, MAX_WAITING, PATIENCE_NS, SECOND_NS
from trimtab_protos.errors import LeaseExpired, LeaseHeld, QueueFull

TTL = 30 * SECOND_NS


class Clock:
    def __init__(self) -> None:
        self.now = 1000 * SECOND_NS

    def __call__(self) -> int:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += round(seconds * SECOND_NS)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def book(clock: Clock) -> LeaseBook:
    return LeaseBook(clock)


def ask(name: str, owner: str = "") -> Ask:
    return Ask(owner, f"request of {name}", name)


def refusal(book: LeaseBook, name: str) -> dict[str, str]:
    with pytest.raises(LeaseHeld) as caught:
        book.acquire(ask(name), TTL)
    return caught.value.metadata


def test_the_same_ask_has_the_same_lease(book: LeaseBook, clock: Clock) -> None:
    lease = book.acquire(ask("ann"), TTL)
    clock.advance(5)
    assert book.acquire(ask("ann"), TTL) == lease
    assert book.remaining_ns(lease) == 25 * SECOND_NS


def test_anothers_request_is_another_even_by_the_same_id(book: LeaseBook) -> None:
    book.acquire(ask("ann", owner="alice"), TTL)
    with pytest.raises(LeaseHeld):
        book.acquire(ask("ann", owner="mallory"), TTL)


def test_who_waits_hears_holder_time_and_place(book: LeaseBook, clock: Clock) -> None:
    book.acquire(ask("ann"), TTL)
    clock.advance(10)
    assert refusal(book, "ben") == {"holder": "ann", "remaining_s": "20.0", "position": "1"}
    assert refusal(book, "cid")["position"] == "2"
    assert refusal(book, "ben")["position"] == "1"
    assert [each.holder for each in book.waiting()] == ["ben", "cid"]


def test_a_lease_ends_with_its_time_and_is_given_to_the_first_in_line(
    book: LeaseBook, clock: Clock
) -> None:
    lease = book.acquire(ask("ann"), TTL)
    refusal(book, "ben")
    for _ in range(3):
        clock.advance(9)
        refusal(book, "cid")
        refusal(book, "ben")
    clock.advance(3)
    with pytest.raises(LeaseExpired):
        book.renew(lease.lease_id, TTL)
    metadata = refusal(book, "cid")
    assert metadata == {"holder": "ben", "position": "2"}  # nobody knows for how long
    assert book.acquire(ask("ben"), TTL).holder == "ben"


def test_renewing_extends_from_now_and_releasing_ends_once(book: LeaseBook, clock: Clock) -> None:
    lease = book.acquire(ask("ann"), TTL)
    clock.advance(29)
    assert book.remaining_ns(book.renew(lease.lease_id, TTL)) == TTL
    clock.advance(29)
    assert book.check(lease.lease_id).holder == "ann"
    assert book.release(lease.lease_id)
    assert not book.release(lease.lease_id)
    assert book.lease is None


@pytest.mark.parametrize(("asked", "given"), [(1, SECOND_NS), (10**18, MAX_TTL_NS)])
def test_times_are_kept_within_bounds(book: LeaseBook, asked: int, given: int) -> None:
    lease = book.acquire(ask("ann"), asked)
    assert book.remaining_ns(lease) == given
    assert book.remaining_ns(book.renew(lease.lease_id, asked)) == given


def test_who_does_not_ask_again_loses_the_place(book: LeaseBook, clock: Clock) -> None:
    lease = book.acquire(ask("ann"), TTL)
    refusal(book, "gone")
    clock.advance(10)
    refusal(book, "ben")
    clock.advance(PATIENCE_NS / SECOND_NS - 10)
    assert refusal(book, "ben")["position"] == "2"
    clock.advance(0.001)
    assert refusal(book, "ben")["position"] == "1"
    book.release(lease.lease_id)
    assert book.acquire(ask("ben"), TTL)


def test_a_job_that_outlives_its_lease_holds_the_device(book: LeaseBook, clock: Clock) -> None:
    lease = book.acquire(ask("ann"), TTL)
    book.job_began("ann")
    clock.advance(31)
    assert refusal(book, "ben") == {"holder": "ann", "position": "1"}
    with pytest.raises(LeaseExpired):
        book.check(lease.lease_id)
    book.job_ended()
    assert book.acquire(ask("ben"), TTL)


def test_jobs_without_a_lease_have_their_turn_in_the_same_line(book: LeaseBook) -> None:
    lease = book.acquire(ask("ann"), TTL)
    refusal(book, "ben")
    book.seat_jobs(["dan"])
    refusal(book, "cid")
    assert book.next_jobs() is None
    book.release(lease.lease_id)
    assert book.next_jobs() is None  # ben's turn
    lease = book.acquire(ask("ben"), TTL)
    book.release(lease.lease_id)
    assert refusal(book, "cid") == {"holder": "dan", "position": "2"}
    assert book.next_jobs() == "dan"
    book.seat_jobs([])
    assert book.acquire(ask("cid"), TTL)


def test_the_line_has_an_end(book: LeaseBook) -> None:
    book.acquire(ask("ann"), TTL)
    for number in range(MAX_WAITING):
        refusal(book, str(number))
    with pytest.raises(QueueFull):
        book.acquire(ask("one more"), TTL)
    assert refusal(book, "7")["position"] == "8"


def test_it_says_when_something_ends_by_itself(book: LeaseBook, clock: Clock) -> None:
    assert book.changes_in_ns() is None
    book.acquire(ask("ann"), TTL)
    assert book.changes_in_ns() == TTL
    refusal(book, "ben")
    assert book.changes_in_ns() == PATIENCE_NS + 1
    clock.now += PATIENCE_NS + 1
    assert book.changes_in_ns() == TTL - PATIENCE_NS - 1


NAMES = ("ann", "ben", "cid", "dan")
HOSTS = st.sampled_from(NAMES)


class AnyCourse(RuleBasedStateMachine):
    """What every host knows, kept beside the book by the simplest means."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.numbers = itertools.count()
        self.book = LeaseBook(self.clock, lambda: f"lease {next(self.numbers)}")
        self.ends: dict[str, int] = {}  # of every lease that was given, when it ends
        self.line: list[tuple[str, int]] = []  # who, and when last asked
        self.is_running = False

    def answer(self, name: str) -> Lease | LeaseHeld:
        try:
            return self.book.acquire(ask(name), TTL)
        except LeaseHeld as refused:
            return refused

    def in_force(self) -> list[str]:
        return [lease for lease, end in self.ends.items() if end > self.clock.now]

    @rule(name=HOSTS)
    def acquire(self, name: str) -> None:
        now = self.clock.now
        holder = self.book.lease
        self.line = [(who, at) for who, at in self.line if now - at <= PATIENCE_NS]
        if holder is None or holder.holder != name:
            if name not in [who for who, _ in self.line]:
                self.line.append((name, now))
            self.line = [(who, now if who == name else at) for who, at in self.line]
        lease = self.answer(name)
        if isinstance(lease, LeaseHeld):
            place = [who for who, _ in self.line].index(name) + 1
            assert lease.metadata["position"] == str(place)
            assert place > 1 or self.is_running or self.in_force()
        elif lease.lease_id not in self.ends:
            assert not self.in_force(), "a second holder"
            assert not self.is_running
            assert self.line[0][0] == name, "somebody asked before"
            del self.line[0]
            self.ends[lease.lease_id] = lease.expires_ns

    @rule(seconds=st.sampled_from([0.5, 1, 5, 14, 16, 31]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @precondition(lambda self: self.ends)
    @rule(data=st.data(), releases=st.booleans())
    def use(self, data: st.DataObject, releases: bool) -> None:
        lease_id = data.draw(st.sampled_from(sorted(self.ends)))
        was_in_force = lease_id in self.in_force()
        if releases:
            assert self.book.release(lease_id) == was_in_force
            self.ends[lease_id] = min(self.ends[lease_id], self.clock.now)
            return
        try:
            renewed: Lease | None = self.book.renew(lease_id, TTL)
        except LeaseExpired:
            renewed = None
        assert (renewed is not None) == was_in_force
        if renewed is not None:
            self.ends[lease_id] = renewed.expires_ns

    @rule()
    def job(self) -> None:
        if self.is_running:
            self.book.job_ended()
        elif self.book.lease is not None:
            self.book.job_began(self.book.lease.holder)
        else:
            return
        self.is_running = not self.is_running

    @invariant()
    def one_holder_at_most(self) -> None:
        lease = self.book.lease
        assert self.in_force() == ([] if lease is None else [lease.lease_id])

    def teardown(self) -> None:
        """Whatever went before: who asks each second has a turn, all within one round."""
        self.book.job_ended()
        served: set[str] = set()
        for _ in range((len(NAMES) + 1) * 31 + 16):
            for name in NAMES:
                lease = self.answer(name)
                if isinstance(lease, LeaseHeld):
                    continue
                if name in served:
                    self.book.release(lease.lease_id)
                served.add(name)
            self.clock.advance(1)
        assert served == set(NAMES)


TestAnyCourse = AnyCourse.TestCase
TestAnyCourse.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)

"""Places for connections, and for those of them that are at their handshakes."""

from __future__ import annotations

from trimtab_agent.security.places import PlaceLimits, Places

_LIMITS = PlaceLimits(total=6, per_address=4, shaking_hands=4, shaking_hands_per_address=2)


def test_a_handshake_counts_from_the_moment_its_connection_is_taken() -> None:
    places = Places(_LIMITS)
    assert [places.take("a") for _ in range(3)] == [
        "",
        "",
        "2 others from there are at their handshakes",
    ]
    with places.shaking_hands("a"):
        assert places.take("a") != ""
    assert places.take("a") == ""


def test_one_addresss_handshakes_leave_places_for_others() -> None:
    places = Places(_LIMITS)
    assert not any(places.take(address) for address in ("a", "a", "b", "b"))
    assert places.take("c") == "4 others are at their handshakes"
    with places.shaking_hands("a"):
        pass
    assert places.take("c") == ""


def test_connections_are_counted_until_they_are_given_back() -> None:
    places = Places(_LIMITS)

    def take(address: str) -> str:
        why = places.take(address)
        if not why:
            with places.shaking_hands(address):
                pass
        return why

    assert not any(take("a") for _ in range(4))
    assert take("a") == "4 connections are open from there, the most it takes"
    assert not any(take("b") for _ in range(2))
    assert take("b") == "6 connections are open, the most this agent takes"
    places.give_back("a")
    assert take("b") == ""

"""What a key may do, and where."""

from __future__ import annotations

import pytest

from mixpeek.tenancy.models import PERMISSIONS, Principal
from mixpeek.tenancy.service import key_in, visible_prefix


def principal(*permissions: str, namespaces: frozenset[str] | None = None) -> Principal:
    return Principal("org_1", "key_1", "ci", permissions, namespaces)


@pytest.mark.parametrize("held", PERMISSIONS)
@pytest.mark.parametrize("wanted", PERMISSIONS)
def test_a_permission_holds_those_before_it(held: str, wanted: str) -> None:
    assert principal(held).may(wanted) is (PERMISSIONS.index(wanted) <= PERMISSIONS.index(held))


def test_the_highest_of_several_permissions_counts() -> None:
    assert principal("read", "delete").may("write")


def test_a_key_without_known_permissions_may_nothing() -> None:
    assert not principal().may("read")
    assert not principal("dance").may("read")


def test_a_key_without_a_scope_sees_every_namespace_and_what_belongs_to_none() -> None:
    assert principal("read").sees("ns_1")
    assert principal("read").sees(None)


def test_a_scoped_key_sees_its_namespaces_only() -> None:
    scoped = principal("admin", namespaces=frozenset({"ns_1"}))

    assert scoped.sees("ns_1")
    assert not scoped.sees("ns_2")
    assert not scoped.sees(None)


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ("Bearer sk_1", "sk_1"),
        ("bearer  sk_1 ", "sk_1"),
        ("Bearer", None),
        ("Bearer  ", None),
        ("Basic sk_1", None),
        ("sk_1", None),
        ("", None),
        (None, None),
    ],
)
def test_a_key_is_read_from_a_bearer_header_only(header: str | None, key: str | None) -> None:
    assert key_in(header) == key


def test_the_visible_part_of_a_key_is_ten_characters_but_never_most_of_it() -> None:
    assert visible_prefix("sk_" + "a" * 43) == "sk_aaaaaaa"
    assert visible_prefix("secret") == "se"

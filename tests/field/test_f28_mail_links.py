"""F28, F29, F32: what looks at links and pages before a person does."""

import secrets

import pytest
from django.conf import settings

from core.keys import TokenSigner
from profiles.models import Profile
from tests.support.edge_client import Reply, target
from tests.support.edge_process import DP, TOKEN_PLATFORM
from tests.support.field import Field
from usersync.links import PURPOSE, LinkKind, make_link
from usersync.models import MatchClaim, UserMapping

TARGET = "https://shop.example/spring"


@pytest.fixture
def contact() -> str:
    return f"4694{secrets.randbelow(10**9)}"


def click(field: Field, contact: str, cookie: str | None = None, kind: LinkKind = LinkKind.CLICK) -> Reply:
    """Somebody, or something, follows the link of a mail to this contact."""
    tokens = TokenSigner(settings.ENVIRONMENT.derived_secrets(PURPOSE))
    path = make_link(tokens, "", TOKEN_PLATFORM, kind, TARGET, "spring")
    reply = field.edge.client.get(path, {"u": contact}, cookie=cookie)
    assert (reply.status, reply.headers["location"]) == (302, TARGET)
    return reply


def matched(contact: str) -> set[str]:
    """Who has the contact's id, by the match table."""
    return {str(row.user_id) for row in UserMapping.objects.filter(platform_user_id=contact)}


@pytest.mark.parametrize("kind", LinkKind)
def test_f28__gateway_after_the_reader__takes_nobodys_match_away(field: Field, contact: str, kind: LinkKind) -> None:
    reader = field.browser()
    click(field, contact, reader, kind)
    field.absorb()

    for _ in range(3):
        click(field, contact, None, kind)
        field.absorb()

    assert matched(contact) == {reader}
    assert [one["platform_user_id"] for one in field.story(reader)["mappings"]] == [contact]


def test_f28__gateway_before_the_reader__is_in_nobodys_way(field: Field, contact: str) -> None:
    gateway, reader = click(field, contact).cookie, field.browser()
    assert gateway is not None
    field.absorb()
    assert not Profile.objects.get(user_id=gateway).confirmed

    click(field, contact, reader)
    field.absorb()

    assert matched(contact) == {reader}


@pytest.mark.parametrize("order", ["before", "after", "both"])
def test_f28__reader_who_is_new__has_the_match_once_the_page_knows_the_cookie(
    field: Field, contact: str, order: str
) -> None:
    if order in {"before", "both"}:
        click(field, contact)
        field.absorb()
    reader = click(field, contact).cookie
    if order in {"after", "both"}:
        click(field, contact)
    field.absorb()

    field.send(reader)
    field.absorb()

    assert matched(contact) == {reader}
    assert [one["platform_user_id"] for one in field.story(reader or "")["mappings"]] == [contact]


def test_f28__reader_on_a_second_browser__takes_the_match_over_once_it_is_confirmed(field: Field, contact: str) -> None:
    first = field.browser()
    click(field, contact, first)
    field.absorb()
    second = click(field, contact).cookie
    field.absorb()
    assert (matched(contact), MatchClaim.objects.filter(platform_user_id=contact).count()) == ({first}, 1)

    field.send(second)
    field.absorb()

    assert (matched(contact), MatchClaim.objects.filter(platform_user_id=contact).count()) == ({second}, 0)


def test_f28__later_click_of_a_known_browser__stays_when_an_older_one_is_confirmed(field: Field, contact: str) -> None:
    first, known = field.browser(), field.browser()
    click(field, contact, first)
    field.absorb()
    claimant = click(field, contact).cookie
    field.absorb()
    click(field, contact, known)
    field.absorb()

    field.send(claimant)
    field.absorb()

    assert matched(contact) == {known}


def test_f28__all_in_one_batch__the_reader_keeps_the_match(field: Field, contact: str) -> None:
    known = field.browser()
    click(field, contact, known)
    click(field, contact)
    reader = click(field, contact).cookie
    field.send(reader)
    field.absorb()

    assert matched(contact) == {reader}


def test_f29__head_on_a_mail_link__leads_on_and_counts_nothing(field: Field, contact: str) -> None:
    tokens = TokenSigner(settings.ENVIRONMENT.derived_secrets(PURPOSE))
    path = make_link(tokens, "", TOKEN_PLATFORM, LinkKind.CLICK, TARGET, "spring")

    reply = field.edge.client.send("HEAD", f"{path}?u={contact}")

    assert (reply.status, reply.headers["location"]) == (302, TARGET)
    assert field.edge.rows() == []


@pytest.mark.parametrize("blank", ["", "%20", "+", "%09", "%C2%A0", "%E2%80%8B", "%20%20%20"])
def test_blank_contact__is_nobody(field: Field, blank: str) -> None:
    tokens = TokenSigner(settings.ENVIRONMENT.derived_secrets(PURPOSE))
    path = make_link(tokens, "", TOKEN_PLATFORM, LinkKind.CLICK, TARGET, "spring")

    reply = field.edge.client.send("GET", f"{path}?u={blank}", cookie=field.browser())

    assert (reply.status, reply.name) == (302, "no-id")
    assert field.edge.rows() == []


def test_f32__page_rendered_ahead__is_counted_when_somebody_opens_it(field: Field) -> None:
    cookie = field.browser()
    ahead = {"Sec-Purpose": "prefetch;prerender"}
    reply = field.edge.client.send("GET", target("/dp", DP), None, ahead, cookie=cookie)
    field.absorb()
    assert (reply.status, reply.name) == (200, "prefetch")
    assert not Profile.objects.filter(user_id=cookie).exists()

    field.send(cookie)
    field.absorb()

    assert [one["count"] for one in field.story(cookie)["activity"].values()] == [1]

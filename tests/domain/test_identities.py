"""How a name in one place is written once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import identities
from domain.errors import Invalid


@pytest.mark.parametrize("written", ["ana@example.com", " Ana@Example.COM ", "ANA@EXAMPLE.COM", "ana@example.com\n"])
def test_an_address_has_one_spelling(written: str):
    assert identities.normalise("email", written, country="US") == ("email", "ana@example.com")


def test_letters_with_accents_have_one_spelling_however_they_were_typed():
    assert identities.email("jose\u0301@example.com") == identities.email("josé@example.com")


@pytest.mark.parametrize(
    "written", ["", "ana", "@example.com", "ana@", "a b@example.com", "ana@example", "a@b.c" * 100]
)
def test_what_is_no_address_is_refused(written: str):
    with pytest.raises(Invalid) as refused:
        identities.email(written)
    assert refused.value.field == "email"


@pytest.mark.parametrize("written", ["+1 503 555 0100", "(503) 555-0100", "503.555.0100", "tel:+1-503-555-0100"])
def test_a_number_is_read_in_the_tenants_country(written: str):
    assert identities.normalise("Phone", written, country="US") == ("phone", "+15035550100")


def test_a_number_with_its_country_code_is_the_same_everywhere():
    assert identities.phone("+49 30 901820", country="US") == identities.phone("030 901820", country="DE")


def test_two_people_behind_one_switchboard_stay_two():
    assert identities.phone("503 555 0100 ext. 12", country="US") == "+15035550100;ext=12"


@pytest.mark.parametrize("written", ["", "ana", "12", "+1 503", "0" * 40])
def test_what_is_no_number_is_refused(written: str):
    with pytest.raises(Invalid) as refused:
        identities.phone(written, country="US")
    assert refused.value.field == "phone"


@pytest.mark.parametrize(
    ("platform", "written", "handle"),
    [
        ("x", "@Ana", "ana"),
        ("X", "https://x.com/Ana?lang=en", "ana"),
        ("x", "x.com/ana/", "ana"),
        ("twitter", "https://www.twitter.com/Ana/status/1", "ana"),
        ("twitter", "https://x.com/Ana", "ana"),
        ("linkedin", "ana-bakes", "ana-bakes"),
        ("linkedin", "https://www.linkedin.com/in/Ana-Bakes/", "ana-bakes"),
        ("linkedin", "https://de.linkedin.com/in/ana-bakes/details/experience/", "ana-bakes"),
        ("facebook", "https://www.facebook.com/profile.php?id=100012", "100012"),
        ("instagram", "www.instagram.com/ana.bakes/reels", "ana.bakes"),
        ("tiktok", "https://www.tiktok.com/@ana/video/12", "ana"),
        ("youtube", "https://www.youtube.com/channel/UCabc", "ucabc"),
        ("bluesky", "https://bsky.app/profile/ana.example.com", "ana.example.com"),
        ("mastodon", "https://social.example/@Ana/1234", "ana@social.example"),
        ("mastodon", "@ana@social.example", "ana@social.example"),
        ("website", "https://www.ana.example/about", "ana.example/about"),
        ("website", "https://ben.example/about", "ben.example/about"),
        ("website", "https://ana.example", "ana.example"),
        ("email", "ana@example.com", "ana@example.com"),
    ],
)
def test_a_handle_has_one_spelling(platform: str, written: str, handle: str):
    assert identities.normalise(platform, written, country="US") == (platform.casefold(), handle)


@pytest.mark.parametrize(
    "written", ["", "@", "ana bakes", "a" * 321, "https://[", "https://www.facebook.com/profile.php"]
)
def test_what_is_no_handle_is_refused(written: str):
    with pytest.raises(Invalid) as refused:
        identities.normalise("facebook", written, country="US")
    assert refused.value.field == "handle"


@pytest.mark.parametrize("platform", ["", "a b", "é", "x" * 41, "-x"])
def test_what_is_no_platform_is_refused(platform: str):
    with pytest.raises(Invalid) as refused:
        identities.normalise(platform, "ana", country="US")
    assert refused.value.field == "platform"


@given(st.sampled_from(["email", "phone", "x", "mastodon", "website"]), st.text(max_size=40))
def test_the_one_spelling_is_its_own_spelling(platform: str, written: str):
    try:
        known = identities.normalise(platform, written, country="US")
    except Invalid:
        return
    assert identities.normalise(*known, country="US") == known

"""Where a webhook may go: the matrix of addresses, and of urls."""

from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.addresses import check_url, is_public, may_dial
from domain.errors import Invalid

INNER = [
    "127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.255",
    "169.254.169.254",
    "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1",
    "198.51.100.7", "203.0.113.7", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "::", "::1",
    "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1",
    "2002:7f00:1::", "2002:808:808::1", "2001::1", "2001:0:53aa:64c:0:0:80ff:fffe", "2001:db8::1", "fc00::1",
    "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1", "3fff::1", "5f00::1", "100::1",
]  # fmt: skip
PUBLIC = ["8.8.8.8", "1.1.1.1", "100.63.255.255", "172.32.0.1", "2606:4700:4700::1111", "2a00:1450:4001:80b::200e"]


@pytest.mark.parametrize("address", INNER)
def test_no_inner_address_is_dialled(address: str):
    assert not is_public(ip_address(address))
    assert not may_dial(ip_address(address), loopback=False)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_dialled(address: str):
    assert may_dial(ip_address(address), loopback=False)


def test_open_loopback_opens_nothing_else_inside():
    opened = {address for address in INNER if may_dial(ip_address(address), loopback=True)}
    assert opened == {"127.0.0.1", "127.255.255.254", "::1"}


@given(st.ip_addresses(v=4))
def test_no_form_that_carries_an_ipv4_address_is_dialled(address: IPv4Address):
    number = int(address)
    for prefix, shift in ((0, 0), (0xFFFF << 32, 0), (0x64FF9B << 96, 0), (0x2002 << 112, 80)):
        assert not is_public(IPv6Address(prefix | number << shift))


@given(st.ip_addresses())
def test_what_python_calls_private_is_never_dialled(address: IPv4Address | IPv6Address):
    assert not (address.is_private and is_public(address))


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/", "https://0.0.0.0/", "https://127.1/", "https://0x7f000001/", "https://2130706433/",
        "https://0177.0.0.1/", "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://[64:ff9b::7f00:1]/",
        "https://[2002:7f00:1::]/", "https://169.254.169.254/latest/meta-data", "https://[fd00:ec2::254]/",
        "https://100.64.0.1/", "https://user@example.com/", "https://user:word@example.com/", "https://example.com:22/",
        "https://example.com:80/", "http://example.com/", "ftp://example.com/", "https://localhost/", "https://shop/",
        "https://db.internal/", "https://printer.local/", "https://example.com/#part", "https://exam ple.com/",
        "https://example.com\\@127.0.0.1/", "https://example.com:99999/", "https://[::1", "https:///path",
        "//example.com",        "https://b\u00fccher.example/", "https://-a.example/", "https://" + "a" * 64 + ".com/",
        "https://" + "a." * 130 + "com/", "https://example.com/" + "x" * 2_000, "", "https://127.0.0.1.:443/",
        "https://10.0.0.1:8443/", "https://[fe80::1%25eth0]/", "javascript:alert(1)", "https://localhost.localdomain.local/",
    ],
)  # fmt: skip
def test_a_url_that_leads_inside_is_refused(url: str):
    with pytest.raises(Invalid) as refusal:
        check_url(url, loopback=False)
    assert refusal.value.field == "url"


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/hooks", "https://example.com:8443/?token=a%20b", "https://xn--bcher-kva.example/",
        "https://8.8.8.8/", "https://[2606:4700:4700::1111]/x", "https://a_b.example.com/",
    ],
)  # fmt: skip
def test_a_url_of_the_public_internet_is_taken(url: str):
    assert check_url(url, loopback=False) == url


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8099/x", "http://localhost:9/", "https://[::1]:1/", "http://127.0.0.9/"]
)
def test_loopback_is_open_where_it_is_allowed(url: str):
    assert check_url(url, loopback=True) == url
    with pytest.raises(Invalid):
        check_url(url, loopback=False)


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1/", "http://0.0.0.0/", "https://[::ffff:127.0.0.1]/", "http://example.com/"]
)
def test_allowed_loopback_allows_nothing_else(url: str):
    with pytest.raises(Invalid):
        check_url(url, loopback=True)


@given(st.text(max_size=60))
def test_any_text_is_taken_or_refused(text: str):
    with suppress(Invalid):
        check_url("https://" + text, loopback=False)

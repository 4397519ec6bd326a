"""Where webhooks may go, and what they carry: pure rules."""

from ipaddress import ip_address, ip_network

import pytest

from hpc_portal.app.errors import InvalidEntry
from hpc_portal.app.notices.webhook_address import Target, check_url, may_go_to
from hpc_portal.app.notices.webhook_message import sign

INSIDE = [ip_network("10.20.0.0/16")]


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.0.0.5", "172.16.3.4", "192.168.1.1", "169.254.169.254", "100.64.0.1"),
        "0.0.0.0",  # noqa: S104 - nothing is bound
        *("224.0.0.1", "240.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::7", "ff02::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.5", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:7f00:1::"),
    ],
)
def test_what_is_not_public_is_refused_however_it_is_written(address: str) -> None:
    assert not may_go_to(ip_address(address), ())


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"])
def test_public_addresses_are_fine(address: str) -> None:
    assert may_go_to(ip_address(address), ())


def test_a_network_that_the_site_names_is_fine_too() -> None:
    assert may_go_to(ip_address("10.20.3.4"), INSIDE)
    assert may_go_to(ip_address("::ffff:10.20.3.4"), INSIDE)
    assert not may_go_to(ip_address("10.21.3.4"), INSIDE)


@pytest.mark.parametrize(
    "url",
    [
        *("", "hooks.example.vn", "ftp://hooks.example.vn/", "https://", "https://a b.example.vn/"),
        *("http://hooks.example.vn/", "https://127.0.0.1/", "https://[::1]/", "https://169.254.169.254/x"),
        *("https://lan:secret@hooks.example.vn/", "https://hooks.example.vn:22/", "https://x:70000/"),
        *(
            "https://hooks.example.vn/\nHost: x",
            f"https://hooks.example.vn/{'x' * 500}",
            "javascript:alert(1)",
        ),
        *("https://" + "a" * 300 + ".vn/", "file:///etc/passwd"),
    ],
)
def test_an_address_that_no_webhook_may_have_is_refused_at_once(url: str) -> None:
    with pytest.raises(InvalidEntry):
        check_url(url, ())


def test_addresses_are_stored_as_given() -> None:
    for url in ("https://hooks.example.vn/hpc?room=7", "https://hooks.example.vn:8443/", "https://đà.vn/"):
        assert check_url(f" {url} ", ()) == url
    assert check_url("http://10.20.0.9:8080/", INSIDE) == "http://10.20.0.9:8080/"


def test_the_name_stays_in_the_header_and_the_address_is_connected_to() -> None:
    target = Target("hooks.example.vn", 8443, is_https=True, path="/hpc?a=1", address=ip_address("2606::1"))
    assert target.url == "https://[2606::1]:8443/hpc?a=1"
    assert target.host_header == "hooks.example.vn:8443"


def test_a_signature_can_be_checked_with_openssl() -> None:
    """By printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac whsec_x."""
    assert sign("whsec_x", b'{"a":1}', seconds=1_700_000_000) == (
        "t=1700000000,v1=b3438763ab46d9634b9844c8722818eaf523f803db1327484c6067462a5fd6d1"
    )

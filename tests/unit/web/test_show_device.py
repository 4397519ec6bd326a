"""Browsers are named as their people know them."""

import pytest

from hpc_portal.web.show_device import device_of

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("user_agent", "device"),
    [
        (f"Mozilla/5.0 (Windows NT 10.0) {WEBKIT} Chrome/143.0 Safari/537.36 Edg/143.0", "Edge, Windows"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox, Linux"),
        (f"Mozilla/5.0 (Linux; Android 15) {WEBKIT} Chrome/143.0 Mobile Safari/537.36", "Chrome, Android"),
        (f"Mozilla/5.0 (iPhone; OS 18_6 like Mac OS X) {WEBKIT} Safari/604.1", "Safari, iPhone"),
        ("curl/8.14.1", ""),
        ("", ""),
    ],
)
def test_a_browser_and_its_system(user_agent: str, device: str) -> None:
    assert device_of(user_agent) == device

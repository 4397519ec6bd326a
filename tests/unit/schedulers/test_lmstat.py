"""What lmstat prints, in texts written after the output of FlexNet 10.8, 11.13 and 11.19."""

from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedulers.flexnet.lmstat import Checkout, Feature, LicenseReport, read_lmstat
from schedulers.units import CITY_TIME

NOW = datetime(2026, 11, 26, 10, 43, tzinfo=CITY_TIME)
TEXTS = Path(__file__).parent / "flexnet"


def report(name: str) -> LicenseReport:
    return read_lmstat((TEXTS / f"lmstat-{name}.txt").read_text(), now=NOW)


def at(month: int, day: int, hour: int, minute: int, *, year: int = 2026) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=CITY_TIME)


def test_who_has_a_feature_and_who_waits_for_it() -> None:
    found = {feature.name: feature for feature in report("10.8").features}
    assert found["Incisive_Enterprise_Simulator"] == Feature(
        "Incisive_Enterprise_Simulator",
        issued=3,
        in_use=3,
        checkouts=(
            Checkout("linh", "dn-eda01", 1, at(11, 26, 9, 50)),
            Checkout("linh", "dn-eda02.hpc.danang.vn", 1, at(11, 25, 23, 5)),
            Checkout("tuan", "ws-12", 1, at(12, 31, 8, 0, year=2025)),
        ),
        queued=(Checkout("minh", "dn-eda03", 1),),
    )
    assert (found["VERILOG-XL"].is_counted, found["VERILOG-XL"].issued) == (False, 0)
    assert found["Virtuoso_Legacy"].problem == "unsupported by licensed server"


def test_a_redundant_server_serves_on_with_one_host_down() -> None:
    found = report("11.13-redundant")
    runtime, compiler = found.features
    assert (found.hosts_down, found.daemons_down, found.problem) == (("lic03",), (), "")
    assert (runtime.issued, runtime.in_use, runtime.reserved, runtime.expires) == (10, 7, 3, "31-dec-2026")
    assert runtime.checkouts == (Checkout("linh", "dn-eda01", 4, at(11, 26, 9, 15)),)
    assert (compiler.issued, compiler.in_use) == (1, 0)


def test_a_display_may_hold_anything_and_newer_releases_tell_more() -> None:
    found = report("11.19")
    (feature,) = found.features
    assert found.daemons_down == ("otherd",)
    assert [(one.user, one.host, one.count) for one in feature.checkouts] == [
        ("thao", "dn-gpu01", 4),
        ("lan", "WIN10-LAN", 28),
        ("lan", "WIN10-LAN", 3),
    ]
    assert feature.expires == "permanent(no expiration date)"


def test_a_server_that_does_not_answer_says_why_and_nothing_else() -> None:
    found = report("no-server")
    assert found.features == ()
    assert found.problem == ('Cannot connect to license server system. (-15,570:111 "Connection refused")')


def test_a_feature_of_two_daemons_is_one() -> None:
    line = "Users of vcs:  (Total of 2 licenses issued;  Total of 1 license in use)\n"
    (feature,) = read_lmstat(line + "\nVendor daemon status\n" + line, now=NOW).features
    assert (feature.issued, feature.in_use) == (4, 2)


@pytest.mark.parametrize("day", ["13/45 9:00", "0/0 9:00", "2/30 9:00", "11/26 25:00"])
def test_a_start_that_no_calendar_has_is_none(day: str) -> None:
    text = "Users of f:  (Total of 1 license issued;  Total of 1 license in use)\n"
    (feature,) = read_lmstat(f"{text}    a b c (v1) (s/1 2), start Thu {day}\n", now=NOW).features
    assert [one.started_at for one in feature.checkouts] == [None]


@given(
    st.text(
        alphabet=st.sampled_from('Users of():,; start 12/34\n\tabv-Total licnses quedxRESV"'), max_size=400
    )
)
def test_any_text_is_read_without_a_failure(text: str) -> None:
    read_lmstat(text, now=NOW)

"""Money, numbers, times and texts as each language writes them."""

import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from hpc_portal.web.language import LOCALES_FOLDER, Language, choose, load_languages

ROOT = Path(__file__).parents[3]
STATIC = ROOT / "hpc_portal" / "web" / "static"
LANGUAGES = load_languages()
NOON = datetime(2026, 11, 26, 5, 0, tzinfo=UTC)


@pytest.fixture
def vi() -> Language:
    return LANGUAGES["vi"]


@pytest.fixture
def en() -> Language:
    return LANGUAGES["en"]


def test_money_is_grouped_and_never_has_decimals(vi: Language, en: Language) -> None:
    assert vi.vnd(1_250_000) == "1.250.000\N{NO-BREAK SPACE}₫"
    assert en.vnd(1_250_000) == "1,250,000\N{NO-BREAK SPACE}₫"
    assert vi.vnd(-500) == "\N{MINUS SIGN}500\N{NO-BREAK SPACE}₫"


def test_times_are_local_to_da_nang(vi: Language) -> None:
    assert vi.instant(NOON) == "26/11/2026 12:00:00"
    assert vi.day(datetime(2026, 11, 26, 17, 30, tzinfo=UTC)) == "27/11/2026"


def test_relative_times_say_past_and_future(vi: Language, en: Language) -> None:
    assert en.relative(NOON, now=NOON + timedelta(seconds=10)) == "just now"
    assert en.relative(NOON, now=NOON + timedelta(minutes=5)) == "5 minutes ago"
    assert vi.relative(NOON, now=NOON + timedelta(minutes=5)) == "5 phút trước"
    assert en.relative(NOON + timedelta(hours=3), now=NOON) == "in 3 hours"


def on_one_line(text: str) -> str:
    """No line ends between a number and its unit."""
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def test_durations_keep_the_two_largest_units(vi: Language, en: Language) -> None:
    assert en.duration(0) == on_one_line("0 s")
    assert en.duration(3_725) == on_one_line("1 h 2 min")
    assert vi.duration(90_061) == on_one_line("1 ngày 1 giờ")


def test_sizes_and_amounts(vi: Language, en: Language) -> None:
    assert en.memory(512) == on_one_line("512 MiB")
    assert en.memory(4096) == on_one_line("4 GiB")
    assert vi.memory(1536) == on_one_line("1,5 GiB")
    assert [en.energy(joules) for joules in (840, 1200)] == [on_one_line("840 J"), on_one_line("1.2 kJ")]
    assert vi.energy(1_440_000) == on_one_line("0,4 kWh")
    assert vi.size(1_234) == on_one_line("1,2 kB")
    assert en.resource("gres/gpu:h100") == "GPU H100"
    assert vi.resource("license/vcs") == "Giấy phép vcs"
    assert vi.resource("100%(of)s") == "100%(of)s"
    assert en.resource_hours("cpu", 40) == on_one_line("0.01 h")
    assert en.resource_hours("cpu", 0) == on_one_line("0 h")
    assert en.resource_hours("cpu", 45 * 3600) == on_one_line("45.0 h")
    assert vi.resource_hours("cpu", 20_000 * 3600) == on_one_line("20.000 h")
    assert en.resource_hours("mem", 1024 * 5_400) == on_one_line("1.50 GiB·h")
    assert vi.resource_hours("cpu", -20_000 * 3600) == on_one_line("\N{MINUS SIGN}20.000 h")


def test_the_browsers_choice_goes_before_the_profile_and_the_header() -> None:
    def code(cookie: str | None, saved: str | None, accepted: str) -> str:
        return choose(LANGUAGES, cookie=cookie, saved=saved, accepted=accepted, default="vi").code

    assert code("en", "vi", "vi") == "en"
    assert code(None, "en", "vi") == "en"
    assert code(None, None, "fr-FR, en-US;q=0.8") == "en"
    assert code("klingon", None, "fr") == "vi"


def test_every_text_is_translated_and_the_catalogue_is_up_to_date() -> None:
    checked = subprocess.run(
        [sys.executable, ROOT / "scripts" / "messages.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr


def test_translations_keep_the_placeholders() -> None:
    placeholder = re.compile(r"%\(\w+\)[sdr]|\{\w+\}")
    with (LOCALES_FOLDER / "vi" / "LC_MESSAGES" / "messages.po").open("rb") as file:
        texts = {
            str(one.id): one.string for one in read_po(file) if isinstance(one.string, str) and one.string
        }
    assert [
        en for en, vi in texts.items() if set(placeholder.findall(en)) != set(placeholder.findall(vi))
    ] == []


def test_scripts_say_nothing_of_their_own() -> None:
    """What they show comes from attributes that a template translated."""
    sentence = re.compile(r"""(['"`])[A-Z][a-z]+ [a-z]+[^'"`]*\1""")
    scripts = sorted((STATIC / "js").glob("*.js"))
    assert [
        f"{path.name}: {said[0]}" for path in scripts if (said := sentence.search(path.read_text()))
    ] == []

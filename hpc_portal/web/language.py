"""One language of the pages: its texts, and how it writes money, numbers, times and sizes."""

from __future__ import annotations

import gettext
import io
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from babel import Locale
from babel.dates import format_timedelta
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from quotas.amounts import BYTES_PER_GIB
from schedulers import tres
from schedulers.units import CITY_TIME
from workloads.site.words import Locale as TemplateLocale
from workloads.template import N_

LOCALES_FOLDER = Path(__file__).parent / "locales"

NO_BREAK = "\N{NO-BREAK SPACE}"
_UNITS = (N_("%(count)s d"), N_("%(count)s h"), N_("%(count)s min"), N_("%(count)s s"))


@dataclass(frozen=True)
class Language:
    """How one language says and writes things. English is the language of the source texts."""

    code: str
    own_name: str
    translations: gettext.NullTranslations
    locale: Locale
    group: str
    decimal: str
    date_format: str

    @property
    def template_locale(self) -> TemplateLocale:
        """Which of the two languages of a site template to show."""
        return "vi" if self.code == "vi" else "en"

    def gettext(self, message: str, **facts: object) -> str:
        """The text in this language, with its facts filled in."""
        return self.translations.gettext(message) % facts if message else ""

    def text(self, message: str) -> str:
        """The text in this language as it stands; for texts that come as values and carry no facts."""
        return self.translations.gettext(message) if message else ""

    def number(self, value: float, decimals: int = 0) -> str:
        """`12.500,5`, as this language groups digits."""
        text = f"{value:,.{decimals}f}"
        return text.replace(",", "\0").replace(".", self.decimal).replace("\0", self.group)

    def vnd(self, amount: int) -> str:
        """`1.250.000 ₫`; a true minus sign for negative amounts."""
        return ("\N{MINUS SIGN}" if amount < 0 else "") + _measured(self.number(abs(amount)), "₫")

    def instant(self, at: datetime) -> str:
        """Local date and time to the second."""
        return at.astimezone(CITY_TIME).strftime(f"{self.date_format} %H:%M:%S")

    def day(self, at: datetime) -> str:
        """The local day."""
        return at.astimezone(CITY_TIME).strftime(self.date_format)

    def relative(self, at: datetime, now: datetime | None = None) -> str:
        """`5 phút trước`; nothing shorter than a minute is told apart."""
        passed = at - (now or datetime.now(UTC))
        if abs(passed) < timedelta(seconds=45):
            return self.gettext(N_("just now"))
        return format_timedelta(passed, add_direction=True, locale=self.locale, threshold=1.2)

    def duration(self, seconds: float) -> str:
        """`2 h 5 min`: the two largest units that count."""
        left = round(seconds)
        parts: list[str] = []
        for size, unit in zip((86_400, 3600, 60, 1), _UNITS, strict=True):
            count, left = divmod(left, size)
            if count or (size == 1 and not parts):
                parts.append(self.gettext(unit, count=self.number(count)))
        return NO_BREAK.join(parts[:2]).replace(" ", NO_BREAK)

    def memory(self, mib: int) -> str:
        """`512 MiB`, `4 GiB`, `1,5 TiB`."""
        for size, unit in ((1024**2, "TiB"), (1024, "GiB")):
            if mib >= size:
                decimals = 0 if mib % size == 0 else 1
                return _measured(self.number(mib / size, decimals), unit)
        return _measured(self.number(mib), "MiB")

    def energy(self, joules: int) -> str:
        """`840 J`, `1,2 kJ`, `0,4 kWh`."""
        for least, factor, unit in ((360_000, 3_600_000, "kWh"), (1000, 1000, "kJ")):
            if joules >= least:
                return _measured(self.number(joules / factor, 1), unit)
        return _measured(self.number(joules), "J")

    def size(self, bytes_: int) -> str:
        """A file's size: `840 B`, `1,2 kB`, `3,4 MB`."""
        for factor, unit in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
            if bytes_ >= factor:
                return _measured(self.number(bytes_ / factor, 1), unit)
        return _measured(str(bytes_), "B")

    def gib(self, allocated_bytes: int) -> str:
        """`12,4 GiB`: in the unit that storage is granted in, and never nothing where there is something."""
        if 0 < allocated_bytes < BYTES_PER_GIB // 100:
            return _measured(f"<{NO_BREAK}{self.number(0.01, 2)}", "GiB")
        gib, rest = divmod(allocated_bytes, BYTES_PER_GIB)
        count = self._few_digits(allocated_bytes / BYTES_PER_GIB) if rest else self.number(gib)
        return _measured(count, "GiB")

    def metric(self, value: float, name: str = "") -> str:
        """A measured number with as many digits as mean something; a rate as a percentage."""
        if name.endswith("_rate"):
            return f"{self.number(100 * value, 1)} %"
        if value == int(value) and abs(value) < 10**15:
            return self.number(value)
        if 10**4 <= abs(value) < 10**15:
            return self.number(round(value))
        return f"{value:.4g}".replace(".", self.decimal)

    def resource(self, name: tres.Tres) -> str:
        """What a TRES is called: `GPU H100`, `licence vcs`."""
        match name.partition("/"):
            case ("gres", _, gpu):
                kind = gpu.partition(":")[2]
                return f"GPU {kind.upper()}" if kind else "GPU"
            case ("license", _, feature):
                return self.gettext(N_("Licence %(feature)s"), feature=feature)
        words = {
            tres.CPU: N_("CPU cores"),
            tres.MEM: N_("Memory"),
            tres.NODE: N_("Nodes"),
            "billing": N_("Billing"),
        }
        return self.gettext(words[name]) if name in words else name

    def amount(self, name: tres.Tres, count: int) -> str:
        """A TRES amount with its unit."""
        return self.memory(count) if name == tres.MEM else self.number(count)

    def resource_hours(self, name: tres.Tres, amount_seconds: int) -> str:
        """TRES x seconds as hours of the thing: `1.250,5 h`; memory as GiB-hours."""
        hours = amount_seconds / 3600
        if name == tres.MEM:
            return _measured(self._few_digits(hours / 1024), "GiB·h")
        return _measured(self._few_digits(hours), "h")

    def _few_digits(self, value: float) -> str:
        """Hundredths of small numbers, no fractions of large ones."""
        decimals = next((digits for limit, digits in ((10, 2), (1000, 1)) if abs(value) < limit), 0)
        sign = "\N{MINUS SIGN}" if value < 0 else ""
        return sign + self.number(abs(value), 0 if value == 0 else decimals)


def _measured(count: str, unit: str) -> str:
    """A number and its unit, which never stand on two lines."""
    return f"{count}{NO_BREAK}{unit}"


def load_languages() -> dict[str, Language]:
    """Every language of the portal, its own first: Vietnamese."""
    return {
        "vi": Language("vi", "Tiếng Việt", _catalogue("vi"), Locale("vi"), ".", ",", "%d/%m/%Y"),
        "en": Language("en", "English", gettext.NullTranslations(), Locale("en"), ",", ".", "%d %b %Y"),
    }


def choose(
    languages: dict[str, Language], *, cookie: str | None, saved: str | None, accepted: str, default: str
) -> Language:
    """The language for one reader: what this browser chose, else their profile, else what it accepts."""
    for code in (cookie, saved, *accepted_languages(accepted)):
        if code in languages:
            return languages[code]
    return languages[default]


def accepted_languages(header: str) -> list[str]:
    """The languages that an Accept-Language header asks for, most wanted first: `vi-VN;q=0.9` is `vi`."""
    wishes: list[tuple[float, str]] = []
    for part in header.split(","):
        tag, _, parameter = part.partition(";")
        name, _, weight = parameter.strip().partition("=")
        try:
            quality = float(weight) if name.strip().lower() == "q" else 1.0
        except ValueError:
            quality = 0.0
        if quality > 0:
            wishes.append((-quality, tag.strip().split("-")[0].lower()))
    return [code for _, code in sorted(wishes, key=lambda wish: wish[0])]


@cache
def _catalogue(code: str) -> gettext.NullTranslations:
    """Compiled from the .po file at start: nothing compiled is committed, no gettext is needed to install."""
    with (LOCALES_FOLDER / code / "LC_MESSAGES" / "messages.po").open("rb") as file:
        catalogue = read_po(file, locale=code)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)

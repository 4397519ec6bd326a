from datetime import UTC, date, datetime

import pytest

from hpc_portal.app.reports.document import Amount, Cell, Month, Named, Share, Span
from hpc_portal.app.reports.plain import plain
from hpc_portal.app.reports.written import write

AT = datetime(2026, 11, 26, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cell", "vietnamese", "english", "for_programs"),
    [
        (None, "\N{EN DASH}", "\N{EN DASH}", None),
        ("npu-verif", "npu-verif", "npu-verif", "npu-verif"),
        (1_234_567, "1.234.567", "1,234,567", 1_234_567),
        (Amount("VND", -1_250_000), "−1.250.000\xa0₫", "−1,250,000\xa0₫", -1_250_000),  # noqa: RUF001
        (Amount("gres/gpu:h100", 5_400), "1,50", "1.50", 5_400),
        (Amount("gres/gpu", 17), "0,00", "0.00", 17),
        (Amount("mem", 3600 * 1024 * 3), "3,00", "3.00", 11_059_200),
        (Share(1, 3), "33,3\xa0%", "33.3\xa0%", 0.333333),
        (Share(0, 0), "\N{EN DASH}", "\N{EN DASH}", None),
        (Span(7_500), "2\xa0h\xa005", "2\xa0h\xa005", 7_500),
        (Span(59), "59\xa0s", "59\xa0s", 59),
        (Month(date(2026, 11, 1)), "11/2026", "Nov 2026", "2026-11"),
        (Named("", "Script"), "Script", "Script", ""),
        (date(2026, 11, 6), "06/11/2026", "06 Nov 2026", "2026-11-06"),
        (AT, "26/11/2026 08:30", "26 Nov 2026 08:30", "2026-11-26T01:30:00Z"),
    ],
)
def test_a_value_is_written_for_each_reader(
    cell: Cell, vietnamese: str, english: str, for_programs: object
) -> None:
    assert (write(cell, "vi"), write(cell, "en"), plain(cell)) == (vietnamese, english, for_programs)

"""Lines of a report as HTML: whatever somebody chose as a name stays text."""

from hpc_portal.app.reports.document import Amount, Column, Named, Share, Table
from hpc_portal.web.show_report import _body
from quotas.money import VND

HOSTILE = "<script>alert('&')</script>"


def test_names_are_escaped_and_numbers_stand_to_the_right() -> None:
    table = Table(
        key="usage",
        title="Usage",
        columns=[
            Column("user", "Person"),
            Column("kind", "Kind"),
            *(_number(key) for key in ("vnd", "share")),
        ],
        rows=[
            [HOSTILE, Named("x", HOSTILE), Amount(VND, -1250), Share(1, 3)],
            [HOSTILE, "", None, Share(0, 0)],
        ],
    )
    text = "&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;"
    first, second = _body(table, "vi").removesuffix("</tr>").split("</tr>")
    assert first.startswith(f"<tr><td>{text}</td><td>{text}</td>")
    assert first.endswith('<td class="num">\u22121.250\xa0₫</td><td class="num">33,3\xa0%</td>')
    assert second == f"<tr><td>{text}</td><td></td>" + '<td class="num">\u2013</td>' * 2


def _number(key: str) -> Column:
    return Column(key, key, is_number=True)

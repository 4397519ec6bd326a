"""How each test did over the campaigns of a name, as CSV: a line for each test and campaign."""

import csv
import io
from collections.abc import Iterable

from hpc_portal.app.campaigns.export import plain
from hpc_portal.app.campaigns.history import RowHistory

_COLUMNS = ("test", "campaign", "created_at", "passed", "total", "mean_seconds", "mean_coverage_points")


def history_to_csv(tests: Iterable[RowHistory]) -> bytes:
    """Tests in their order, the oldest campaign first; where a test did not run there is no line."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    for test in tests:
        for point in test.points:
            if point is not None:
                facts = (point.campaign_id, point.created_at.isoformat(), point.passed, point.total)
                means = (f"{point.mean_seconds:.3f}", point.coverage_points)
                writer.writerow((plain(test.name), *facts, *means))
    return text.getvalue().encode()

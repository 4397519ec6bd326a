"""The order in which processes take tests: groups and whole stories early, spread among the short tests.

Many groups wait for Slurm most of their time. Taken all at the start, as xdist does by itself, they leave the
processors idle, and the short tests crowd there afterwards; taken late, one process is alone with the last.
Those of `ALONE` are to be that last one: they hold the portal to seconds, and need the processors for it.
"""

from collections import defaultdict
from pathlib import Path

import pytest

ALONE = "alone"
"""A group, of tests that nobody else's should slow down."""
_EARLY = 2 / 3
"""Of the short tests stand between groups; the last third fills up what is left of everybody's time."""
_STORIES = Path(__file__).parent / "e2e"


def spread_groups(items: list[pytest.Item]) -> None:
    """Stories first, then the largest groups; the short tests and those of a group stay in their order.

    Whoever is to be alone comes when the other processes have nothing left.
    """
    short: list[pytest.Item] = []
    groups: defaultdict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        name = _group(item)
        (groups[name] if name else short).append(item)
    last = groups.pop(ALONE, [])
    between = int(_EARLY * len(short) / max(1, len(groups)))
    ordered: list[pytest.Item] = []
    longest_first = sorted(groups.values(), key=lambda group: (not _is_story(group[0]), -len(group)))
    for number, group in enumerate(longest_first):
        ordered += [*group, *short[number * between : (number + 1) * between]]
    items[:] = [*ordered, *short[len(groups) * between :], *last]


def _group(item: pytest.Item) -> str | None:
    """The tests of a group go to one process, one after the other; a story is a group alone."""
    names = sorted({str(mark.args[0]) for mark in item.iter_markers("xdist_group")})
    if names:
        return "_".join(names)
    return item.nodeid if _is_story(item) else None


def _is_story(item: pytest.Item) -> bool:
    return item.path.is_relative_to(_STORIES)

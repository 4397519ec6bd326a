"""Values of options: numbers to check by hand against sbatch(1), and round trips."""

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schedulers import hostlist
from schedulers.directives import bsub_values, values
from schedulers.directives.begin import begin_at
from schedulers.directives.circumstances import Circumstances
from schedulers.errors import InvalidJobSpec
from schedulers.jobspec import Launch, SignalTarget
from schedulers.units import format_walltime

NOW = datetime(2026, 11, 26, 10, 43, 17, tzinfo=UTC)
AROUND = Circumstances("job.sh", NOW, lambda _: None, Launch.FIRST_NODE)


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (values.count, "4", 4),
        (values.nodes, "2", 2),
        (values.nodes, "2-2", 2),
        (values.nodes, "1k", 1024),
        (values.gpus, "2", {"": 2}),
        (values.gpus, "h100", {"h100": 1}),
        (values.gpus, "h100:2,l40s:1", {"h100": 2, "l40s": 1}),
        (values.gres, "gpu", {"": 1}),
        (values.gres, "gpu:2", {"": 2}),
        (values.gres, "gpu:h100", {"h100": 1}),
        (values.gres, "gpu:h100:2,gpu:l40s:1", {"h100": 2, "l40s": 1}),
        (values.gres, "gpu=2", {"": 2}),
        (values.gres, "gres/gpu:h100:2", {"h100": 2}),
        (values.gres, "none", {}),
        (values.licenses, "vcs:2,primetime", {"vcs": 2, "primetime": 1}),
        (values.licenses, "vcs=2", {"vcs": 2}),
        (values.memory, "512", 512),
        (values.memory, "4G", 4096),
        (values.memory, "4gb", 4096),
        (values.memory, "2000000K", 1954),
        (values.memory, "2T", 2 * 1024**2),
        (values.walltime, "7", 420),
        (values.walltime, "90:30", 5430),
        (values.walltime, "1:30:00", 5400),
        (values.walltime, "2-12", 216_000),
        (values.walltime, "2-", 172_800),
        (values.walltime, "1-02:03:04", 93_784),
        (values.mail_types, "end,FAIL,END", ("end", "fail")),
        (values.mail_types, "ALL", ("begin", "end", "fail")),
        (values.mail_types, "ALL,NONE", ()),
        (values.nice, None, 100),
        (values.nice, "7", 7),
        (values.variables, "ALL,A=1,B=x y", {"A": "1", "B": "x y"}),
        (values.variables, "NONE", {}),
        (values.variables, "A='1,2',B=3", {"A": "1,2", "B": "3"}),
        (values.output_file, "logs/%x-%4a.%j", "logs/%x-%4a.%j"),
        (hostlist.expand, "gpu[01-03,7],eda1", ("gpu01", "gpu02", "gpu03", "gpu7", "eda1")),
        (hostlist.expand, "r[1-2]n[8-9]", ("r1n8", "r1n9", "r2n8", "r2n9")),
        (hostlist.expand, "n[8-10],n9", ("n8", "n9", "n10")),
        (bsub_values.walltime, "90", 5400),
        (bsub_values.walltime, "10:00", 36_000),
        (bsub_values.memory_limit, "4194304", 4096),
        (bsub_values.memory_limit, "4G", 4096),
        (bsub_values.size, "4000", 4000),
        (bsub_values.size, "1.5GB", 1536),
        (bsub_values.slots, "4,4", 4),
        (bsub_values.gpus, "num=2:mode=exclusive_process:gmodel=H100", {"h100": 2}),
        (bsub_values.gpus, "-", {"": 1}),
        (bsub_values.output_file, "out/%J.%I", "out/%j.%a"),
        (bsub_values.output_file, "out/", "out/%j.out"),
    ],
)
def test_a_value_is_read_as_it_is_meant(read: Callable[[Any], Any], text: str | None, value: object) -> None:
    assert read(text) == value


@pytest.mark.parametrize(
    ("read", "text"),
    [
        *((values.count, text) for text in ("0", "-1", "1K", "x", "", "²")),
        *((values.nodes, text) for text in ("2-4", "x", "1-", "0x2")),
        *((values.gpus, text) for text in ("h100:two", ":2", "a:b:c")),
        *((values.gres, text) for text in ("fpga:1", "gpu:h100:x", "")),
        *((values.licenses, text) for text in ("vcs:x", ":1", "")),
        *((values.memory, text) for text in ("0", "1.5G", "4GiB", "lots", "")),
        *((values.walltime, text) for text in ("0", "UNLIMITED", "infinite", "-1", "1:2:3:4", "soon", "")),
        *((values.array, text) for text in ("", "3-1", "x", "1,", "0-9,5-99999999")),
        *((values.nice, text) for text in ("-5", "x")),
        *((values.warning_signal, text) for text in ("KILL@5", "R:USR1@5", "USR1@", "99@5", "")),
        *((values.output_file, text) for text in ("/scratch/x", "none", "/dev/null", "%N.out", "a\\b", "%")),
        *((values.folder, text) for text in ("/scratch",)),
        *((values.variables, text) for text in ("ALL,HOME", "FOO")),
        *((values.exclusive, text) for text in ("user", "mcs")),
        *((values.one_name, text) for text in ("gpu,short",)),
        *((hostlist.expand, text) for text in ("", "a[", "a[3-1]", "a[x]", "a]b", "n[0-99999]", "a,,b")),
        *((bsub_values.walltime, text) for text in ("0", "1:30/host", "x")),
        *((bsub_values.slots, text) for text in ("2,8", "x")),
        *((bsub_values.gpus, text) for text in ("num=2:mps=yes", "num=x", "block=yes")),
        *((bsub_values.hosts, text) for text in ("a b", "a+", "")),
    ],
)
def test_a_value_that_has_no_meaning_or_no_price_is_refused(read: Callable[[str], Any], text: str) -> None:
    with pytest.raises(InvalidJobSpec) as refused:
        read(text)
    assert refused.value.problem


@pytest.mark.parametrize(
    ("text", "name", "seconds", "target"),
    [
        ("USR1", "SIGUSR1", 60, SignalTarget.STEPS),
        ("B:SIGTERM@120", "SIGTERM", 120, SignalTarget.SCRIPT),
        ("10@90", "SIGUSR1", 90, SignalTarget.STEPS),
    ],
)
def test_a_warning_signal_says_what_when_and_to_whom(
    text: str, name: str, seconds: int, target: SignalTarget
) -> None:
    signal = values.warning_signal(text)
    assert (signal.name, signal.seconds_before_end, signal.target) == (name, seconds, target)


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("0-9", "0-9"),
        ("7,2,4-5,4", "2,4-5,7"),
        ("0-12:4,2-3,1%3", "0-4,8,12%3"),
        ("0-12:4", "0-12:4"),
        ("1-1", "1"),
        ("5,1-3:2", "1-3:2,5"),
    ],
)
def test_an_array_in_any_order_is_put_in_order(text: str, expression: str) -> None:
    assert values.array(text).expression == expression


_RANGES = st.tuples(st.integers(0, 40), st.integers(0, 20), st.integers(1, 5))


@given(st.lists(_RANGES, min_size=1, max_size=6))
def test_an_array_has_the_indices_that_were_written_each_once(ranges: list[tuple[int, int, int]]) -> None:
    written = ",".join(f"{first}-{first + length}:{step}" for first, length, step in ranges)
    wanted = {index for first, length, step in ranges for index in range(first, first + length + 1, step)}
    assert list(values.array(written).indices()) == sorted(wanted)


@given(st.integers(1, 400 * 86_400))
def test_a_walltime_survives_being_written(seconds: int) -> None:
    assert values.walltime(format_walltime(seconds)) == seconds


@given(st.text(max_size=20))
def test_a_reader_takes_a_text_or_refuses_it(text: str) -> None:
    readers: list[Callable[[str], object]] = [values.count, values.nodes, values.gpus, values.gres]
    readers += [values.licenses, values.memory, values.walltime, values.array, values.warning_signal]
    readers += [values.output_file, values.variables, hostlist.expand, bsub_values.walltime]
    readers += [bsub_values.size, bsub_values.gpus, bsub_values.name_and_array]
    readers += [
        lambda written: begin_at(written, AROUND),
        lambda written: bsub_values.begin_at(written, AROUND),
    ]
    for read in readers:
        with suppress(InvalidJobSpec, ValidationError):
            read(text)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("now", "2026-11-26T10:43:17"),
        ("now+60", "2026-11-26T10:44:17"),
        ("now+2minutes", "2026-11-26T10:45:17"),
        ("now+1hour", "2026-11-26T11:43:17"),
        ("NOW+3Days", "2026-11-29T10:43:17"),
        ("today", "2026-11-26T00:00:00"),
        ("tomorrow", "2026-11-27T00:00:00"),
        ("midnight", "2026-11-27T00:00:00"),
        ("noon", "2026-11-26T12:00:00"),
        ("teatime", "2026-11-26T16:00:00"),
        ("16:00", "2026-11-26T16:00:00"),
        ("0:15", "2026-11-27T00:15:00"),
        ("16:00:30", "2026-11-26T16:00:30"),
        ("4:00pm", "2026-11-26T16:00:00"),
        ("04:00 PM", "2026-11-26T16:00:00"),
        ("12:30am", "2026-11-27T00:30:00"),
        ("01/02", "2027-01-02T00:00:00"),
        ("12/31", "2026-12-31T00:00:00"),
        ("01/02/27", "2027-01-02T00:00:00"),
        ("01.02.27", "2027-01-02T00:00:00"),
        ("010227", "2027-01-02T00:00:00"),
        ("0102", "2027-01-02T00:00:00"),
        ("2027-01-20", "2027-01-20T00:00:00"),
        ("2027-01-20T12:34:00", "2027-01-20T12:34:00"),
        ("2027-01-20 10:00", "2027-01-20T10:00:00"),
        ("16:00 12/31", "2026-12-31T16:00:00"),
        ("12/31-10:00", "2026-12-31T10:00:00"),
        ("tomorrow 10:00", "2026-11-27T10:00:00"),
    ],
)
def test_a_begin_time_is_what_sbatch_takes_it_for(text: str, at: str) -> None:
    assert begin_at(text, AROUND) == datetime.fromisoformat(at).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        *("", "soon", "now+2min", "now+1d", "20:00pm", "25:00", "2027-1-2", "12/31/2027", "13/40", "02/30"),
        *("16:00 17:00", "today tomorrow", "now+99999999999", "now+999999999weeks"),
    ],
)
def test_what_is_no_begin_time_for_sbatch_is_none_for_us(text: str) -> None:
    with pytest.raises(InvalidJobSpec):
        begin_at(text, AROUND)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("20:00", "2026-11-26T20:00:00"),
        ("8:30", "2026-11-27T08:30:00"),
        ("27:8:30", "2026-11-27T08:30:00"),
        ("3:8:30", "2026-12-03T08:30:00"),
        ("1:15:8:30", "2027-01-15T08:30:00"),
        ("2027:1:15:8:30", "2027-01-15T08:30:00"),
    ],
)
def test_a_begin_time_of_bsub_is_the_next_that_comes(text: str, at: str) -> None:
    assert bsub_values.begin_at(text, AROUND) == datetime.fromisoformat(at).replace(tzinfo=UTC)


@given(st.datetimes(min_value=datetime(2026, 12, 1), max_value=datetime(2090, 1, 1)))  # noqa: DTZ001 - gets one below
def test_an_instant_survives_being_written_as_sbatch_writes_it(at: datetime) -> None:
    at = at.replace(microsecond=0, tzinfo=UTC)
    assert begin_at(f"{at:%Y-%m-%dT%H:%M:%S}", AROUND) == at


@pytest.mark.parametrize("text", ["n" + "[1,1,1,1,1,1,1,1]" * 40, "n" + "[1,11,111]" * 40])
def test_a_hostlist_whose_names_come_again_and_again_takes_no_time(text: str) -> None:
    with pytest.raises(InvalidJobSpec):
        hostlist.expand(text)


@given(st.lists(st.integers(0, 300), min_size=1, max_size=20, unique=True), st.integers(1, 4))
def test_a_hostlist_names_what_was_folded_into_it(numbers: list[int], width: int) -> None:
    texts = [str(number).zfill(width) for number in numbers]
    names = hostlist.expand(f"n[{','.join(texts)}]")
    assert names == tuple(f"n{text}" for text in texts)
    assert all(re.fullmatch(r"n\d+", name) for name in names)

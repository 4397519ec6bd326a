"""Server-sent events, as the WHATWG specification parses them."""

from hpc_portal.cli.sse import ServerEvent, parse_events


def test_events_keep_their_id_kind_and_data() -> None:
    lines = ["id: 7", "event: line", "data: first", "data: second", "", "data:alone", ""]
    assert list(parse_events(lines)) == [
        ServerEvent(id="7", kind="line", data="first\nsecond"),
        ServerEvent(id="7", kind="message", data="alone"),
    ]


def test_a_comment_says_only_that_the_stream_lives() -> None:
    assert list(parse_events([": ping", ""])) == [None]


def test_an_event_that_broke_off_is_not_told() -> None:
    assert list(parse_events(["id: 8", "data: half"])) == []


def test_an_id_without_data_is_no_event_but_is_remembered() -> None:
    assert list(parse_events(["id: 3", "", "data: x", ""])) == [ServerEvent(id="3", kind="message", data="x")]

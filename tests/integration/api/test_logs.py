"""Logs over HTTP: searched in whole and while they grow, told anew when a job starts its file anew."""

from tests.integration.api.conftest import Portal
from tests.integration.api.test_jobs import submit
from tests.integration.api.test_streams import end_job, log_file, stream


def test_a_log_is_searched_step_by_step_in_both_directions(portal: Portal) -> None:
    with portal.client(portal.city.chips.member) as client:
        job_id = submit(client).json()["id"]
        url = f"/api/v1/jobs/{job_id}/log/search"
        assert client.get(url, params={"search": "x"}).json()["matches"] == []  # nothing written yet
        log_file(portal, job_id).write_text("một lỗi\nhai\n\x1b[31mUVM_ERROR\x1b[0m :  0\nError: ba lỗi\n")
        first = client.get(url, params={"search": "lỗi", "limit": 1}).json()
        rest = client.get(url, params={"search": "LỖI|^hai$", "regex": True, "from_line": 1}).json()
        back = client.get(url, params={"search": "lỗi", "backward": True, "from_line": 9}).json()
        errors = client.get(url, params={"errors": True}).json()
        wrong = client.get(url, params={"search": "(", "regex": True}, headers={"accept-language": "vi"})
        long = client.get(url, params={"search": "x" * 501})

    assert first["matches"] == [{"line": 0, "text": "một lỗi", "start": 4, "end": 7}]
    assert (first["next_line"], first["is_over"]) == (1, False)
    assert [match["line"] for match in rest["matches"]] == [1]
    assert [match["line"] for match in back["matches"]] == [3, 0]
    assert [match["text"] for match in errors["matches"]] == ["Error: ba lỗi"]
    assert wrong.status_code == long.status_code == 422
    assert "RE2" in wrong.text


def test_another_tenants_log_is_not_searched_and_no_path_leads_out(portal: Portal) -> None:
    with (
        portal.client(portal.city.chips.member) as ours,
        portal.client(portal.city.rivals.member) as theirs,
    ):
        job_id = submit(ours).json()["id"]
        file = log_file(portal, job_id)
        file.write_text("secret\n")
        (file.parent / "link").symlink_to("/etc/passwd")
        url = f"/api/v1/jobs/{job_id}/log/search"
        assert theirs.get(url, params={"search": "secret"}).status_code == 404
        assert theirs.get(f"/api/v1/jobs/{job_id}/log/stream").status_code == 404
        for path in ("link", "../../../../../etc/passwd", "/etc/passwd", "."):
            found = ours.get(url, params={"search": "root", "path": path})
            assert found.status_code == 200, found.text
            assert found.json()["matches"] == []
            assert ours.get(f"/api/v1/jobs/{job_id}/log", params={"path": path}).json()["lines"] == []


def test_a_stream_of_matches_tells_each_once_and_a_bar_shows_as_it_moves(portal: Portal) -> None:
    with portal.client(portal.city.chips.member) as client:
        job_id = submit(client).json()["id"]
        file = log_file(portal, job_id)
        file.write_text("a\nerror: one\nb\n")
        with stream(client, f"/jobs/{job_id}/log/stream?errors=true") as listening:
            first = next(listening)
            with file.open("a") as log:
                log.write("10 %\r20 % error")
            bar = next(listening)
            end_job(portal, job_id)
            last = next(listening)
            assert next(listening).event == "end"

    assert (first.event, first.id, first.data["lines"]) == ("matches", "3", [[1, "error: one"]])
    assert (bar.event, bar.data["line"], bar.data["lines"]) == ("partial", 3, [[3, "20 % error"]])
    assert last.data["lines"] == [[3, "20 % error"]]


def test_a_log_that_was_started_anew_is_told_from_its_first_line(portal: Portal) -> None:
    with portal.client(portal.city.chips.member) as client:
        job_id = submit(client).json()["id"]
        file = log_file(portal, job_id)
        file.write_text("old 1\nold 2\nold 3\n")
        path = f"/jobs/{job_id}/log/stream"
        with stream(client, path) as listening:
            assert next(listening).data["lines"] == ["old 1", "old 2", "old 3"]
            file.write_text("new 1\n")
            told = [next(listening), next(listening)]
        with stream(client, path, **{"Last-Event-ID": "3"}) as resumed:  # and a reader who was away meanwhile
            again = [next(resumed), next(resumed)]

    for restart, lines in (told, again):
        assert (restart.event, restart.id) == ("restart", "0")
        assert (lines.id, lines.data) == ("1", {"first": 0, "lines": ["new 1"]})

"""Logs, files and results of a job over HTTP."""

import io
import zipfile
from pathlib import Path

import httpx

from tests.integration.api.conftest import Portal
from tests.integration.api.test_jobs import submit
from tests.integration.api.test_streams import end_job, log_file
from workloads.catalog import CATALOG


def test_a_log_is_read_by_line_and_downloaded_as_a_whole(portal: Portal) -> None:
    with portal.client(portal.city.chips.member) as client:
        job_id = submit(client).json()["id"]
        url = f"/api/v1/jobs/{job_id}/log"
        before = client.get(url).json()
        log_file(portal, job_id).write_text("một\nhai\nba", encoding="utf-8")
        running = client.get(url).json()
        end_job(portal, job_id)
        ended = client.get(url, params={"from_line": 1, "limit": 1}).json()
        tail = client.get(url, params={"limit": 2}).json()
        whole = client.get(f"{url}/download")

    assert (before["lines"], before["has_ended"]) == ([], False)
    assert (running["lines"], running["next_line"]) == (["một", "hai"], 2)
    assert (ended["first_line"], ended["lines"], ended["next_line"]) == (1, ["hai"], 2)
    assert (tail["first_line"], tail["lines"], tail["has_ended"]) == (1, ["hai", "ba"], True)
    assert whole.text == "một\nhai\nba"
    assert whole.headers["content-type"] == "text/plain; charset=utf-8"
    assert whole.headers["content-disposition"].startswith("attachment")


def test_files_are_listed_and_sent_and_nothing_else_is(portal: Portal, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("outside")
    with portal.client(portal.city.chips.member) as client:
        job_id = submit(client).json()["id"]
        url = f"/api/v1/jobs/{job_id}/files"
        empty = client.get(url)
        home = log_file(portal, job_id).parent
        (home / "kết quả").mkdir()
        (home / "kết quả" / "page.html").write_text("<script>alert(1)</script>")
        (home / "link").symlink_to(secret)

        listed = client.get(url).json()["items"]
        inner = client.get(url, params={"path": "kết quả"}).json()["items"]
        sent = client.get(f"{url}/content", params={"path": "kết quả/page.html"})
        refused = [
            client.get(f"{url}/content", params={"path": path}).status_code
            for path in ("link", "../../../../secret", "/etc/passwd", "kết quả", "missing")
        ]

    assert empty.status_code == 404
    assert [(entry["name"], entry["kind"]) for entry in listed] == [("kết quả", "folder"), ("link", "link")]
    assert [entry["path"] for entry in inner] == ["kết quả/page.html"]
    assert sent.text == "<script>alert(1)</script>"
    assert sent.headers["content-type"] == "application/octet-stream"
    assert sent.headers["content-disposition"].startswith("attachment")
    assert refused == [404] * 5


def test_results_grow_with_the_workspace(portal: Portal) -> None:
    with portal.client(portal.city.chips.member) as client:
        names = [item["name"] for item in client.get("/api/v1/templates").json()["items"]]
        assert names == list(CATALOG)
        job_id = template_job(client).json()["id"]
        url = f"/api/v1/jobs/{job_id}/results"
        first = client.get(url).json()
        home = log_file(portal, job_id).parent
        (home / "metrics.jsonl").write_text('{"epoch": 1, "train_loss": NaN, "loss": 0.5}\n')
        end_job(portal, job_id)
        last = client.get(url)
    assert first["tasks"] == []
    assert last.status_code == 200


def test_tables_of_a_result_keep_their_numbers_and_texts(portal: Portal) -> None:
    with portal.client(portal.city.chips.member) as client:
        job_id = template_job(client, "lint").json()["id"]
        for name, text in (
            ("results/0", "exit_code=1\ntool_exit_code=0\n"),
            ("logs/lint.log", "%Warning-WIDTH: design/fifo.sv:60:44: nan\n"),
        ):
            file = log_file(portal, job_id).parent / name
            file.parent.mkdir()
            file.write_text(text)
        end_job(portal, job_id)
        [table] = client.get(f"/api/v1/jobs/{job_id}/results").json()["tables"]
    assert [column["title"] for column in table["columns"]] == ["Code", "File", "Line", "Message"]
    assert (table["rows"], table["is_cut"]) == ([["WIDTH", "fifo.sv", 60, "nan"]], False)


def template_job(client: httpx.Client, template: str = "pytorch-training") -> httpx.Response:
    body = {"project": "chips", "template": template, "parameters": {}}
    return client.post("/api/v1/jobs", json=body)


def test_templates_show_their_form_and_clusters_their_age(portal: Portal) -> None:
    with portal.client(portal.city.chips.member) as client:
        schema = client.get("/api/v1/templates/script").json()["parameters_schema"]
        [cluster] = client.get("/api/v1/clusters").json()["items"]
        missing = client.get("/api/v1/templates/missing")
    assert schema["type"] == "object"
    assert (cluster["name"], cluster["nodes"][0]["gpus"]) == ("memory", {"h100": 8})
    assert cluster["age_seconds"] > 0
    assert missing.status_code == 404


def test_a_file_is_looked_at_and_a_folder_taken_as_zip(portal: Portal) -> None:
    with portal.client(portal.city.chips.member) as client:
        job_id = submit(client).json()["id"]
        home = log_file(portal, job_id).parent
        (home / "results").mkdir()
        (home / "results" / "corners.csv").write_text("corner,slack\ntt,0.1\n")
        url = f"/api/v1/jobs/{job_id}/files"
        look = client.get(f"{url}/preview", params={"path": "results/corners.csv"})
        missing = client.get(f"{url}/preview", params={"path": "../results"})
        packed = client.get(f"{url}/zip", params={"path": "results"})
        nothing = client.get(f"{url}/zip", params={"path": "results/corners.csv"})
        shown = client.get(f"/jobs/{job_id}/preview", params={"path": "results/corners.csv"})
    assert look.json()["rows"] == [["corner", "slack"], ["tt", "0.1"]]
    assert (missing.status_code, nothing.status_code) == (404, 404)
    assert packed.headers["content-disposition"].endswith("results.zip")
    with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
        assert archive.read("corners.csv") == b"corner,slack\ntt,0.1\n"
    assert "<td>0.1</td>" in shown.text

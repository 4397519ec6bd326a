"""Waveforms of a job over HTTP, and what the preview of its files says of them and of curves."""

import json

from hpc_portal.app.files.shared_folder import shared_folder
from tests.integration.api.conftest import Portal
from tests.integration.api.test_jobs import submit
from tests.integration.api.test_streams import log_file
from tests.small_waves import VCD


def test_a_waveform_is_looked_at_over_http(portal: Portal) -> None:
    with portal.client(portal.city.chips.member) as client:
        job_id = submit(client).json()["id"]
        url = f"/api/v1/jobs/{job_id}"
        home = log_file(portal, job_id).parent
        (home / "a.vcd").write_bytes(VCD)
        (home / "half.vcd").write_bytes(VCD[:40])
        file = {"path": "a.vcd"}
        header = client.get(f"{url}/waves", params=file).json()
        first = client.get(f"{url}/waves/signals", params={**file, "scope": "tb", "limit": 2}).json()
        after = client.get(
            f"{url}/waves/signals", params={**file, "scope": "tb", "cursor": first["next_cursor"]}
        ).json()
        asked = "path=a.vcd&signals=sgn:tb.count&signals=tb.none&t0=5&t1=35&at=12&px=30"
        window = client.get(f"{url}/waves/window?{asked}").json()
        preview = client.get(f"{url}/files/preview", params=file).json()
        broken = client.get(f"{url}/waves", params={"path": "half.vcd"})
        missing = client.get(f"{url}/waves", params={"path": "none.vcd"})
        wrong = [
            client.get(f"{url}/waves/window?path=a.vcd&{query}").status_code
            for query in ("", "signals=a&" * 65, "signals=a&px=0", f"signals=a&t0={2**60}")
        ]

    assert header == {
        "format": "VCD",
        "factor": 1,
        "unit": "ns",
        "end": 100,
        "signals": 5,
        "version": "",
    }
    assert [entry["name"] for entry in first["items"] + after["items"]] == [
        "tb.dut",
        "tb.clk",
        "tb.count",
        "tb.tick",
    ]
    count, none = window["signals"]
    assert count["points"] == [[5, "xx", "x"], [10, "-2", ""], [30, "5", ""]]
    assert (count["value"], count["since"], count["until"]) == ("-2", 10, 30)
    assert (none["kind"], none["points"]) == ("", [])
    assert preview["kind"] == "waves"
    assert (broken.status_code, broken.json()["type"]) == (422, "/problems/waveform-unreadable")
    assert missing.status_code == 404
    assert wrong == [422, 422, 422, 422]


def test_a_waveform_among_a_projects_files_is_looked_at_by_its_people_alone(portal: Portal) -> None:
    folder = portal.city.services.settings.effective_workspace_root
    home = folder / shared_folder(organisation="chips-org", account="chips")
    home.mkdir(parents=True)
    (home / "golden.vcd").write_bytes(VCD)
    url = "/api/v1/projects/chips/waves"
    file: dict[str, str | int] = {"path": "golden.vcd"}
    with portal.client(portal.city.chips.member) as client:
        assert client.get(url, params=file).json()["signals"] == 5
        listed = client.get(f"{url}/signals", params={**file, "scope": "tb", "limit": 2}).json()
        assert [one["name"] for one in listed["items"]] == ["tb.dut", "tb.clk"]
        (count,) = client.get(f"{url}/window?path=golden.vcd&signals=sgn:tb.count&at=12").json()["signals"]
        assert (count["value"], count["since"], count["until"]) == ("-2", 10, 30)
    with portal.client(portal.city.rivals.member) as client:
        for part in ("", "/signals", "/window"):
            assert client.get(url + part, params={**file, "signals": "tb.clk"}).status_code == 404


def test_the_preview_of_metrics_has_their_curves(portal: Portal) -> None:
    lines = [{"epoch": epoch, "loss": 1 / (epoch + 1), "note": "ok"} for epoch in range(3)]
    with portal.client(portal.city.chips.member) as client:
        job_id = submit(client).json()["id"]
        home = log_file(portal, job_id).parent
        (home / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        (home / "plain.jsonl").write_text('{"name": "no curve"}\n')
        url = f"/api/v1/jobs/{job_id}/files/preview"
        found = client.get(url, params={"path": "metrics.jsonl"}).json()
        plain = client.get(url, params={"path": "plain.jsonl"}).json()

    assert found["kind"] == "curves"
    assert found["text"].startswith('{"epoch": 0')
    assert [(one["name"], one["x_label"]) for one in found["series"]] == [("loss", "epoch")]
    assert found["series"][0]["points"] == [[0, 1.0], [1, 0.5], [2, 1 / 3]]
    assert (plain["kind"], plain["series"]) == ("text", [])

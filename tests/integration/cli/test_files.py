"""`hpc files`, and a job on the real node that reads what was uploaded and cannot change it."""

from pathlib import Path

from tests.integration.cli.conftest import Person

READER = """
cat "$HPC_PROJECT_FILES/bench/data/in.txt"
echo more >> "$HPC_PROJECT_FILES/bench/data/in.txt" && echo APPENDED
touch "$HPC_PROJECT_FILES/new" && echo MADE
rm -f "$HPC_PROJECT_FILES/bench/data/in.txt"; test -e "$HPC_PROJECT_FILES/bench/data/in.txt" || echo REMOVED
echo over
"""


def test_a_job_reads_an_uploaded_file_and_cannot_change_it(
    designer: Person, rival: Person, tmp_path: Path
) -> None:
    folder = tmp_path / "bench"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "in.txt").write_text("stimulus 42\n")
    (folder / "run.sh").write_text("#!/bin/sh\n")

    sent = designer.hpc("files", "put", str(folder))
    again = designer.hpc("files", "put", str(folder))
    listed = designer.hpc("files", "ls", "bench", "--json")
    submitted = designer.hpc("submit", "--wait", "--yes", designer.script(READER), "--json")
    log = designer.hpc("logs", submitted.json["id"])
    theirs = rival.hpc("files", "ls", "--project", "songhan-fifo")

    assert (sent.code, again.code) == (0, 0), sent.stderr + again.stderr
    assert [one["name"] for one in listed.json] == ["data", "run.sh"]
    assert "stimulus 42" in log.stdout
    assert "over" in log.stdout
    assert not {"APPENDED", "MADE", "REMOVED"} & set(log.stdout.split())
    assert theirs.code == 5, theirs.stderr

    (folder / "data" / "in.txt").write_text("stimulus 43\n")
    refused = designer.hpc("files", "put", str(folder / "data" / "in.txt"), "--to", "bench/data")
    replaced = designer.hpc(
        "files", "put", str(folder / "data" / "in.txt"), "--to", "bench/data", "--overwrite"
    )
    printed = designer.hpc("files", "get", "bench/data/in.txt", "-")
    fetched = designer.hpc("files", "get", "bench/data/in.txt", str(tmp_path))
    moved = designer.hpc("files", "mv", "bench/run.sh", "bench/go.sh")
    kept = designer.hpc("files", "rm", "bench", stdin="n\n")
    removed = designer.hpc("files", "rm", "bench", "--yes")
    assert (refused.code, replaced.code, moved.code, kept.code, removed.code) == (4, 0, 0, 1, 0)
    assert printed.stdout == "stimulus 43\n"
    assert (tmp_path / "in.txt").read_text() == "stimulus 43\n"
    assert fetched.code == 0
    assert designer.hpc("files", "ls", "--json").json == []

"""`hpc` as people and scripts use it, against a real portal."""

import stat
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from hpc_portal.app import demo as city
from tests.integration.cli.conftest import Person, Ran, signed_in

pytestmark = pytest.mark.xdist_group("cli-user")

OK, FAILED, USAGE, NOT_SIGNED_IN, REFUSED, NOT_FOUND, UNREACHABLE = range(7)


def eventually(ask: Callable[[], Ran], accept: Callable[[Ran], bool], seconds: float = 60) -> Ran:
    deadline = time.monotonic() + seconds
    while True:
        found = ask()
        if accept(found):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.3)


def submitted(person: Person, body: str, *options: str) -> str:
    done = person.hpc("submit", person.script(body), "--time", "5", "--memory", "64M", *options)
    assert done.code == OK, done.stderr
    return done.stdout.strip()


def test_signing_in_keeps_a_token_that_only_the_owner_can_read(designer: Person) -> None:
    path = designer.home / ".config/hpc/credentials.toml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert city.PASSWORD not in path.read_text()
    assert designer.hpc("whoami", "--json").json["username"] == city.DESIGNER
    assert "songhan-fifo (member)" in designer.hpc("whoami").stdout


def test_a_wrong_password_signs_nobody_in(stranger: Person) -> None:
    done = stranger.hpc("login", "--url", stranger.url, "-u", city.DESIGNER, "--password-stdin", stdin="no\n")
    assert done.code == NOT_SIGNED_IN
    assert not (stranger.home / ".config").exists()


def test_signing_out_ends_the_token_itself(stranger: Person) -> None:
    person = signed_in(replace(stranger, username=city.DESIGNER))
    path = person.home / ".config/hpc/credentials.toml"
    saved = path.read_text()
    assert person.hpc("logout").code == OK
    assert not path.exists()
    path.write_text(saved)
    assert person.hpc("whoami").code == NOT_SIGNED_IN


def test_without_a_token_commands_say_how_to_sign_in(stranger: Person) -> None:
    done = stranger.hpc("jobs")
    assert done.code == NOT_SIGNED_IN
    assert "hpc login" in done.stderr


def test_messages_follow_the_wish_for_vietnamese(stranger: Person) -> None:
    assert "Bạn chưa đăng nhập" in stranger.hpc("--lang", "vi", "jobs").stderr


def test_the_portal_refuses_in_the_language_of_the_terminal(designer: Person) -> None:
    refused = designer.hpc("template", "show", "none", LC_ALL="vi_VN.UTF-8")
    assert refused.code == NOT_FOUND
    assert "Ở đây không có gì bạn xem được" in refused.stderr
    assert "There is no template" in designer.hpc("template", "show", "none").stderr


def test_a_wrong_command_line_is_told_apart(designer: Person) -> None:
    assert designer.hpc("jobs", "--no-such-option").code == USAGE
    assert designer.hpc("submit").code == USAGE
    assert designer.hpc("show", "x").code == USAGE


def test_templates_are_listed_and_explained(designer: Person) -> None:
    names = [item["name"] for item in designer.hpc("templates", "--json").json]
    assert {"rtl-regression", "pytorch-training"} <= set(names)
    shown = designer.hpc("template", "show", "rtl-regression")
    assert shown.code == OK
    assert "seeds" in shown.stdout
    assert designer.hpc("template", "show", "none").code == NOT_FOUND


def test_a_job_is_followed_to_its_end_and_its_cost(designer: Person) -> None:
    path = designer.script("echo first; echo last")
    done = designer.hpc("submit", path, "--time", "5", "--memory", "64M", "--wait", "--json")
    assert done.code == OK, done.stderr
    job = done.json
    assert (job["state"], job["phase"], job["exit_code"]) == ("COMPLETED", "settled", 0)
    assert designer.hpc("logs", job["id"]).stdout == "first\nlast\n"
    assert designer.hpc("logs", job["id"], "--tail", "1", "-f").stdout == "last\n"
    assert designer.hpc("logs", job["id"], "--search", "LAST|^f", "--regex").stdout == "1:first\n"
    assert designer.hpc("logs", job["id"], "--search", "(", "--regex").code == REFUSED
    assert designer.hpc("logs", job["id"], "--errors", "--tail", "1").code == USAGE
    [task] = designer.hpc("tasks", job["id"], "--json").json
    assert (task["state"], task["elapsed_seconds"] >= 1) == ("COMPLETED", True)
    assert "COMPLETED" in designer.hpc("show", job["id"][-10:]).stdout


def test_a_failed_job_fails_the_waiting_command(designer: Person) -> None:
    done = designer.hpc("submit", designer.script("exit 7"), "--time", "5", "--memory", "64M", "--wait")
    assert done.code == FAILED
    assert "7:0" in done.stdout
    assert "hpc logs" in done.stderr


def test_the_price_is_shown_and_nothing_submitted_in_a_dry_run(designer: Person) -> None:
    path = designer.script("true")
    done = designer.hpc("submit", path, "--time", "1:00:00", "--name", "never-submitted", "--dry-run")
    assert done.code == OK
    assert "1.330 ₫" in done.stderr  # an hour of one CPU, 1.200, and of one GiB, 130
    assert designer.hpc("jobs", "--name", "never-submitted", "--json").json == []


def test_a_job_can_wait_for_another_by_the_end_of_its_id(designer: Person) -> None:
    first = submitted(designer, "true", "--name", "first")
    second = submitted(designer, "true", "--name", "second", "--after", first[-12:])
    done = designer.hpc("show", second, "--json")
    assert done.json["spec"]["dependencies"] == [{"kind": "afterok", "job_id": first}]


def test_options_of_a_script_are_not_silently_dropped_for_a_template(designer: Person) -> None:
    done = designer.hpc("submit", "-t", "rtl-regression", "--cpus", "4")
    assert done.code == USAGE
    assert "-p resources.cpus=4" in done.stderr


def test_what_cannot_run_is_refused_with_the_field(designer: Person) -> None:
    done = designer.hpc("submit", designer.script("true"), "--cpus", "999")
    assert done.code == REFUSED
    assert "cpus_per_task" in done.stderr
    assert "4 CPUs" in done.stderr


def test_a_templates_script_is_printed_edited_and_submitted(designer: Person) -> None:
    made = designer.hpc("submit", "-t", "lint", "--print-script")
    assert made.stdout.startswith("#!/bin/bash\n")
    edited = designer.home / "edited.sh"
    edited.write_text(made.stdout.replace("set -u", "echo edited\nset -u", 1))
    done = designer.hpc("submit", "-t", "lint", "--script-from", str(edited))
    job_id = done.stdout.strip()
    assert designer.hpc("script", job_id).stdout == edited.read_text()
    assert "+ echo edited\n" in designer.hpc("script", job_id, "--changes").stdout
    refused = designer.hpc("submit", "-t", "lint", "--script-from", "-", stdin="echo no interpreter\n")
    assert "#!" in refused.stderr
    assert refused.code != 0


def test_more_than_the_budget_is_refused_before_it_is_submitted(designer: Person) -> None:
    options = ("--time", "7-0", "--array", "0-9999", "--cpus", "4")
    done = designer.hpc("submit", designer.script("true"), *options)
    assert "would fit" in done.stderr
    assert done.code == REFUSED
    assert done.stdout == ""


def test_a_template_takes_parameters_and_its_results_and_waves_tell_what_failed(designer: Person) -> None:
    wanted = ("tests=random", "seeds=2", "defines=BUG_LEVEL", "name=buggy", "waves=true")
    parameters = [word for parameter in wanted for word in ("-p", parameter)]
    done = designer.hpc("submit", "-t", "rtl-regression", *parameters, "--wait")
    assert done.code == FAILED
    job_id = designer.hpc("jobs", "--name", "buggy", "--json").json[0]["id"]
    found = designer.hpc("results", job_id, "--json").json
    assert [task["verdict"] for task in found["tasks"]] == ["fail", "fail"]
    shown = designer.hpc("results", job_id).stdout
    assert "0 passed, 2 failed" in shown
    assert "LEVEL" in shown
    [path] = [one["path"] for one in found["tasks"][0]["artefacts"] if one["kind"] == "waveform"]
    listed = designer.hpc("waves", job_id, path, "--scope", "tb", "--json").json
    clock = next(one["name"] for one in listed["items"] if one["kind"] == "bit")
    assert (listed["format"], listed["end"] > 0) == ("FST", True)
    assert "tb/" in designer.hpc("waves", job_id, path).stdout
    at_once = designer.hpc("waves", job_id, path, clock, "no.such", "--at", "1", "--json").json
    assert (at_once[0]["name"], at_once[0]["value"] in {"0", "1", "x"}, at_once[1]["kind"]) == (
        clock,
        True,
        "",
    )
    assert "not in this file" in designer.hpc("waves", job_id, path, "no.such").stdout


def test_a_wrong_parameter_is_refused_with_its_name(designer: Person) -> None:
    done = designer.hpc("submit", "-t", "rtl-regression", "-p", "seeds=0")
    assert done.code == REFUSED
    assert "seeds" in done.stderr


def test_a_log_is_followed_while_it_grows(designer: Person) -> None:
    job_id = submitted(designer, "for i in 1 2 3 4 5; do echo line $i; sleep 0.4; done")
    assert designer.hpc("logs", "-f", job_id, "--search", "line [2-4]", "-E").stdout == (
        "2:line 2\n3:line 3\n4:line 4\n"
    )
    assert designer.hpc("logs", "-f", job_id).stdout == "".join(f"line {i}\n" for i in range(1, 6))


def test_a_running_job_is_cancelled_by_the_end_of_its_id(designer: Person) -> None:
    job_id = submitted(designer, "sleep 600")
    eventually(lambda: designer.hpc("show", job_id, "--json"), lambda ran: ran.json["state"] == "RUNNING")
    assert designer.hpc("cancel", job_id[-12:], "--json").json == {"cancelled": [job_id]}
    ended = eventually(
        lambda: designer.hpc("show", job_id, "--json"), lambda ran: ran.json["phase"] == "settled"
    )
    assert ended.json["state"] == "CANCELLED"


def test_jobs_are_filtered(designer: Person) -> None:
    job_id = submitted(designer, "true", "--name", "filtered")
    listed = designer.hpc("jobs", "--name", "ILTERE", "--project", "songhan-fifo", "--json").json
    assert [job["id"] for job in listed] == [job_id]
    assert designer.hpc("jobs", "--name", "filtered", "--user", "mai", "--json").json == []
    assert job_id[-8:] in designer.hpc("jobs").stdout


def test_quota_tells_what_is_left(designer: Person) -> None:
    found = designer.hpc("quota", "--json").json
    vnd = found["songhan-fifo"]["by_asset"]["VND"]
    assert vnd["granted"] == 150_000_000
    assert vnd["available"] + vnd["held"] + vnd["consumed"] == vnd["granted"]
    assert "150.000.000 ₫" in designer.hpc("quota").stdout


def test_quota_tells_what_is_stored_and_has_it_measured_again(designer: Person) -> None:
    before = designer.hpc("quota", "--measure", "--json").json["songhan-fifo"]["storage"]
    assert (before["granted_gib"], before["is_full"]) == (200, False)
    assert "200 GiB" in designer.hpc("quota").stdout
    measured = eventually(
        lambda: designer.hpc("quota", "--json"),
        lambda ran: not ran.json["songhan-fifo"]["storage"]["is_waiting"],
    )
    assert measured.json["songhan-fifo"]["storage"]["days"]


def test_the_clusters_are_shown_with_its_licences(designer: Person) -> None:
    [cluster] = designer.hpc("clusters", "--json").json
    assert [node["cpus"] for node in cluster["nodes"]] == [4]
    assert "vcs" in designer.hpc("clusters").stdout
    one = designer.hpc("clusters", cluster["name"], "--json").json
    assert [queue["partition"] for queue in one["queue"]] == [part["name"] for part in cluster["partitions"]]
    assert [node["name"] for node in one["nodes"]] == [node["name"] for node in cluster["nodes"]]
    assert cluster["nodes"][0]["name"] in designer.hpc("clusters", cluster["name"]).stdout
    assert designer.hpc("clusters", cluster["name"], "--state", "down", "--json").json["nodes"] == []
    assert designer.hpc("clusters", "moon").code == NOT_FOUND


def test_another_tenants_job_does_not_exist(designer: Person, rival: Person) -> None:
    job_id = submitted(designer, "true", "--name", "secret-chip")
    for command in ("show", "tasks", "results", "logs", "cancel"):
        done = rival.hpc(command, job_id)
        assert done.code == NOT_FOUND, command
        assert "secret-chip" not in done.stderr
    assert rival.hpc("show", job_id[-8:]).code == NOT_FOUND
    assert rival.hpc("jobs", "--json").json == []


def test_a_portal_that_does_not_answer_is_told_apart(stranger: Person) -> None:
    done = stranger.hpc("jobs", HPC_URL="http://127.0.0.1:9", HPC_TOKEN="t")
    assert done.code == UNREACHABLE
    assert "127.0.0.1:9" in done.stderr


HEADED = (
    "#!/bin/bash\n#SBATCH --job-name=from-sbatch --time=5\n"
    "#SBATCH --mem=64M --mail-type=END --mail-user=me@home.vn\ntrue\n"
)


def test_a_script_for_sbatch_is_shown_submitted_and_overridden(designer: Person) -> None:
    path = designer.home / "headed.sh"
    path.write_text(HEADED)
    done = designer.hpc("submit", str(path), "--dry-run")
    assert done.code == OK, done.stderr
    assert "--mail-user=me@home.vn" in done.stderr
    submitted_id = designer.hpc("submit", str(path), "--comment=mine", "--hold").stdout.strip()
    job = designer.hpc("show", submitted_id, "--json").json
    assert (job["name"], job["held_by"], job["spec"]["comment"]) == ("from-sbatch", "user", "mine")
    assert job["spec"]["resources"]["walltime_seconds"] == 300


def test_a_script_is_translated_without_a_portal(stranger: Person) -> None:
    path = stranger.home / "headed.sh"
    path.write_text(HEADED)
    done = stranger.hpc("translate", str(path), "--json", "--time=10")
    assert done.json["spec"]["resources"]["walltime_seconds"] == 600
    path.write_text(HEADED.replace("--mem", "--hint=x --mem"))
    refused = stranger.hpc("translate", str(path))
    assert refused.code == USAGE
    assert "line 3 --hint=x" in refused.stderr


def test_how_one_is_told_is_shown_and_chosen(designer: Person) -> None:
    assert designer.hpc("notices", "choices", "prices", "--mail", "daily", "--no-page").code == OK
    [prices] = [one for one in designer.hpc("notices", "choices", "--json").json if one["group"] == "prices"]
    assert prices == {"group": "prices", "on_page": False, "by_mail": "daily", "by_webhook": True}
    assert "prices" in designer.hpc("notices", "choices").stdout
    assert designer.hpc("notices", "choices", "moon").code == USAGE
    assert designer.hpc("notices", "choices", "--mail", "off").code == USAGE
    assert designer.hpc("notices", "webhook", "http://127.0.0.1/x").code == REFUSED
    made = designer.hpc("notices", "webhook", "https://hooks.example.invalid/hpc", "--test")
    assert "whsec_" in made.stdout
    assert designer.hpc("notices", "webhook", "--json").json["deliveries"][0]["kind"] == "webhook.test"
    assert designer.hpc("notices", "webhook", "-").code == OK
    assert designer.hpc("notices").code == OK

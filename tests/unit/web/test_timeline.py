"""The line of steps on a job's page."""

from datetime import UTC, datetime, timedelta

from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.web.timeline import Times, timeline

START = datetime(2026, 11, 26, 1, 0, tzinfo=UTC)
NOW = START + timedelta(minutes=20)


def _times(**minutes: int) -> Times:
    at = {f"{name}_at": START + timedelta(minutes=value) for name, value in minutes.items()}
    return Times(**{name: at.get(name) for name in Times.__slots__})  # type: ignore[arg-type]


def test_a_running_job_shows_what_is_done_now_and_ahead() -> None:
    steps = timeline(_times(submitted=0, dispatched=1, started=11), Phase.TRACKED, now=NOW)
    assert [(step.text, step.progress) for step in steps] == [
        ("Submitted", "done"),
        ("Queued", "done"),
        ("Started", "done"),
        ("Ended", "now"),
        ("Charged", "ahead"),
    ]
    assert steps[2].lasted == 600
    assert steps[3].note == "running now"
    assert steps[3].lasted == 540


def test_a_job_cancelled_in_the_queue_never_shows_a_start() -> None:
    steps = timeline(_times(submitted=0, dispatched=1, ended=5, settled=6), Phase.SETTLED, now=NOW)
    assert [step.text for step in steps] == ["Submitted", "Queued", "Ended", "Charged"]
    assert {step.progress for step in steps} == {"done"}


def test_an_ended_job_is_still_to_be_charged() -> None:
    steps = timeline(_times(submitted=0, dispatched=1, started=2, ended=5), Phase.ENDED, now=NOW)
    assert (steps[-1].text, steps[-1].progress, steps[-1].note) == ("Charged", "now", "being settled")


def test_a_refused_job_has_no_steps_ahead() -> None:
    assert [step.text for step in timeline(_times(submitted=0), Phase.REFUSED, now=NOW)] == ["Submitted"]

"""Every state has its icon, word and colour; wishes and refusals say more than the scheduler."""

import re
from datetime import UTC, datetime

from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.web.assets import FOLDER
from hpc_portal.web.words import (
    CANCELLING,
    EVENTS,
    HELD,
    NODE_STATES,
    REFUSED,
    STATES,
    VERDICTS,
    exit_text,
    reason_text,
    state_word,
)
from schedulers.cluster import NodeState
from schedulers.jobstate import JobState
from workloads.template import Verdict

NOW = datetime(2026, 11, 26, tzinfo=UTC)


def test_every_state_is_shown_in_its_own_words() -> None:
    assert set(STATES) == set(JobState)
    assert set(VERDICTS) == set(Verdict)
    assert set(NODE_STATES) == set(NodeState)
    assert len({word.text for word in STATES.values()}) == len(STATES)


def test_every_tone_has_a_colour() -> None:
    tones = set(re.findall(r"\.tone-(\w+)", (FOLDER / "app.css").read_text()))
    words = [*STATES.values(), *VERDICTS.values(), *NODE_STATES.values(), *EVENTS.values(), REFUSED]
    assert {word.tone for word in words} <= tones


def test_a_wish_to_cancel_shows_until_the_job_is_over() -> None:
    asked = {"state": JobState.RUNNING, "cancel_requested_at": NOW}
    assert state_word(phase=Phase.TRACKED, **asked) is CANCELLING  # type: ignore[arg-type]
    ended = state_word(phase=Phase.SETTLED, state=JobState.COMPLETED, cancel_requested_at=NOW)
    assert ended is STATES[JobState.COMPLETED]


def test_a_job_that_waits_because_it_is_held_says_so() -> None:
    held = {"phase": Phase.TRACKED, "cancel_requested_at": None, "is_held": True}
    assert state_word(state=JobState.PENDING, **held) is HELD  # type: ignore[arg-type]
    assert state_word(state=JobState.RUNNING, **held) is STATES[JobState.RUNNING]  # type: ignore[arg-type]


def test_a_refusal_is_not_shown_as_waiting() -> None:
    assert state_word(phase=Phase.REFUSED, state=JobState.PENDING, cancel_requested_at=None) is REFUSED


def test_unknown_reasons_and_codes_stay_as_they_are() -> None:
    assert reason_text("Resources", "en") == "Waiting until enough CPUs, memory or GPUs are free."
    assert reason_text("TimeLimit", "en") == "It reached its time limit."
    assert reason_text("SomethingNew", "en") == "SomethingNew"
    assert exit_text(127, 0).startswith("127: command not found")
    assert exit_text(0, 9).startswith("killed by signal 9")
    assert exit_text(42, 0) == ""
    assert exit_text(0, 250) == ""
    assert exit_text(None, None) == ""

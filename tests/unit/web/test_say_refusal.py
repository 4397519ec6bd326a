"""Every error that reaches users is said in Vietnamese; what machines read is the same in all languages."""

import ast
import json
import re
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID

import pytest
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request

from hpc_portal.api.problems import PROBLEMS, kind_of, problem_reply
from hpc_portal.app import errors as app
from hpc_portal.app.files.wave_process import TOO_SLOW
from hpc_portal.app.permissions import WHO_MAY, Action
from hpc_portal.auth import errors as auth
from hpc_portal.web.language import accepted_languages, load_languages
from hpc_portal.web.say_refusal import refusal_in
from quotas import errors as quotas
from quotas.errors import MonthRefusal
from quotas.money import VND
from schedulers import errors as schedulers
from workloads import errors as workloads

ROOT = Path(__file__).parents[3]
PACKAGES = ("hpc_portal", "quotas", "schedulers", "workloads")
TEXTS = {
    "Problem": 1,
    "Misfit": 1,
    "InvalidJobSpec": 1,
    "InvalidAmount": 1,
    "AllocationStateRefused": 2,
    "RefundCaseRefused": 1,
}
"""Which of their arguments is a text to translate; the same as in scripts/messages.py."""

VI = load_languages()["vi"]
ID = UUID(int=7)
AT = datetime(2026, 3, 2, tzinfo=UTC)
FIELD = app.Problem("name", "Write at most %(most)s characters.", {"most": 40})

EXAMPLES: tuple[Exception, ...] = (
    app.NotFound("class", "x"),
    app.JobNotFound("x"),
    app.ProjectNotFound("x"),
    app.FileNotInWorkspace("x"),
    app.CampaignNotFound("x"),
    *(app.NotAllowed(action, WHO_MAY[action]) for action in Action),
    app.NotAllowed("stop_projects", "the city's administrators, who suspended it"),
    app.InvalidSubmission([FIELD]),
    app.ChangeImpossible(FIELD),
    app.InvalidEntry([FIELD]),
    app.NameTaken("user", "linh"),
    app.IdempotencyKeyReused("k"),
    app.TenantNotActive("npu", "suspended"),
    app.TenantNotActive("npu", "suspended", "Hóa đơn chưa trả"),
    app.TenantClosed("npu"),
    app.InvitationOver(),
    *(
        app.TooManyInvitations(5, per)
        for per in ("open for one organisation", "by one person in a day", "to one address")
    ),
    app.NobodyLeads("npu", "lead"),
    app.ClassEnded("VLSI"),
    app.RequestNotOpen(ID, "deny", "approved", by="", at=AT),
    app.RequestNotOpen(ID, "deny", "approved", by="Hà", at=AT),
    app.DiscrepancyDecided(4),
    app.RefundCaseRefused(ID, "It has an open case already. Withdraw that one first."),
    app.ClusterNotSeenYet(),
    app.WaveformUnreadable("waves/a.fst", TOO_SLOW),
    app.WaveformsBusy(),
    app.FileExists("rtl/top.v"),
    app.FileExists("rtl", is_folder=True),
    app.NoRoomForFile("chips", size_bytes=5, left_bytes=3),
    app.DiskFull(),
    app.UploadOutOfStep(7),
    app.WrongCredentials(),
    app.IdentityNotLinked(),
    app.IdentityTaken(),
    app.SecondFactorNeeded(),
    app.WrongCode(),
    auth.IdentityUnavailable(),
    auth.ScopeTooSmall("jobs"),
    auth.SignInRequired(),
    auth.CrossSiteRequest(),
    auth.TooManyAttempts(30),
    quotas.BudgetExceeded("npu", VND, 1, 2),
    quotas.NotEnoughFree(ID, "gres/gpu:h100", 3600, 7200),
    quotas.StorageExceeded("npu", allocated_bytes=2**31, granted_gib=1, measured_at=AT),
    *(
        quotas.AllocationStopped("npu", VND, 1, allocation_id=ID, of_project="chips", state=state)
        for state in ("suspended", "closed")
    ),
    quotas.AllocationNotFound(ID),
    quotas.AllocationStateRefused(ID, "closed", "That is for good: grant a new one."),
    quotas.RefundRefused(ID, VND, 1, 2),
    quotas.NothingCovers("npu", "cpu"),
    quotas.LimitExceeded(
        limit="running jobs",
        owner_kind="project",
        owner="npu",
        value=2,
        asked=1,
        in_use=2,
        raised_by="the lead of your project",
    ),
    quotas.NoPriceList(),
    quotas.PricesChanged(1, 2),
    quotas.PriceListNotPublished(3, "does not exist"),
    quotas.PriceListRetired(3),
    quotas.DraftNotFound(3),
    quotas.DraftChanged("x", 2),
    quotas.UnpricedResource("cpu", "main", 3),
    *(quotas.MonthNotClosable(date(2026, 3, 1), why) for why in MonthRefusal),
    quotas.HoldNotFound(ID),
    quotas.KeyReused("k"),
    quotas.InvalidAmount("valid_to", "must be after %(day)s, when it ends now", day=AT.isoformat()),
    workloads.TemplateNotFound("x", ("y",)),
    workloads.InvalidSiteTemplate("tool.toml", [workloads.FieldProblem("name", "no", "missing", place="3")]),
    workloads.InvalidParameters("script", [workloads.FieldProblem("cpus", "no", "int_parsing")]),
    schedulers.InvalidJobSpec("array", "%0 would never start a task"),
    schedulers.SchedulerRefused("The job had ended before."),
    schedulers.SchedulerUnavailable("connection refused"),
    schedulers.SubmitUncertain("timed out"),
    schedulers.SchedulerBroken("danang may have forgotten a job"),
    RequestValidationError([{"type": "missing", "loc": ("body", "name"), "msg": "Field required"}]),
    RequestValidationError([{"type": "a_new_type", "loc": ("body",), "msg": "something"}]),
    HTTPException(404),
    HTTPException(405),
    HTTPException(418),
    ValueError("a secret"),
)
"""At least one of each class; all whose words depend on more than the class."""

_ENGLISH = re.compile(
    r"\b(the|is|are|must|not|no|of|this|was|has|there|nothing|already|ask|again)\b", re.IGNORECASE
)


@pytest.mark.parametrize("kind", PROBLEMS, ids=lambda kind: kind.__name__)
def test_every_class_of_errors_has_an_example_here(kind: type[Exception]) -> None:
    assert any(type(error) is kind for error in EXAMPLES), f"add an example of {kind.__name__}"


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_every_refusal_is_said_in_vietnamese(error: Exception) -> None:
    said = refusal_in(VI, error, kind_of(error).title)
    for text in (said.title, said.detail, *said.messages):
        assert text
        assert not _ENGLISH.search(text), text
        assert not text.isascii(), text


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_what_machines_read_is_the_same_in_both_languages(error: Exception) -> None:
    request = Request({"type": "http", "path": "/api/v1/x", "headers": [], "query_string": b"", "state": {}})
    kind = kind_of(error)
    english = problem_reply(request, error)
    vietnamese = problem_reply(request, error, refusal_in(VI, error, kind.title))
    assert (english.headers["content-language"], vietnamese.headers["content-language"]) == ("en", "vi")
    facts = [json.loads(bytes(reply.body)) for reply in (english, vietnamese)]
    for one in facts:
        one.pop("title"), one.pop("detail")
        one["problems"] = [problem["field"] for problem in one.get("problems", ())]
    assert facts[0] == facts[1]


def test_no_refusal_is_put_together_before_it_can_be_translated() -> None:
    built = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and isinstance(_text_of(call), ast.JoinedStr)
    ]
    assert built == [], "give the text with %(name)s, and what goes there as facts"


def _text_of(call: ast.Call) -> ast.expr | None:
    """The argument of an error or a problem that is translated; None for other calls."""
    place = TEXTS.get(ast.unparse(call.func).rpartition(".")[2])
    return call.args[place] if place is not None and place < len(call.args) else None


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("", []),
        ("vi", ["vi"]),
        ("en;q=0.5, vi-VN", ["vi", "en"]),
        ("vi;q=0.2,en-GB;q=0.8,*;q=0.1", ["en", "vi", "*"]),
        ("vi;q=0, en", ["en"]),
        ("vi;q=x, fr , en ; q=0.3", ["fr", "en"]),
    ],
)
def test_the_language_that_is_wanted_most_comes_first(header: str, wanted: list[str]) -> None:
    assert [code for code in accepted_languages(header) if code] == wanted

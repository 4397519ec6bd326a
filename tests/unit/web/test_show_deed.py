"""The audit log in words: every deed has one, and facts are said with their units, before beside after."""

import ast
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import hpc_portal
from hpc_portal.app.audit_log.read import AuditEntry
from hpc_portal.app.budgets.tables import RefundCaseState
from hpc_portal.app.requests.move import _PAST
from hpc_portal.web.audit_words import DEEDS, FACTS
from hpc_portal.web.language import load_languages
from hpc_portal.web.show_deed import show_deed
from quotas.usage_tables import DiscrepancyState

VI, EN = (load_languages()[code] for code in ("vi", "en"))
APP = Path(hpc_portal.__file__).parent / "app"


def records() -> Iterator[ast.Call]:
    """Every call of the application that has an `action=`, of deeds and of a few others."""
    for path in APP.rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and any(keyword.arg == "action" for keyword in call.keywords):
                yield call


def recorded() -> set[str]:
    """Every deed whose name is written as it is."""
    values = [keyword.value for call in records() for keyword in call.keywords if keyword.arg == "action"]
    return {str(one.value) for one in values if isinstance(one, ast.Constant) and "." in str(one.value)}


def recorded_facts() -> set[str]:
    """Every fact of a deed whose name is written as it is, also as it was."""
    facts: set[str] = set()
    for call in records():
        if ast.unparse(call.func) != "audit.record":
            continue
        for keyword in call.keywords:
            if keyword.arg in {None, "at", "actor", "action", "subject"}:
                continue
            facts.add(str(keyword.arg))
            dicts = [part for part in ast.walk(keyword.value) if isinstance(part, ast.Dict)]
            facts |= {str(key.value) for part in dicts for key in part.keys if isinstance(key, ast.Constant)}
    return facts - {"was"}


def test_every_deed_that_is_recorded_has_words() -> None:
    composed = {f"request.{past}" for past in _PAST.values()}
    composed |= {f"refund_case.{state}" for state in RefundCaseState if state is not RefundCaseState.OPEN}
    composed |= {f"discrepancy.{state}" for state in DiscrepancyState if state is not DiscrepancyState.OPEN}
    assert recorded() | composed <= DEEDS.keys()
    assert all(VI.text(text) != text for text in DEEDS.values())


def test_every_fact_of_a_deed_has_words() -> None:
    composed = {"expires_at", "owners", "purpose", "nice", "tasks", "by_administrator"}
    assert {"scope", "template"} < recorded_facts()
    assert recorded_facts() | composed <= FACTS.keys()


def said(action: str, language: str = "vi", **facts: object) -> list[str]:
    entry = AuditEntry(1, datetime(2026, 3, 2, tzinfo=UTC), None, "", action, "npu", facts, "", "")
    shown = show_deed(entry, VI if language == "vi" else EN)
    return [f"{fact.name}: {f'{fact.before} → ' if fact.before else ''}{fact.after}" for fact in shown.facts]


@pytest.mark.parametrize(
    ("facts", "lines"),
    [
        (
            {"lines": {"VND": 1_250_000, "gres/gpu:h100": 3600}},
            ["Mức cấp: 1.250.000\xa0₫, 1,00\xa0h GPU H100"],
        ),
        (
            {"change": "hold", "why": "no_owner"},
            ["Thay đổi: Giữ lại", "Lý do: Kết thúc: không còn ai chịu trách nhiệm"],
        ),
        ({"scope": "read"}, ["Phạm vi: Chỉ xem"]),
        ({"was": "active", "state": "closed"}, ["Trạng thái: Hoạt động → Đã đóng"]),
        ({"who_may_use": {"organisations": [], "projects": []}}, ["Ai được dùng: mọi người"]),
        (
            {"who_may_use": {"organisation_kinds": ["startup"], "projects": []}},
            ["Ai được dùng: Loại đơn vị: Khởi nghiệp"],
        ),
        (
            {"is_charged": True, "free_seconds_per_job": 7200, "was": {"is_charged": False}},
            ["Đã tính phí: không → có", "Trả lại cho mỗi tác vụ: 2\xa0giờ"],
        ),
        (
            {"kind": "walltime_seconds", "value": 7200, "was": {"value": 3600}},
            ["Loại: thời gian chạy tối đa của một tác vụ", "Giới hạn thời gian: 1\xa0giờ → 2\xa0giờ"],
        ),
        ({"prices": {"cpu": 1300}, "was": {"cpu": 1200}}, ["Bảng giá: cpu 1.200\xa0₫/h → cpu 1.300\xa0₫/h"]),
        ({"valid_to": "2026-03-31T17:00:00+00:00"}, ["Kết thúc: 01/04/2026 00:00:00"]),
        ({"reason": "", "something_new": [1, "x"]}, ["something_new: 1, x"]),
    ],
)
def test_facts_are_said_in_words_with_units(facts: dict[str, Any], lines: list[str]) -> None:
    assert said("limit.set", **facts) == lines


def test_a_deed_of_another_version_is_shown_as_it_is() -> None:
    entry = AuditEntry(1, datetime(2026, 3, 2, tzinfo=UTC), "ha", "::1", "moon.landed", "npu", {}, "", "")
    assert (show_deed(entry, EN).text, show_deed(entry, EN).who) == ("moon.landed", "ha")

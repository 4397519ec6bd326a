"""Every reason that Slurm or our own backend gives has a sentence in both languages, and advice."""

import pytest

from schedulers.reason_advice import ADVICE
from schedulers.reason_texts import TEXTS
from schedulers.reasons import explain, is_known

_NAMES = """
    AccountingPolicy AccountNotAllowed AssocGrpBB AssocGrpBBMinutes AssocGrpBBRunMinutes AssocGrpBilling
    AssocGrpBillingMinutes AssocGrpBillingRunMinutes AssocGrpCpuLimit AssocGrpCPUMinutesLimit
    AssocGrpCPURunMinutesLimit AssocGrpEnergy AssocGrpEnergyMinutes AssocGrpEnergyRunMinutes AssocGrpGRES
    AssocGrpGRESMinutes AssocGrpGRESRunMinutes AssocGrpJobsLimit AssocGrpLicense AssocGrpLicenseMinutes
    AssocGrpLicenseRunMinutes AssocGrpMemLimit AssocGrpMemMinutes AssocGrpMemRunMinutes AssocGrpNodeLimit
    AssocGrpNodeMinutes AssocGrpNodeRunMinutes AssocGrpSubmitJobsLimit AssocGrpWallLimit
    AssociationJobLimit AssociationResourceLimit AssociationTimeLimit AssocMaxBBMinutesPerJob
    AssocMaxBBPerJob AssocMaxBBPerNode AssocMaxBillingMinutesPerJob AssocMaxBillingPerJob
    AssocMaxBillingPerNode AssocMaxCpuMinutesPerJobLimit AssocMaxCpuPerJobLimit AssocMaxCpuPerNode
    AssocMaxEnergyMinutesPerJob AssocMaxEnergyPerJob AssocMaxEnergyPerNode AssocMaxGRESMinutesPerJob
    AssocMaxGRESPerJob AssocMaxGRESPerNode AssocMaxJobsLimit AssocMaxLicenseMinutesPerJob
    AssocMaxLicensePerJob AssocMaxMemMinutesPerJob AssocMaxMemPerJob AssocMaxMemPerNode
    AssocMaxNodeMinutesPerJob AssocMaxNodePerJobLimit AssocMaxSubmitJobLimit AssocMaxWallDurationPerJobLimit
    BadConstraints BeginTime BurstBufferOperation BurstBufferResources BurstBufferStageIn Cleaning DeadLine
    Dependency DependencyNeverSatisfied FrontEndDown InactiveLimit InvalidAccount InvalidQOS
    JobArrayTaskLimit JobHeldAdmin JobHeldUser JobHoldMaxRequeue JobLaunchFailure Licenses MaxBBPerAccount
    MaxBillingPerAccount MaxCpuPerAccount MaxEnergyPerAccount MaxGRESPerAccount MaxJobsPerAccount
    MaxLicensePerAccount MaxMemoryPerAccount MaxMemPerLimit MaxNodePerAccount MaxSubmitJobsPerAccount
    NodeDown None PartitionConfig PartitionDown PartitionInactive PartitionNodeLimit PartitionTimeLimit
    Priority Prolog QOSGrpBB QOSGrpBillingMinutes QOSGrpCpuLimit QOSGrpCPUMinutesLimit
    QOSGrpCPURunMinutesLimit QOSGrpGRES QOSGrpGRESMinutes QOSGrpGRESRunMinutes QOSGrpJobsLimit
    QOSGrpLicense QOSGrpMemLimit QOSGrpMemoryMinutes QOSGrpNodeLimit QOSGrpNodeMinutes
    QOSGrpSubmitJobsLimit QOSGrpWallLimit QOSJobLimit QOSMaxBillingPerUser QOSMaxCpuMinutesPerJobLimit
    QOSMaxCpuPerJobLimit QOSMaxCpuPerNode QOSMaxCpuPerUserLimit QOSMaxGRESMinutesPerJob QOSMaxGRESPerJob
    QOSMaxGRESPerNode QOSMaxGRESPerUser QOSMaxJobsPerUserLimit QOSMaxLicensePerJob QOSMaxLicensePerUser
    QOSMaxMemoryPerJob QOSMaxMemoryPerNode QOSMaxMemoryPerUser QOSMaxNodePerJobLimit QOSMaxNodePerUserLimit
    QOSMaxSubmitJobPerUserLimit QOSMaxWallDurationPerJobLimit QOSMinBilling QOSMinCpuNotSatisfied
    QOSMinGRES QOSMinMemory QOSMinNode QOSNotAllowed QOSResourceLimit QOSTimeLimit QOSUsageThreshold
    ReqNodeNotAvail Reservation ReservationDeleted Resources SchedDefer SystemFailure
"""
SLURM = _NAMES.split()
OURS = ("AssocGrpJobsLimit", "AssocGrpLimit", "PartitionDown", "JobArrayTaskLimit")
PORTAL = (
    "BudgetNotInForce",
    "ForgottenByScheduler",
    "NoClusterAccount",
    "SchedulerUnavailable",
    "WorkspaceUnavailable",
)


@pytest.mark.parametrize("code", [*SLURM, *OURS, *PORTAL])
def test_every_reason_has_a_sentence_and_advice_in_both_languages(code: str) -> None:
    vi, en = explain(code, "vi"), explain(code, "en")
    assert vi.raw == en.raw == code
    assert en.text.endswith(".")
    assert vi.text.endswith(".")
    assert vi.text != en.text
    assert vi.advice != en.advice
    assert en.who == vi.who
    assert en.who in {"nobody", "you", "project", "administrator"}
    assert "  " not in en.text + vi.text


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ("(Priority)", "Priority"),
        ("ReqNodeNotAvail, UnavailableNodes:gpu01", "ReqNodeNotAvail"),
        ("ReqNodeNotAvail,_May_be_reserved_for_other_job", "ReqNodeNotAvail"),
        ("launch_failed_requeued_held", "launch failed requeued held"),
        (
            "Nodes_required_for_job_are_DOWN,_DRAINED_or_reserved_for_jobs_in_higher_priority_partitions",
            "NodeDown",
        ),
        ("Dependency", "Dependency"),
    ],
)
def test_details_and_parentheses_do_not_hide_a_reason(raw: str, code: str) -> None:
    found = explain(raw, "en")
    assert found.raw == raw
    assert found.is_known
    assert found.who == explain(code, "en").who


def test_limits_are_told_apart_by_whose_they_are_and_what_helps() -> None:
    at_once = explain("AssocGrpGRES", "en")
    assert at_once.text == "Your project already uses as many GPUs as it may."
    assert explain("QOSMaxGRESPerUser", "en").text == "You already use as many GPUs as you may."
    assert explain("QOSMaxGRESPerJob", "en").text == "It asks for more GPUs than one job may have."
    spent = explain("AssocGrpBillingMinutes", "en")
    assert spent.text == "What your project has left of its budget quota is not enough for this job."
    assert "more quota" in spent.advice
    assert explain("AssocGrpGRES", "vi").text == "Dự án của bạn đã dùng đủ số GPU được phép."


def test_an_unknown_reason_is_shown_as_it_is() -> None:
    found = explain("SiteSpecific7", "vi")
    assert (found.text, found.who, found.advice) == ("SiteSpecific7", "", "")
    assert not is_known("SiteSpecific7")


def test_no_advice_is_missing_or_idle() -> None:
    named = {advice for _, advice in TEXTS.values()}
    assert named <= ADVICE.keys()
    assert ADVICE.keys() - named <= {"more_quota", "shorter", "own_limit"}

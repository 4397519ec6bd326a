"""Slurm's reasons that name a limit by its parts, such as `QOSMaxGRESPerUser`: 150 codes, six sentences.

Pure. See "resource limits" in Slurm's documentation: an association is a person in a project, a QOS a class
of jobs; Grp limits count what all jobs hold together, Max limits one job, node, person or account.
"""

import re

from schedulers.reason_advice import Text

_LIMIT = re.compile(
    r"^(?P<owner>assoc|qos|)(?P<scope>grp|max|min)"
    r"(?P<resource>cpu|gres|memory|mem|node|license|billing|energy|bb|submitjobs?|jobs?|wallduration|wall)"
    r"s?(?P<rest>notsatisfied|runminutes|minutes|perjob|pernode|peruser|peraccount|minutesperjob|)"
    r"(?P<more>perjob|pernode|peruser|peraccount|)(?:limit)?$"
)
_RESOURCES = {
    "cpu": Text("CPUs", "CPU"),
    "gres": Text("GPUs", "GPU"),
    "mem": Text("memory", "bộ nhớ"),
    "memory": Text("memory", "bộ nhớ"),
    "node": Text("nodes", "nút"),
    "license": Text("licences", "giấy phép phần mềm"),
    "billing": Text("budget", "ngân sách"),
    "energy": Text("energy", "điện năng"),
    "bb": Text("fast storage", "bộ lưu trữ nhanh"),
    "wall": Text("walltime", "thời gian chạy"),
    "wallduration": Text("walltime", "thời gian chạy"),
}
_JOBS = {
    "job": Text("runs as many jobs", "chạy đủ số tác vụ"),
    "submitjob": Text("has as many jobs in the queue", "có đủ số tác vụ trong hàng chờ"),
}


def limit_texts(code: str) -> tuple[Text, str] | None:  # noqa: PLR0911 - one for each sentence
    """The sentence for a limit's code in small letters, and the name of its advice; None for other codes."""
    found = _LIMIT.match(code)
    if found is None:
        return None
    scope, resource = found["scope"], found["resource"]
    rest = found["rest"] + found["more"]
    if resource.removesuffix("s") in _JOBS:
        return _too_many_jobs(_JOBS[resource.removesuffix("s")], rest)
    what = _RESOURCES[resource]
    if "runminutes" in rest:
        return _promised(what), "own_limit"
    if scope == "grp" and ("minutes" in rest or resource == "wall"):
        return _spent(what), "more_quota"
    if scope == "min":
        return _too_little(what), "submit_anew"
    if scope == "max" and rest not in {"peruser", "peraccount"}:
        return _one_job(what), "shorter" if resource.startswith("wall") else "submit_anew"
    return _at_once(what, rest), "own_limit"


def _too_many_jobs(jobs: Text, rest: str) -> tuple[Text, str]:
    owner = _owner(rest)
    return Text(
        f"{owner.en} already {jobs.en} as {_may(rest)}.", f"{owner.vi} đã {jobs.vi} được phép."
    ), "own_limit"


def _at_once(what: Text, rest: str) -> Text:
    owner, many = _owner(rest), "many" if what.en.endswith("s") else "much"
    return Text(
        f"{owner.en} already {'use' if rest == 'peruser' else 'uses'} as {many} {what.en} as {_may(rest)}.",
        f"{owner.vi} đã dùng đủ {'số' if many == 'many' else 'mức'} {what.vi} được phép.",
    )


def _owner(rest: str) -> Text:
    return Text("You", "Bạn") if rest == "peruser" else Text("Your project", "Dự án của bạn")


def _may(rest: str) -> str:
    return "you may" if rest == "peruser" else "it may"


def _promised(what: Text) -> Text:
    return Text(
        f"What runs for your project may still use as much {what.en.removesuffix('s')} time as it may.",
        f"Các tác vụ đang chạy của dự án đã chiếm hết thời gian {what.vi} được phép.",
    )


def _spent(what: Text) -> Text:
    return Text(
        f"What your project has left of its {what.en} quota is not enough for this job.",
        f"Hạn mức {what.vi} còn lại của dự án không đủ cho tác vụ này.",
    )


def _one_job(what: Text) -> Text:
    return Text(
        f"It asks for more {what.en} than one job may have.",
        f"Tác vụ xin nhiều {what.vi} hơn mức cho một tác vụ.",
    )


def _too_little(what: Text) -> Text:
    return Text(
        f"It asks for fewer {what.en} than its QOS requires."
        if what.en.endswith("s")
        else f"It asks for less {what.en} than its QOS requires.",
        f"Tác vụ xin ít {what.vi} hơn mức QOS yêu cầu.",
    )

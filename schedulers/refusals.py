"""What schedulers refuse, in the reader's language: a stored English sentence is one of a closed set; pure.

Both languages stand side by side, as in `reasons`. Slurm's own words are those of its slurm_errno.c; behind
them the portal puts what was asked for. What is not known is shown as it is.
"""

import re
from dataclasses import dataclass
from functools import cached_property

from schedulers.reason_advice import Text
from schedulers.reasons import Language

_FACTS = re.compile(r"(?P<said>.*?) \((?P<facts>(?:partition|account|QOS|user) .+)\)$", re.DOTALL)
_FACT_NAMES = {"partition": "phân vùng", "account": "tài khoản", "QOS": "QOS", "user": "người dùng"}


@dataclass(frozen=True)
class _Sentence:
    """A sentence with {facts}; `text.en` is what schedulers say."""

    text: Text

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        texts_and_names = enumerate(re.split(r"\{(\w+)\}", self.text.en.removesuffix(".")))
        parts = (f"(?P<{part}>.+?)" if place % 2 else re.escape(part) for place, part in texts_and_names)
        return re.compile(f"{''.join(parts)}$")


def say_refusal(raw: str, language: str) -> str:
    """A refusal in words, with the facts that stand in it; several are divided by `; `."""
    if language != Language.VI:
        return raw
    found = _FACTS.match(raw)
    english = found["said"] if found else raw
    said = "; ".join(_in_vietnamese(one).removesuffix(".") for one in english.removesuffix(".").split("; "))
    if said == english.removesuffix("."):
        return raw
    if not found:
        return f"{said}."
    return f"{said} ({', '.join(map(_fact, found['facts'].split(', ')))})"


def _fact(fact: str) -> str:
    name, _, value = fact.partition(" ")
    return f"{_FACT_NAMES.get(name, name)} {value}"


def _in_vietnamese(said: str) -> str:
    for sentence in _SENTENCES:
        if found := sentence.pattern.match(said):
            return sentence.text.vi.format(**found.groupdict())
    return said


_OF_THE_PORTAL = (
    Text("The job is not in the queue any more.", "Tác vụ không còn trong hàng chờ."),
    Text("The job had ended before.", "Tác vụ đã kết thúc trước đó."),
    Text("The job is being cancelled.", "Tác vụ đang được hủy."),
    Text(
        "The cluster has no job {number} that goes on.",
        "Cụm máy không còn tác vụ {number} đang chạy hay chờ.",
    ),
    Text(
        "Partition {name} allows {longest} minutes, not {minutes}.",
        "Phân vùng {name} chỉ cho phép {longest} phút, không phải {minutes} phút.",
    ),
    Text("Partition {name} allows {walltime}.", "Phân vùng {name} chỉ cho phép {walltime}."),
    Text(
        "Slurm took the job for the user {actual} instead of {asked}: the cluster does not know that user. "
        "The job was cancelled.",
        "Slurm nhận tác vụ cho người dùng {actual} thay vì {asked}: cụm máy không biết người dùng này. "
        "Tác vụ đã bị hủy.",
    ),
    Text(
        "The job did not go back into the queue. Slurm's REST interface cannot requeue before API v0.0.45, "
        "so the job's own script has to do it: it may not be requeued, or its node cannot run scontrol.",
        "Tác vụ không trở lại hàng chờ. Giao diện REST của Slurm trước phiên bản v0.0.45 không thể đưa tác "
        "vụ về hàng chờ nên chính script của tác vụ phải làm việc đó: tác vụ không được phép chạy lại, "
        "hoặc nút của nó không chạy được scontrol.",
    ),
)
_OF_SLURM = (
    Text(
        "Invalid account or account/partition combination specified",
        "Tài khoản không hợp lệ, hoặc không được dùng với phân vùng này.",
    ),
    Text("Invalid partition name specified", "Tên phân vùng không hợp lệ."),
    Text("Invalid qos specification", "QOS không hợp lệ."),
    Text("Invalid feature specification", "Đặc tính (constraint) không hợp lệ."),
    Text("Invalid license specification", "Giấy phép phần mềm không hợp lệ."),
    Text("Invalid generic resource (gres) specification", "Tài nguyên GPU (GRES) không hợp lệ."),
    Text("Invalid job array specification", "Mảng tác vụ không hợp lệ."),
    Text("Invalid job id specified", "Slurm không có tác vụ này."),
    Text("Invalid node name specified", "Tên nút không hợp lệ."),
    Text("Access/permission denied", "Không có quyền thực hiện."),
    Text("Access denied to requested reservation", "Không được dùng phần đặt trước này."),
    Text("Requested reservation is invalid", "Phần đặt trước không hợp lệ."),
    Text("Requested reservation not usable now", "Phần đặt trước hiện không dùng được."),
    Text("Circular job dependency", "Các tác vụ phụ thuộc vòng tròn lẫn nhau."),
    Text("Job dependency problem", "Phụ thuộc giữa các tác vụ không hợp lệ."),
    Text("Job is no longer pending execution", "Tác vụ không còn chờ chạy."),
    Text("Job is not pending nor running", "Tác vụ không chờ cũng không chạy."),
    Text("Job/step already completing or completed", "Tác vụ đang kết thúc hoặc đã kết thúc."),
    Text(
        "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)",
        "Tác vụ vượt giới hạn của tài khoản hoặc QOS (số tác vụ được gửi, kích cỡ hoặc thời gian).",
    ),
    Text("MaxJobCount limit reached", "Cụm máy đã đạt số tác vụ tối đa."),
    Text("Memory required by task is not available", "Không có đủ bộ nhớ cho tác vụ."),
    Text("More processors requested than permitted", "Xin nhiều CPU hơn mức cho phép."),
    Text("Node count specification invalid", "Số nút không hợp lệ."),
    Text("Task count specification invalid", "Số tiến trình (ntasks) không hợp lệ."),
    Text("Pathname of a file, directory or other parameter too long", "Đường dẫn hoặc tham số quá dài."),
    Text("Rate limit exceeded, please retry later", "Gửi quá nhanh, hãy thử lại sau."),
    Text("Requested node configuration is not available", "Không có nút nào đáp ứng yêu cầu."),
    Text("Requested operation is presently disabled", "Thao tác này hiện bị tắt trên cụm máy."),
    Text("Requested partition configuration not available now", "Phân vùng hiện không đáp ứng được yêu cầu."),
    Text(
        "Requested time limit is invalid (missing or exceeds some limit)",
        "Giới hạn thời gian không hợp lệ (thiếu, hoặc vượt mức cho phép).",
    ),
    Text("Time limit specification required, but not provided", "Cần nêu giới hạn thời gian."),
    Text(
        "User's group not permitted to use this partition",
        "Nhóm của bạn không được dùng phân vùng.",
    ),
)
_SENTENCES = tuple(map(_Sentence, (*_OF_THE_PORTAL, *_OF_SLURM)))

"""What helps against a reason, and who can do it; see `reason_texts` for the reasons."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Text:
    """One sentence in both languages."""

    en: str
    vi: str


@dataclass(frozen=True, slots=True)
class Advice:
    """Who can change it, and how."""

    who: str
    text: Text


ADVICE = {
    "wait": Advice(
        "nobody",
        Text("It starts by itself as soon as it can.", "Tác vụ sẽ tự chạy ngay khi có thể."),
    ),
    "ask_less": Advice(
        "you",
        Text(
            "Nothing to do; a job that asks for less, or for less time, often starts sooner.",
            "Không cần làm gì; tác vụ xin ít tài nguyên hoặc ít thời gian hơn thường được chạy sớm hơn.",
        ),
    ),
    "release": Advice("you", Text("Release it when it may start.", "Hãy bỏ giữ khi tác vụ có thể chạy.")),
    "administrator_release": Advice(
        "administrator",
        Text(
            "Ask the administrators of the cluster why, and to release it.",
            "Hãy hỏi quản trị viên cụm máy lý do và đề nghị bỏ giữ.",
        ),
    ),
    "submit_anew": Advice(
        "you",
        Text(
            "It will not start like this: cancel it, correct the request and submit it again.",
            "Tác vụ sẽ không chạy được như hiện tại: hãy hủy, sửa yêu cầu rồi gửi lại.",
        ),
    ),
    "shorter": Advice(
        "you",
        Text(
            "Shorten its walltime, or submit it to another partition.",
            "Hãy giảm thời gian chạy, hoặc gửi tác vụ vào phân vùng khác.",
        ),
    ),
    "ask_tenant": Advice(
        "administrator",
        Text(
            "The project's page says why. It goes on when the suspension ends; or cancel it.",
            "Trang của dự án cho biết lý do. Tác vụ sẽ đi tiếp khi hết tạm ngưng; hoặc bạn có thể hủy.",
        ),
    ),
    "own_limit": Advice(
        "project",
        Text(
            "It starts when other jobs of your project end; your project's lead can ask for a higher limit.",
            "Tác vụ sẽ chạy khi tác vụ khác của dự án kết thúc; trưởng dự án có thể xin nâng giới hạn.",
        ),
    ),
    "throttle": Advice(
        "you",
        Text(
            "The next task starts when one of them ends; the number after % in the array sets how many.",
            "Tác vụ con tiếp theo chạy khi có tác vụ con kết thúc; số sau dấu % của mảng là số lượng tối đa.",
        ),
    ),
    "more_quota": Advice(
        "project",
        Text(
            "Your project's lead can request more quota; a shorter walltime needs less.",
            "Trưởng dự án có thể xin thêm hạn mức; thời gian chạy ngắn hơn thì cần ít hơn.",
        ),
    ),
    "administrator": Advice(
        "administrator",
        Text(
            "Ask the administrators of the cluster; the job stays in the queue.",
            "Hãy báo quản trị viên cụm máy; tác vụ vẫn ở trong hàng chờ.",
        ),
    ),
    "administrator_decides": Advice(
        "administrator",
        Text(
            "The administrators look whether the cluster has it; until they decide it is not sent again.",
            "Quản trị viên sẽ kiểm tra cụm máy rồi quyết định; trước đó tác vụ không được gửi lại.",
        ),
    ),
    "other_job": Advice(
        "you",
        Text(
            "Look at the jobs that it comes after; cancel it if they cannot end as required.",
            "Hãy xem các tác vụ đứng trước nó; hủy tác vụ này nếu chúng không thể kết thúc như yêu cầu.",
        ),
    ),
}

"""The words of every kind of notice, in Vietnamese and English: for pages, commands and mails alike."""

from collections.abc import Mapping

from hpc_portal.app.notices.account_texts import ACCOUNT_TEXTS
from hpc_portal.app.notices.kinds import NoticeKind
from hpc_portal.app.notices.words import NoticeText, Words

_REQUEST = "/requests/{request_id}"
_JOB = "/jobs/{job_id}"
_QUOTA = "/quota"

TEXTS: Mapping[NoticeKind, NoticeText] = {
    **ACCOUNT_TEXTS,
    NoticeKind.REQUEST_SUBMITTED: NoticeText(
        vi=Words(
            "%(project)s đề nghị cấp hạn mức",
            "%(by)s đề nghị cho dự án %(project)s: %(lines)s. Mục đích: %(purpose)s",
        ),
        en=Words(
            "%(project)s asks for quota", "%(by)s asks for %(project)s: %(lines)s. Purpose: %(purpose)s"
        ),
        path=_REQUEST,
    ),
    NoticeKind.REQUEST_UNDER_REVIEW: NoticeText(
        vi=Words("Đề nghị của %(project)s đang được xét", "%(by)s đã bắt đầu xét đề nghị."),
        en=Words("The request of %(project)s is under review", "%(by)s has started to review it."),
        path=_REQUEST,
    ),
    NoticeKind.REQUEST_APPROVED: NoticeText(
        vi=Words(
            "Đề nghị của %(project)s đã được duyệt",
            "Được cấp: %(lines)s, cho thời gian đã duyệt. %(message)s",
        ),
        en=Words(
            "The request of %(project)s was approved",
            "Granted: %(lines)s, for the period approved. %(message)s",
        ),
        path=_REQUEST,
    ),
    NoticeKind.REQUEST_PARTLY_APPROVED: NoticeText(
        vi=Words("Đề nghị của %(project)s được duyệt một phần", "Được cấp: %(lines)s. Lý do: %(message)s"),
        en=Words("The request of %(project)s was approved partly", "Granted: %(lines)s. Why: %(message)s"),
        path=_REQUEST,
    ),
    NoticeKind.REQUEST_DENIED: NoticeText(
        vi=Words("Đề nghị của %(project)s bị từ chối", "Lý do: %(message)s"),
        en=Words("The request of %(project)s was denied", "Why: %(message)s"),
        path=_REQUEST,
    ),
    NoticeKind.REQUEST_RETURNED: NoticeText(
        vi=Words("Cần bổ sung cho đề nghị của %(project)s", "%(by)s hỏi: %(message)s"),
        en=Words("A question about the request of %(project)s", "%(by)s asks: %(message)s"),
        path=_REQUEST,
    ),
    NoticeKind.REQUEST_WITHDRAWN: NoticeText(
        vi=Words("%(project)s đã rút đề nghị", "%(by)s đã rút đề nghị. %(message)s"),
        en=Words("%(project)s withdrew its request", "%(by)s withdrew it. %(message)s"),
        path=_REQUEST,
    ),
    NoticeKind.TENANT_SUSPENDED: NoticeText(
        vi=Words(
            "%(tenant)s bị tạm ngưng",
            "%(by)s đã tạm ngưng %(tenant)s: không gửi được tác vụ mới, tác vụ đang chạy vẫn tiếp tục "
            "trừ khi bị hủy. Lý do: %(reason)s",
        ),
        en=Words(
            "%(tenant)s is suspended",
            "%(by)s suspended %(tenant)s: it submits no jobs; what runs goes on unless it was cancelled. "
            "Reason: %(reason)s",
        ),
        path="/quota",
    ),
    NoticeKind.TENANT_RESUMED: NoticeText(
        vi=Words("%(tenant)s hoạt động trở lại", "%(by)s đã cho %(tenant)s gửi tác vụ trở lại. %(reason)s"),
        en=Words("%(tenant)s may submit again", "%(by)s resumed %(tenant)s. %(reason)s"),
        path="/quota",
    ),
    NoticeKind.TENANT_CLOSED: NoticeText(
        vi=Words(
            "%(tenant)s đã đóng",
            "%(by)s đã đóng hẳn %(tenant)s. Tác vụ và số liệu cũ vẫn xem được. Lý do: %(reason)s",
        ),
        en=Words(
            "%(tenant)s is closed",
            "%(by)s closed %(tenant)s for good. Its jobs and figures can still be read. Reason: %(reason)s",
        ),
        path="/quota",
    ),
    NoticeKind.INVITATION: NoticeText(
        vi=Words(
            "Lời mời tham gia %(place)s trên cổng HPC Đà Nẵng",
            "%(by)s mời bạn tham gia %(place)s trên cổng tính toán hiệu năng cao của Đà Nẵng. Mở liên kết "
            "sau để nhận lời mời (có hiệu lực đến %(expires_at)s, chỉ dùng được một lần):\n\n%(link)s\n\n"
            "Nếu bạn không biết việc này, cứ bỏ qua email này: sẽ không có gì xảy ra.",
        ),
        en=Words(
            "Invitation to %(place)s on the HPC portal of Da Nang",
            "%(by)s invites you to %(place)s on the high-performance computing portal of Da Nang. Open this "
            "link to accept (good until %(expires_at)s, and only once):\n\n%(link)s\n\n"
            "If you do not know what this is about, ignore this mail: nothing will happen.",
        ),
    ),
    NoticeKind.LEADERSHIP_HANDED_OVER: NoticeText(
        vi=Words(
            "%(tenant)s có người phụ trách mới",
            "%(by)s đã chuyển vai trò phụ trách %(tenant)s từ %(former)s sang %(successor)s.",
        ),
        en=Words(
            "%(tenant)s has a new lead",
            "%(by)s handed %(tenant)s over from %(former)s to %(successor)s.",
        ),
        path="/quota",
    ),
    NoticeKind.SEAT_GIVEN: NoticeText(
        vi=Words(
            "Bạn được cấp hạn mức trong lớp %(class_name)s",
            "%(by)s đã cấp cho bạn dự án %(project)s: %(lines)s, dùng đến %(ends_at)s.",
        ),
        en=Words(
            "You have a budget in the class %(class_name)s",
            "%(by)s gave you the project %(project)s: %(lines)s, until %(ends_at)s.",
        ),
        path="/quota",
    ),
    NoticeKind.CLASS_ENDED: NoticeText(
        vi=Words(
            "Lớp %(class_name)s đã kết thúc",
            "Dự án của sinh viên đã đóng; hạn mức còn lại về dự án %(project)s: %(lines)s. Phần đang giữ cho "
            "tác vụ còn chạy sẽ về sau.",
        ),
        en=Words(
            "The class %(class_name)s is over",
            "The students' projects are closed; what was left went back to %(project)s: %(lines)s. What is "
            "still held for running jobs follows when they end.",
        ),
        path="/classes/{class_id}",
    ),
    NoticeKind.JOB_STARTED: NoticeText(
        vi=Words("Tác vụ %(job)s đã bắt đầu chạy", "Dự án %(project)s, lúc %(started_at)s."),
        en=Words("Job %(job)s has started", "Project %(project)s, at %(started_at)s."),
        path=_JOB,
    ),
    NoticeKind.JOB_ENDED: NoticeText(
        vi=Words(
            "Tác vụ %(job)s đã kết thúc: %(state)s",
            "Dự án %(project)s. Thời gian chạy %(took)s, %(completed)s/%(tasks)s tác vụ con hoàn thành, "
            "chi phí %(cost_vnd)s.",
        ),
        en=Words(
            "Job %(job)s has ended: %(state)s",
            "Project %(project)s. It ran for %(took)s, %(completed)s of %(tasks)s tasks completed, "
            "it cost %(cost_vnd)s.",
        ),
        path=_JOB,
    ),
    NoticeKind.JOB_FAILED: NoticeText(
        vi=Words(
            "Tác vụ %(job)s không thành công: %(state)s",
            "%(reason)s Dự án %(project)s. Thời gian chạy %(took)s, %(completed)s/%(tasks)s tác vụ con "
            "hoàn thành, chi phí %(cost_vnd)s.",
        ),
        en=Words(
            "Job %(job)s has failed: %(state)s",
            "%(reason)s Project %(project)s. It ran for %(took)s, %(completed)s of %(tasks)s tasks "
            "completed, it cost %(cost_vnd)s.",
        ),
        path=_JOB,
    ),
    NoticeKind.JOB_NEAR_END: NoticeText(
        vi=Words(
            "Tác vụ %(job)s sắp hết thời gian",
            "Dự án %(project)s. Tác vụ sẽ bị dừng lúc %(stops_at)s, khi hết thời gian tối đa %(walltime)s. "
            "Nếu cần chạy lâu hơn, hãy gia hạn ngay trên trang của tác vụ.",
        ),
        en=Words(
            "Job %(job)s is near its time limit",
            "Project %(project)s. It is stopped at %(stops_at)s, when its time limit of %(walltime)s is "
            "over. If it needs longer, extend it now on the job's page.",
        ),
        path=_JOB,
    ),
    NoticeKind.CAMPAIGN_FINISHED: NoticeText(
        vi=Words(
            "Đợt chạy %(job)s đã xong: %(completed)s/%(tasks)s tác vụ con hoàn thành",
            "Dự án %(project)s. %(failed)s tác vụ con không thành công. Thời gian chạy %(took)s, chi phí "
            "%(cost_vnd)s.",
        ),
        en=Words(
            "Campaign %(job)s has finished: %(completed)s of %(tasks)s tasks completed",
            "Project %(project)s. %(failed)s tasks did not. It ran for %(took)s, it cost %(cost_vnd)s.",
        ),
        path="/campaigns/{campaign_id}",
    ),
    NoticeKind.WEBHOOK_TEST: NoticeText(
        vi=Words("Thử webhook", "%(by)s gửi thông báo này để thử webhook."),
        en=Words("A test of your webhook", "%(by)s sent this to try the webhook out."),
        path="/settings",
    ),
    NoticeKind.WEBHOOK_DISABLED: NoticeText(
        vi=Words(
            "Webhook của bạn đã bị tắt",
            "%(host)s không nhận được thông báo nào từ %(since_at)s (%(failures)s lần thử). Lần cuối: "
            "%(problem)s. Hãy sửa rồi bật lại trong phần cài đặt.",
        ),
        en=Words(
            "Your webhook was switched off",
            "%(host)s has taken no notice since %(since_at)s (tried %(failures)s times). The last time: "
            "%(problem)s. Mend it, and switch it on again in the settings.",
        ),
        path="/settings",
    ),
    NoticeKind.DIGEST: NoticeText(
        vi=Words("%(count)s thông báo từ cổng HPC Đà Nẵng", ""),
        en=Words("Notices from the HPC portal of Da Nang: %(count)s", ""),
        path="/notices",
    ),
    NoticeKind.PRICES_PUBLISHED: NoticeText(
        vi=Words(
            "Bảng giá số %(version)s đã được công bố",
            "Áp dụng từ %(valid_from_at)s; %(changes)s mức giá thay đổi. Tác vụ đã tạm giữ ngân sách "
            "vẫn tính theo giá cũ.",
        ),
        en=Words(
            "Version %(version)s of the prices was published",
            "It applies from %(valid_from_at)s; %(changes)s prices change. Jobs whose budget is held already "
            "keep the old ones.",
        ),
        path="/prices",
    ),
    NoticeKind.REFUND_RAISED: NoticeText(
        vi=Words(
            "Đề nghị hoàn phí cho tác vụ %(job)s",
            "%(by)s (dự án %(project)s) đề nghị hoàn %(percent)s%% chi phí. Lý do: %(reason)s",
        ),
        en=Words(
            "A refund is asked for job %(job)s",
            "%(by)s (project %(project)s) asks to get back %(percent)s%% of the charge. Why: %(reason)s",
        ),
        path="/refunds",
    ),
    NoticeKind.REFUND_APPROVED: NoticeText(
        vi=Words("Đã hoàn phí cho tác vụ %(job)s", "Đã hoàn %(percent)s%%: %(lines)s. %(reason)s"),
        en=Words("Job %(job)s was refunded", "%(percent)s%% came back: %(lines)s. %(reason)s"),
        path=_JOB,
    ),
    NoticeKind.REFUND_PARTLY_APPROVED: NoticeText(
        vi=Words(
            "Đã hoàn một phần phí cho tác vụ %(job)s", "Đã hoàn %(percent)s%%: %(lines)s. Lý do: %(reason)s"
        ),
        en=Words("Job %(job)s was refunded partly", "%(percent)s%% came back: %(lines)s. Why: %(reason)s"),
        path=_JOB,
    ),
    NoticeKind.REFUND_DENIED: NoticeText(
        vi=Words("Không hoàn phí cho tác vụ %(job)s", "Lý do: %(reason)s"),
        en=Words("Job %(job)s is not refunded", "Why: %(reason)s"),
        path=_JOB,
    ),
    NoticeKind.ALLOCATION_SUSPENDED: NoticeText(
        vi=Words(
            "Một đợt cấp của %(project)s bị tạm ngưng",
            "Không trả cho tác vụ mới; tác vụ đã giữ ngân sách vẫn chạy hết. Lý do: %(reason)s",
        ),
        en=Words(
            "A budget of %(project)s is suspended",
            "It pays for no new job; jobs that hold a part of it run to their end. Why: %(reason)s",
        ),
        path=_QUOTA,
    ),
    NoticeKind.ALLOCATION_RESUMED: NoticeText(
        vi=Words("Một đợt cấp của %(project)s dùng lại được", "%(reason)s"),
        en=Words("A budget of %(project)s can be used again", "%(reason)s"),
        path=_QUOTA,
    ),
    NoticeKind.ALLOCATION_CLOSED: NoticeText(
        vi=Words("Một đợt cấp của %(project)s đã đóng", "Lý do: %(reason)s"),
        en=Words("A budget of %(project)s was closed", "Why: %(reason)s"),
        path=_QUOTA,
    ),
    NoticeKind.ALLOCATION_INCREASED: NoticeText(
        vi=Words("Hạn mức của %(project)s được tăng", "Thêm %(lines)s. %(reason)s"),
        en=Words("A budget of %(project)s was increased", "%(lines)s more. %(reason)s"),
        path=_QUOTA,
    ),
    NoticeKind.ALLOCATION_REDUCED: NoticeText(
        vi=Words("Hạn mức của %(project)s bị giảm", "Thu lại %(lines)s chưa dùng. Lý do: %(reason)s"),
        en=Words(
            "A budget of %(project)s was reduced", "%(lines)s, not used, were taken back. Why: %(reason)s"
        ),
        path=_QUOTA,
    ),
    NoticeKind.ALLOCATION_EXTENDED: NoticeText(
        vi=Words("Hạn mức của %(project)s được gia hạn", "Dùng được đến %(valid_to_at)s. %(reason)s"),
        en=Words("A budget of %(project)s was extended", "It can be used until %(valid_to_at)s. %(reason)s"),
        path=_QUOTA,
    ),
    NoticeKind.BUDGET_CARRIED_OVER: NoticeText(
        vi=Words("Ngân sách của %(project)s được chuyển sang kỳ mới", "%(lines)s. %(reason)s"),
        en=Words("Budget of %(project)s was carried over", "%(lines)s. %(reason)s"),
        path=_QUOTA,
    ),
    NoticeKind.ALLOCATION_ENDS_SOON: NoticeText(
        vi=Words(
            "Hạn mức của %(project)s sắp hết hạn: còn %(days)s ngày",
            "Hết hạn %(valid_to_at)s; còn lại: %(lines)s. Phần chưa dùng sẽ mất: hãy đề nghị cấp tiếp nếu "
            "cần.",
        ),
        en=Words(
            "A budget of %(project)s ends soon, days left: %(days)s",
            "It ends %(valid_to_at)s; left: %(lines)s. What is not used expires: ask for a renewal if you "
            "need it.",
        ),
        path=_QUOTA,
    ),
    NoticeKind.ALLOCATION_ENDED: NoticeText(
        vi=Words(
            "Một đợt cấp của %(project)s đã hết hạn",
            "Phần không dùng: %(lines)s. Tác vụ đã giữ ngân sách vẫn chạy hết.",
        ),
        en=Words(
            "A budget of %(project)s has ended",
            "Not used: %(lines)s. Jobs that hold a part of it run to their end.",
        ),
        path=_QUOTA,
    ),
    NoticeKind.BUDGET_USED: NoticeText(
        vi=Words(
            "%(project)s đã dùng %(percent)s%% một đợt cấp",
            "Còn lại: %(lines)s, dùng được đến %(valid_to_at)s.",
        ),
        en=Words("%(project)s has used %(percent)s%% of a budget", "Left: %(lines)s, until %(valid_to_at)s."),
        path=_QUOTA,
    ),
    NoticeKind.STORAGE_USED: NoticeText(
        vi=Words(
            "%(project)s đã dùng %(percent)s%% dung lượng lưu trữ",
            "Đang chiếm %(used_bytes)s trên %(lines)s được cấp (đo lúc %(measured_at)s). Khi dùng hết, dự án "
            "không gửi được tác vụ mới. Hãy xóa tệp không cần nữa, hoặc đề nghị cấp thêm.",
        ),
        en=Words(
            "%(project)s has used %(percent)s%% of its storage",
            "%(used_bytes)s of %(lines)s are taken (measured at %(measured_at)s). Once it is full, no new "
            "job can be submitted. Delete what nobody needs, or ask for more.",
        ),
        path="/projects/{project}",
    ),
    NoticeKind.STORAGE_FULL: NoticeText(
        vi=Words(
            "%(project)s đã dùng hết dung lượng lưu trữ",
            "Đang chiếm %(used_bytes)s, được cấp %(lines)s (đo lúc %(measured_at)s). Tác vụ đang chạy và "
            "đang chờ vẫn tiếp tục; phải xóa bớt tệp hoặc được cấp thêm thì mới gửi được tác vụ mới.",
        ),
        en=Words(
            "The storage of %(project)s is full",
            "%(used_bytes)s are taken, %(lines)s are granted (measured at %(measured_at)s). Jobs that run or "
            "wait go on; new ones are refused until files are deleted or more is granted.",
        ),
        path="/projects/{project}",
    ),
}
"""Every kind has its words; a test compares the facts that both languages name."""

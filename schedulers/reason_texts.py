"""The sentences of `reasons`: what each code means."""

from typing import TypeAlias

from schedulers.reason_advice import Text

Meaning: TypeAlias = tuple[Text, str]
"""What a code means, and the name of the advice that goes with it."""

TEXTS: dict[str, Meaning] = {
    # Nothing is wrong
    "Priority": (
        Text(
            "Jobs ahead of it in the queue start first.", "Các tác vụ xếp trước trong hàng chờ sẽ chạy trước."
        ),
        "wait",
    ),
    "Resources": (
        Text(
            "Waiting until enough CPUs, memory or GPUs are free.", "Đang chờ đủ CPU, bộ nhớ hoặc GPU trống."
        ),
        "ask_less",
    ),
    "Licenses": (
        Text("Waiting for a free licence.", "Đang chờ giấy phép phần mềm trống."),
        "wait",
    ),
    "LicensesReserved": (
        Text(
            "The licences that are free are kept for other projects.",
            "Các giấy phép còn trống được dành cho dự án khác.",
        ),
        "wait",
    ),
    "None": (
        Text("The scheduler has not looked at it yet.", "Bộ lập lịch chưa xét tới tác vụ này."),
        "wait",
    ),
    "SchedDefer": (
        Text("The scheduler will look at it in its next round.", "Bộ lập lịch sẽ xét tác vụ ở lượt sau."),
        "wait",
    ),
    "BeginTime": (Text("It may start only later.", "Tác vụ chỉ được bắt đầu sau."), "wait"),
    "Cleaning": (
        Text("Its last run is still being cleaned up.", "Lần chạy trước đang được dọn dẹp."),
        "wait",
    ),
    "Prolog": (
        Text("Its nodes are being prepared for it.", "Các nút đang được chuẩn bị cho tác vụ."),
        "wait",
    ),
    "BurstBufferResources": (
        Text("Waiting for space on the fast storage.", "Đang chờ chỗ trống trên bộ lưu trữ nhanh."),
        "wait",
    ),
    "BurstBufferStageIn": (
        Text(
            "Its input is being copied to the fast storage.",
            "Dữ liệu vào đang được chép lên bộ lưu trữ nhanh.",
        ),
        "wait",
    ),
    "BurstBufferOperation": (
        Text("Copying from or to the fast storage failed.", "Chép dữ liệu với bộ lưu trữ nhanh bị lỗi."),
        "administrator",
    ),
    "Reservation": (
        Text("Waiting for its reservation to begin.", "Đang chờ đến lúc phần đặt trước bắt đầu."),
        "wait",
    ),
    "JobArrayTaskLimit": (
        Text(
            "As many of its tasks run at once as it allows.",
            "Số tác vụ con chạy cùng lúc đã đạt mức mà tác vụ cho phép.",
        ),
        "throttle",
    ),
    "Dependency": (
        Text("Waiting for other jobs to end.", "Đang chờ các tác vụ khác kết thúc."),
        "wait",
    ),
    # Somebody holds it
    "JobHeldUser": (
        Text("It is held and starts only when released.", "Tác vụ đang bị giữ, chỉ chạy khi được bỏ giữ."),
        "release",
    ),
    "JobHeldAdmin": (
        Text("An administrator of the cluster holds it.", "Quản trị viên cụm máy đang giữ tác vụ này."),
        "administrator_release",
    ),
    "JobHoldMaxRequeue": (
        Text(
            "It was put back into the queue too often, and is held now.",
            "Tác vụ bị đưa lại hàng chờ quá nhiều lần nên đang bị giữ.",
        ),
        "administrator_release",
    ),
    "JobLaunchFailure": (
        Text("A node could not start it.", "Một nút không khởi động được tác vụ."),
        "administrator_release",
    ),
    "launch failed requeued held": (
        Text(
            "A node could not start it; it is back in the queue, and held.",
            "Một nút không khởi động được tác vụ; tác vụ trở lại hàng chờ và đang bị giữ.",
        ),
        "administrator_release",
    ),
    # It cannot start like this
    "DependencyNeverSatisfied": (
        Text(
            "A job that it depends on did not end as required: it can never start.",
            "Một tác vụ mà nó phụ thuộc không kết thúc như yêu cầu: tác vụ sẽ không bao giờ chạy.",
        ),
        "other_job",
    ),
    "BadConstraints": (
        Text("No node has what it asks for.", "Không có nút nào đáp ứng yêu cầu của tác vụ."),
        "submit_anew",
    ),
    "PartitionNodeLimit": (
        Text(
            "It asks for more or fewer nodes than its partition gives a job.",
            "Tác vụ xin số nút nằm ngoài mức phân vùng cho phép.",
        ),
        "submit_anew",
    ),
    "PartitionTimeLimit": (
        Text(
            "Its walltime is longer than its partition allows.",
            "Thời gian chạy dài hơn mức phân vùng cho phép.",
        ),
        "shorter",
    ),
    "PartitionConfig": (
        Text("Its partition does not take jobs like this one.", "Phân vùng không nhận loại tác vụ này."),
        "submit_anew",
    ),
    "AssociationTimeLimit": (
        Text(
            "Its walltime is longer than your project may ask for.",
            "Thời gian chạy dài hơn mức dự án được xin.",
        ),
        "shorter",
    ),
    "QOSTimeLimit": (
        Text("Its walltime is longer than its QOS allows.", "Thời gian chạy dài hơn mức QOS cho phép."),
        "shorter",
    ),
    "MaxMemPerLimit": (
        Text(
            "It asks for more memory than one job may have.",
            "Tác vụ xin nhiều bộ nhớ hơn mức cho một tác vụ.",
        ),
        "submit_anew",
    ),
    "DeadLine": (
        Text("It cannot finish before its deadline any more.", "Tác vụ không còn kịp xong trước hạn chót."),
        "submit_anew",
    ),
    "InvalidAccount": (
        Text("The cluster does not know the project that pays.", "Cụm máy không biết dự án trả phí."),
        "administrator",
    ),
    "AccountNotAllowed": (
        Text("Your project may not use this partition.", "Dự án của bạn không được dùng phân vùng này."),
        "submit_anew",
    ),
    "InvalidQOS": (
        Text("Its QOS does not exist or is not yours to use.", "QOS không tồn tại hoặc bạn không được dùng."),
        "submit_anew",
    ),
    "QOSNotAllowed": (
        Text("Its QOS may not be used in this partition.", "QOS này không được dùng trong phân vùng."),
        "submit_anew",
    ),
    "ReservationDeleted": (
        Text("The reservation that it names is gone.", "Phần đặt trước mà tác vụ nêu không còn nữa."),
        "submit_anew",
    ),
    "InactiveLimit": (
        Text("It showed no activity for too long.", "Tác vụ không hoạt động quá lâu."),
        "submit_anew",
    ),
    # Something is down
    "ReqNodeNotAvail": (
        Text(
            "The nodes that it needs are down or reserved.",
            "Các nút cần dùng đang ngừng hoạt động hoặc đã được đặt trước.",
        ),
        "administrator",
    ),
    "Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions": (
        Text(
            "The nodes that it needs are down or reserved.",
            "Các nút cần dùng đang ngừng hoạt động hoặc đã được đặt trước.",
        ),
        "administrator",
    ),
    "NodeDown": (
        Text("The nodes that it needs are down.", "Các nút cần dùng đang ngừng hoạt động."),
        "administrator",
    ),
    "PartitionDown": (
        Text("Its partition takes no jobs now.", "Phân vùng của tác vụ hiện không nhận tác vụ."),
        "administrator",
    ),
    "PartitionInactive": (
        Text("Its partition is switched off.", "Phân vùng của tác vụ đang bị tắt."),
        "administrator",
    ),
    "FrontEndDown": (
        Text("A machine that starts jobs is down.", "Máy khởi động tác vụ đang ngừng hoạt động."),
        "administrator",
    ),
    "SystemFailure": (
        Text("The cluster had a failure of its own.", "Cụm máy gặp sự cố."),
        "administrator",
    ),
    "SchedulerUnavailable": (
        Text(
            "The scheduler does not answer; the portal keeps trying.",
            "Bộ lập lịch không trả lời; cổng vẫn tiếp tục thử.",
        ),
        "wait",
    ),
    "UnreadableRecord": (
        Text(
            "The portal cannot read what the cluster says of this job: it may have it or not.",
            "Cổng không đọc được thông tin từ cụm máy nên chưa biết tác vụ này đã được nhận hay chưa.",
        ),
        "administrator_decides",
    ),
    "WorkspaceUnavailable": (
        Text(
            "The portal cannot write the folder of this job now; it keeps trying.",
            "Cổng hiện chưa ghi được thư mục của tác vụ này; cổng vẫn tiếp tục thử.",
        ),
        "administrator",
    ),
    "BudgetNotInForce": (
        Text(
            "The cluster does not know the budget of this job yet; that takes a few seconds.",
            "Cụm máy chưa biết ngân sách của tác vụ này; việc đó mất vài giây.",
        ),
        "wait",
    ),
    "ForgottenByScheduler": (
        Text(
            "The scheduler does not know this job any more; what it cannot account for was not charged.",
            "Bộ lập lịch không còn biết tác vụ này; phần không thống kê được thì không bị tính phí.",
        ),
        "administrator",
    ),
    "TenantStopped": (
        Text(
            "The project or its organisation is suspended: what the portal has not handed to the cluster "
            "yet waits.",
            "Dự án hoặc đơn vị đang bị tạm ngưng: tác vụ chưa chuyển cho cụm máy thì phải chờ.",
        ),
        "ask_tenant",
    ),
    "NoClusterAccount": (
        Text(
            "Whoever submitted it has no account on this cluster any more.",
            "Người gửi không còn tài khoản trên cụm này.",
        ),
        "administrator",
    ),
    # Limits without a resource in their name; the others are in limit_reasons.py
    "AccountingPolicy": (
        Text("A limit of your project or QOS is reached.", "Đã chạm một giới hạn của dự án hoặc QOS."),
        "own_limit",
    ),
    "AssocGrpLimit": (
        Text(
            "Your project already uses as much at once as it may.",
            "Dự án của bạn đã dùng đủ mức được phép cùng lúc.",
        ),
        "own_limit",
    ),
    "AssociationJobLimit": (
        Text(
            "Your project already runs as many jobs as it may.",
            "Dự án của bạn đã chạy đủ số tác vụ được phép.",
        ),
        "own_limit",
    ),
    "AssociationResourceLimit": (
        Text(
            "Your project already uses as much at once as it may.",
            "Dự án của bạn đã dùng đủ mức được phép cùng lúc.",
        ),
        "own_limit",
    ),
    "QOSJobLimit": (
        Text("Its QOS already runs as many jobs as it may.", "QOS này đã chạy đủ số tác vụ được phép."),
        "own_limit",
    ),
    "QOSResourceLimit": (
        Text("Its QOS already uses as much at once as it may.", "QOS này đã dùng đủ mức được phép cùng lúc."),
        "own_limit",
    ),
    "QOSUsageThreshold": (
        Text(
            "Your project has used the cluster too much lately for this QOS.",
            "Gần đây dự án đã dùng cụm máy quá nhiều so với mức của QOS này.",
        ),
        "wait",
    ),
}
"""By code. The advice is a key of ADVICE."""

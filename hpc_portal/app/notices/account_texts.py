"""The words of notices about one's own account: its e-mail address, its password, its one-time codes."""

from collections.abc import Mapping

from hpc_portal.app.notices.kinds import NoticeKind
from hpc_portal.app.notices.words import NoticeText, Words

ACCOUNT_TEXTS: Mapping[NoticeKind, NoticeText] = {
    NoticeKind.EMAIL_TO_CONFIRM: NoticeText(
        vi=Words(
            "Xác nhận địa chỉ email cho tài khoản %(username)s",
            "Có người muốn dùng địa chỉ này cho tài khoản %(username)s trên cổng HPC Đà Nẵng. Nếu là bạn, "
            "hãy mở liên kết sau và xác nhận (có hiệu lực đến %(expires_at)s, chỉ dùng được một lần):\n\n"
            "%(link)s\n\nNếu không phải bạn, cứ bỏ qua email này: sẽ không có gì thay đổi.",
        ),
        en=Words(
            "Confirm the e-mail address of the account %(username)s",
            "Somebody wants this address for the account %(username)s on the HPC portal of Da Nang. If that "
            "is you, open this link and confirm (good until %(expires_at)s, and only once):\n\n%(link)s\n\n"
            "If it is not, ignore this mail: nothing will change.",
        ),
    ),
    NoticeKind.EMAIL_CHANGED: NoticeText(
        vi=Words(
            "Tài khoản %(username)s đã đổi địa chỉ email",
            "Từ nay thư của tài khoản %(username)s trên cổng HPC Đà Nẵng được gửi đến %(email)s, không gửi "
            "đến địa chỉ này nữa. Nếu không phải bạn đổi, hãy báo ngay cho quản trị viên của thành phố.",
        ),
        en=Words(
            "The e-mail address of the account %(username)s has changed",
            "From now on mail for the account %(username)s on the HPC portal of Da Nang goes to %(email)s "
            "and no longer here. If it was not you who changed it, tell the city's administrators at once.",
        ),
    ),
    NoticeKind.SECOND_FACTOR_RESET: NoticeText(
        vi=Words(
            "Mã dùng một lần của bạn đã được gỡ",
            "%(by)s đã gỡ mã dùng một lần của bạn và đăng xuất bạn khỏi mọi trình duyệt. Lý do: %(reason)s. "
            "Hãy đăng nhập bằng mật khẩu và thiết lập lại mã. Nếu không phải bạn yêu cầu, hãy đổi mật khẩu "
            "ngay và báo cho trung tâm.",
        ),
        en=Words(
            "Your one-time codes were taken away",
            "%(by)s took your one-time codes away and signed you out of every browser. Reason: %(reason)s. "
            "Sign in with your password and set them up anew. If you did not ask for this, change your "
            "password at once and tell the centre.",
        ),
        path="/settings#second-factor",
    ),
    NoticeKind.PASSWORD_RESET: NoticeText(
        vi=Words(
            "Mật khẩu của bạn đã được đặt lại",
            "%(by)s đã đặt mật khẩu khác cho bạn và đăng xuất bạn khỏi mọi trình duyệt. Hãy đăng nhập bằng "
            "mật khẩu mới nhận được rồi tự đổi lại. Nếu không phải bạn yêu cầu, hãy báo ngay cho trung tâm.",
        ),
        en=Words(
            "Your password was reset",
            "%(by)s set another password for you and signed you out of every browser. Sign in with the one "
            "that you were given, and change it. If you did not ask for this, tell the centre at once.",
        ),
        path="/settings#password",
    ),
}

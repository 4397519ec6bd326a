"""What no form takes with which administrators take somebody on, and what is said of it in both languages."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from schedulers.units import CITY_TIME

SLURM = "slurm"
DAY = datetime.now(CITY_TIME).date()
LAST = str(DAY + timedelta(days=90))
GRANT = {"project": "chips", "from_day": str(DAY), "last_day": LAST, "purpose": "the first"}
PERSON = {"username": "hoa", "display_name": "Lê Hoa", "organisation": "chips-org", "role": "member"}
OFFERED = ("Choose one of the offered values.", "Hãy chọn một trong các giá trị có sẵn.")

REFUSED: tuple[tuple[str, Mapping[str, str], str, str, str], ...] = (
    (
        "/admin/organisations",
        {"slug": "chips-org", "name": "Another", "kind": "startup"},
        "slug",
        "chips-org is taken. Choose another name.",
        "Tên chips-org đã có người dùng. Hãy chọn tên khác.",
    ),
    (
        "/admin/organisations",
        {"slug": "Đại học", "name": "Another", "kind": "startup"},
        "slug",
        "Use 2 to 40 lower-case letters, digits and hyphens; begin with a letter.",
        "Dùng 2 đến 40 chữ thường, chữ số và gạch nối; bắt đầu bằng chữ.",
    ),
    (
        "/admin/organisations",
        {"slug": "another", "name": "Another", "kind": "club"},
        "kind",
        *OFFERED,
    ),
    (
        "/admin/projects",
        {"organisation": "chips-org", "account": "rivals", "name": "Another", "lead": ""},
        "account",
        "rivals is taken. Choose another name.",
        "Tên rivals đã có người dùng. Hãy chọn tên khác.",
    ),
    (
        "/admin/projects",
        {"organisation": "chips-org", "account": "../up", "name": "Another", "lead": ""},
        "account",
        "Use 2 to 40 lower-case letters, digits and hyphens; begin with a letter.",
        "Dùng 2 đến 40 chữ thường, chữ số và gạch nối; bắt đầu bằng chữ.",
    ),
    (
        "/admin/projects",
        {"organisation": "chips-org", "account": "another", "name": "Another", "lead": "nobody-yet"},
        "lead",
        "Nobody has the user name nobody-yet.",
        "Không ai có tên đăng nhập nobody-yet.",
    ),
    (
        "/admin/projects",
        {"organisation": "", "account": "another", "name": "Another", "lead": ""},
        "organisation",
        *OFFERED,
    ),
    (
        "/admin/people",
        {**PERSON, "username": "chips-lead"},
        "username",
        "chips-lead is taken. Choose another name.",
        "Tên chips-lead đã có người dùng. Hãy chọn tên khác.",
    ),
    (
        "/admin/people",
        {**PERSON, "email": "no address"},
        "email",
        "Enter an address such as lan@example.edu.vn.",
        "Nhập địa chỉ như lan@example.edu.vn.",
    ),
    (
        "/admin/people",
        {**PERSON, "password": "short"},
        "password",
        "Use at least 12 characters.",
        "Hãy dùng ít nhất 12 ký tự.",
    ),
    (
        "/admin/people",
        {**PERSON, "organisation": "gone"},
        "organisation",
        *OFFERED,
    ),
    (
        "/admin/people",
        {**PERSON, "role": "king"},
        "role",
        *OFFERED,
    ),
    (
        "/admin/people",
        {**PERSON, "global_role": "king"},
        "global_role",
        *OFFERED,
    ),
    (
        "/admin/people",
        {**PERSON, "cluster_user": "root"},
        "cluster_user",
        "root is an account of the system. Jobs must not run as it.",
        "root là tài khoản hệ thống. Tác vụ không được chạy bằng tài khoản này.",
    ),
    (
        "/allocations",
        {**GRANT, "amount.VND": "abc"},
        "lines.VND",
        "“abc” is no number. Write it as 1500 or 1.500,5.",
        "“abc” không phải là số. Hãy viết 1500 hoặc 1.500,5.",
    ),
    ("/allocations", GRANT, "lines", "Enter at least one amount.", "Hãy nhập ít nhất một số lượng."),
    (
        "/allocations",
        {**GRANT, "amount.VND": "1", "last_day": ""},
        "valid_to",
        "Say from which day until which day.",
        "Hãy nêu từ ngày nào đến ngày nào.",
    ),
    (
        "/allocations",
        {**GRANT, "amount.VND": "1", "from_day": LAST, "last_day": str(DAY)},
        "valid_to",
        "The period must end after it begins.",
        "Ngày kết thúc phải sau ngày bắt đầu.",
    ),
    (
        "/allocations",
        {**GRANT, "amount.VND": "1", "from_day": "2020-01-01", "last_day": "2020-12-31"},
        "valid_to",
        "This period is over. Choose one that has not ended.",
        "Khoảng thời gian này đã qua. Hãy chọn khoảng chưa kết thúc.",
    ),
    (
        "/allocations",
        {**GRANT, "amount.VND": "1", "purpose": " "},
        "reason",
        "Give a reason of 1 to 2,000 characters.",
        "Hãy nêu lý do, từ 1 đến 2.000 ký tự.",
    ),
    (
        "/allocations",
        {**GRANT, "amount.VND": "1", "project": ""},
        "project",
        *OFFERED,
    ),
    (
        "/admin/people/chips-lead/clusters",
        {"cluster": SLURM, "cluster_user": "lead", "uid": "12"},
        "uid",
        "Use a number from 1000 to 4294967293.",
        "Hãy dùng số từ 1000 đến 4294967293.",
    ),
    (
        "/admin/people/chips-lead/clusters",
        {"cluster": SLURM, "cluster_user": "lead", "uid": "1e4"},
        "uid",
        "Enter a whole number.",
        "Hãy nhập một số nguyên.",
    ),
    (
        "/admin/people/chips-lead/clusters",
        {"cluster": "memory", "cluster_user": "lead", "uid": "5000"},
        "cluster",
        "Choose one of: slurm. Other clusters need no account.",
        "Hãy chọn một trong: slurm. Các cụm khác không cần tài khoản.",
    ),
    (
        "/admin/people/chips-lead/password",
        {"password": "short"},
        "password",
        "Use at least 12 characters.",
        "Hãy dùng ít nhất 12 ký tự.",
    ),
)
"""Where it is sent, what, and what is said at which field in both languages."""

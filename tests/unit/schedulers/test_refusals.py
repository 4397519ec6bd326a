"""What a cluster refuses is said in Vietnamese as far as it is one of the sentences that we know."""

import pytest

from schedulers.refusals import _SENTENCES, say_refusal
from schedulers.slurm import change_jobs, submit_jobs


@pytest.mark.parametrize(
    ("raw", "vietnamese"),
    [
        (
            "Invalid qos specification (partition gpu, account lab, QOS night, user an)",
            "QOS không hợp lệ (phân vùng gpu, tài khoản lab, QOS night, người dùng an)",
        ),
        (
            "Partition gpu allows 240 minutes, not 600.",
            "Phân vùng gpu chỉ cho phép 240 phút, không phải 600 phút.",
        ),
        (
            "Access/permission denied; Job is no longer pending execution",
            "Không có quyền thực hiện; Tác vụ không còn chờ chạy.",
        ),
        ("Something that a plugin of the site says (partition gpu, user an)",) * 2,
        ("Unheard of",) * 2,
    ],
)
def test_a_known_refusal_is_translated_with_its_facts_and_others_are_not(raw: str, vietnamese: str) -> None:
    assert say_refusal(raw, "vi") == vietnamese
    assert say_refusal(raw, "en") == raw


def test_what_the_portal_itself_says_of_slurm_is_translated() -> None:
    another = submit_jobs._ANOTHER_USER % {"actual": "nobody", "asked": "an"}
    for raw in (change_jobs._OVER, change_jobs._NOT_REQUEUED, another):
        assert say_refusal(raw, "vi") != raw


def test_facts_of_a_sentence_stand_in_both_languages() -> None:
    for sentence in _SENTENCES:
        for name in sentence.pattern.groupindex:
            assert f"{{{name}}}" in sentence.text.vi

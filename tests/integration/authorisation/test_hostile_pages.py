"""Every page, sent what no browser would send: a page in the reader's language, no echo, nothing changed."""

import gc
import re
from collections import Counter
from collections.abc import Iterator, Mapping

import pytest

from tests.in_process import Answer, Call, answer_to
from tests.integration.api.test_tenancy import Route
from tests.integration.authorisation.attempts import attempt
from tests.integration.authorisation.cast import Person
from tests.integration.authorisation.conftest import ON_BOTH, Set
from tests.integration.authorisation.examples import EXAMPLES, examples_of
from tests.integration.authorisation.hostile_requests import (
    NEVER_ECHOED,
    Hostile,
    Page,
    body_of,
    encoded,
    hostile,
    pages_of,
)

PARTS = 8
"""The pages are tried in so many tests, which run beside each other."""
CALLERS = (
    *(Person.OWNER, Person.LEAD, Person.MANAGER, Person.ADMINISTRATOR),
    *(Person.RIVAL, Person.NOBODY),
)
COUNTS_GUESSES = {
    "POST /sign-in",
    "POST /sign-in/code",
    "POST /settings/password",
    "POST /settings/email",
    "POST /invitations/{secret}/join",
}
"""Where passwords and names can be guessed, each try is written down before it is looked at."""
_HEADERS = ("content-security-policy", "referrer-policy", "cache-control", "x-request-id")


@pytest.mark.filterwarnings(
    # Starlette leaves the file of a part that never ends to the garbage collector.
    "ignore:Exception ignored in.*SpooledTemporaryFile:pytest.PytestUnraisableExceptionWarning",
    "ignore:Unclosed file .*SpooledTemporaryFile:ResourceWarning",
)
@ON_BOTH
@pytest.mark.parametrize("part", range(PARTS))
def test_hostile_requests_get_a_page_and_change_nothing(set_: Set, part: int) -> None:
    pages = pages_of(set_.stage.app)[part::PARTS]
    wrong: dict[str, str] = {}
    answers: Counter[int] = Counter()
    for page in pages:
        for number, sent in enumerate(examples_of(hostile(page), EXAMPLES * len(CALLERS))):
            person = CALLERS[number % len(CALLERS)]
            answer, problems = tried(set_, person, page, sent)
            answers[answer.status // 100 if answer else 5] += 1
            for problem in problems:
                wrong.setdefault(
                    f"{page}: {problem[:60]}", f"{page}, {person.value}: {problem}\n  {_short(sent)}"
                )
    print(f"{answers.total()} calls of {len(pages)} pages: {', '.join(_counted(answers))}")
    gc.collect()  # here, where those files are known, and not in whichever test comes next
    assert not wrong, "\n\n".join(wrong.values())


def tried(set_: Set, person: Person, page: Page, sent: Hostile) -> tuple[Answer | None, list[str]]:
    """The answer, and what is wrong with it; no answer where the connection would have broken."""
    stage = set_.stage
    try:
        answer = stage.runner.run(answer_to(stage.app, as_call(set_, person, page, sent)))
    except Exception as error:  # noqa: BLE001 - whatever it is, people would see a broken connection
        stage.reset()
        return None, [f"raised {error!r}"[:600]]
    has_written = stage.reset() and not stage.kept.counts_vain_writes
    problems = _of_answer(answer, sent)
    if answer.status >= 400 and has_written and str(page) not in COUNTS_GUESSES:
        problems.append(f"refused with {answer.status} and wrote to the database nevertheless")
    return answer, problems


def as_call(set_: Set, person: Person, page: Page, sent: Hostile) -> Call:
    """The request that would go through for whoever may, with what is hostile in it."""
    plain = attempt(Route(page.method, page.path, reads_json=False), {**set_.parameters, **sent.places})
    query = encoded([*_pairs(plain.query), *sent.query])
    known = set_.stage.identities[person]
    headers = {
        **plain.headers,
        **known,
        "cookie": f"{known.get('cookie', '')}; locale={sent.language}".lstrip("; "),
        "accept": "text/html",
        **({"hx-request": "true"} if sent.is_fragment else {}),
    }
    path = plain.path.encode(errors="replace").decode()
    if page.method == "GET":
        return Call(page.method, path, query, headers)
    content, kind = body_of(sent.body, [*_fields(plain.form or {}, sent), *sent.fields])
    return Call(page.method, path, query, {**headers, "content-type": kind}, content=content)


def _fields(usual: Mapping[str, str], sent: Hostile) -> Iterator[tuple[str, str]]:
    changed = {number % len(usual): value for number, value in sent.changed}
    for number, (name, value) in enumerate(usual.items()):
        if number not in sent.left_out:
            yield name, changed.get(number, value)


def _pairs(query: Mapping[str, str] | str) -> list[tuple[str, str]]:
    assert not isinstance(query, str)
    return list(query.items())


def _of_answer(answer: Answer, sent: Hostile) -> list[str]:
    found = []
    if answer.status >= 500:
        found.append(f"{answer.status}: {_heading(answer)}")
    if missing := [name for name in _HEADERS if name not in answer.headers]:
        found.append(f"{answer.status} lacks the headers {missing}")
    if answer.headers.get("x-content-type-options") != "nosniff":
        found.append(f"{answer.status} may be sniffed")
    if answer.location and not re.fullmatch(r"/(?![/\\])[\x21-\x7e]*", answer.location):
        found.append(f"leads to {answer.location[:80]!r}")
    kind = answer.headers.get("content-type", "")
    if answer.status >= 400 and answer.content and kind != "text/html; charset=utf-8":
        found.append(f"{answer.status} is no page but {kind!r}: {answer.text[:80]}")
    if kind.startswith("text/html"):
        found += [f"echoes {one}" for one in NEVER_ECHOED if one in answer.text]
        if "<html" in answer.text and f'<html lang="{sent.language}"' not in answer.text:
            found.append(f"is not in the language {sent.language}")
    return found


def _counted(answers: Counter[int]) -> list[str]:
    return [f"{count} of {hundred}xx" for hundred, count in sorted(answers.items())]


def _heading(answer: Answer) -> str:
    found = re.search(r"<h1[^>]*>(.*?)</h1>", answer.text, re.DOTALL)
    return (found[1] if found else answer.text[:200]).strip()


def _short(sent: Hostile) -> str:
    return re.sub(r"(.)\1{60,}", r"\1…", repr(sent))

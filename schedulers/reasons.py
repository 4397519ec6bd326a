"""Why a job waits, in plain words: from a scheduler's reason code to a sentence, who can change it, and how.

Pure. Both languages stand side by side here, because pages, API and command line all say these sentences and
share no catalogue. The codes are Slurm's (https://slurm.schedmd.com/job_reason_codes.html), which our Dask
backend uses, too, and a few of the portal's own. A code that is not known is shown as it is.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from schedulers.limit_reasons import limit_texts
from schedulers.reason_advice import ADVICE, Advice, Text
from schedulers.reason_texts import TEXTS

_END_OF_CODE = re.compile(r"[,:; ]")


class Language(StrEnum):
    """The languages of the sentences."""

    VI = "vi"
    EN = "en"


@dataclass(frozen=True, slots=True)
class Explanation:
    """One reason as it is said to a person."""

    raw: str
    """The scheduler's own word, to be shown beside the sentence."""
    text: str
    """The sentence; the raw word where the reason is not known."""
    who: str
    """Who can change it: `nobody`, `you`, `project`, `administrator`; "" where it is not known."""
    advice: str
    """How; "" where it is not known."""

    @property
    def is_known(self) -> bool:
        """Whether there is a sentence for it."""
        return bool(self.who)


def explain(raw: str, language: str) -> Explanation:
    """A reason in words; English for a language that has no sentences."""
    found = _find(raw)
    if found is None:
        return Explanation(raw, raw, "", "")
    text, advice = found
    return Explanation(raw, _in(text, language), advice.who, _in(advice.text, language))


def is_known(raw: str) -> bool:
    """Whether `explain` has a sentence for this reason."""
    return _find(raw) is not None


def _find(raw: str) -> tuple[Text, Advice] | None:
    """`ReqNodeNotAvail, UnavailableNodes:gpu01` is about its first word; squeue puts all in parentheses."""
    code = raw.strip().removeprefix("(").removesuffix(")").replace("_", " ")
    whole = code.replace(" ", "").lower()
    first = _END_OF_CODE.split(code, maxsplit=1)[0].lower()
    for name in (whole, first):
        if known := _BY_CODE.get(name):
            return known
        if limit := limit_texts(name):
            return limit[0], ADVICE[limit[1]]
    return None


def _in(text: Text, language: str) -> str:
    return text.vi if language == Language.VI else text.en


_BY_CODE = {code.replace(" ", "").lower(): (text, ADVICE[advice]) for code, (text, advice) in TEXTS.items()}

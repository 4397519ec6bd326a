"""Texts of a site template, each in Vietnamese and in English."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

Locale = Literal["vi", "en"]
Text = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[^\x00-\x1f\x7f]+$")]


class Words(BaseModel):
    """One text in both languages of the portal."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    vi: Text
    en: Text

    def say(self, locale: Locale) -> str:
        """The text in that language."""
        return self.vi if locale == "vi" else self.en

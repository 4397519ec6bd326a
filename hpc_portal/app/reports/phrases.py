"""What reports say, in both languages: pages, workbooks and PDFs of a report use the same words."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

LANGUAGES = ("vi", "en")

PHRASES: Mapping[str, Mapping[str, str]] = tomllib.loads(
    Path(__file__).with_name("phrases.toml").read_text("utf-8")
)
"""By name, then by language."""


def say(key: str, language: str, **facts: object) -> str:
    """The phrase of that name, with its facts filled in."""
    text = PHRASES[key][language]
    return text % facts if facts else text


def asset_name(asset: str, language: str) -> str:
    """What an asset of the ledger is called, with the unit that its amounts are shown in."""
    match asset.partition("/"):
        case ("gres", _, gpu):
            kind = gpu.partition(":")[2]
            return say("gpu_of_type", language, type=kind.upper()) if kind else say("gpu", language)
        case ("license", _, feature):
            return say("licence", language, feature=feature)
        case ("VND", _, _):
            return say("money", language)
        case (name, _, _) if name in {"cpu", "mem", "node", "storage"}:
            return say(name, language)
    return asset

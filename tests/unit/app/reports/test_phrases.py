import re

from hpc_portal.app.reports.phrases import LANGUAGES, PHRASES, asset_name

_FACT = re.compile(r"%\((\w+)\)s")


def test_every_phrase_says_the_same_facts_in_both_languages() -> None:
    for key, texts in PHRASES.items():
        assert tuple(texts) == LANGUAGES, key
        assert all(texts.values()), key
        assert sorted(_FACT.findall(texts["vi"])) == sorted(_FACT.findall(texts["en"])), key


def test_assets_are_called_what_people_call_them() -> None:
    assert asset_name("gres/gpu:h100", "vi") == "GPU H100 (giờ)"
    assert asset_name("gres/gpu", "en") == "GPU (hours)"
    assert asset_name("license/vcs", "en") == "Licence vcs (hours)"
    assert asset_name("VND", "vi") == "Tiền (₫)"
    assert asset_name("billing", "vi") == "billing"

"""For which licences a job waits and who has them, in a sentence for each."""

from collections.abc import Sequence

from hpc_portal.app.licenses.waiting import LicenseWait
from hpc_portal.web.language import Language
from workloads.template import N_


def show_license_waits(waits: Sequence[LicenseWait], language: Language) -> list[str]:
    """Of jobs that the reader may not see only a number is told."""
    return [_sentence(wait, language) for wait in waits]


def _sentence(wait: LicenseWait, language: Language) -> str:
    use = wait.use
    known = ", ".join(f"{one.user} ({language.number(one.count)})" for one in use.holders)
    parts = [
        known,
        language.gettext(N_("others (%(count)s)"), count=language.number(use.others)) if use.others else "",
        language.gettext(N_("outside the clusters (%(count)s)"), count=language.number(use.outside))
        if use.outside
        else "",
        language.gettext(
            N_("kept for other projects (%(count)s)"), count=language.number(use.kept_for_others)
        )
        if use.kept_for_others
        else "",
    ]
    return language.gettext(
        N_("%(feature)s: %(asked)s wanted, %(free)s of %(total)s free. Held by: %(holders)s."),
        feature=use.name,
        asked=language.number(wait.asked),
        free=language.number(wait.free),
        total=language.number(use.total),
        holders=", ".join(filter(None, parts)) or language.gettext(N_("nobody")),
    )

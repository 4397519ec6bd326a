"""What the quotas refuse, said in the reader's language; the facts come from the errors' attributes."""

import re
from collections.abc import Mapping
from datetime import datetime

from hpc_portal.web.language import Language
from hpc_portal.web.say_validation import say_sentence
from hpc_portal.web.show_quota import asset_label
from quotas import errors as quotas
from quotas.amounts import BYTES_PER_GIB, STORAGE, Asset
from quotas.errors import MonthRefusal
from quotas.money import VND
from quotas.tables import AllocationState
from schedulers import tres
from workloads.template import N_

LIMIT_WORDS = (
    N_("running jobs"),
    N_("jobs that have not ended"),
    N_("tasks in one array"),
    N_("seconds of walltime"),
    N_("GPUs in use at once"),
    N_("GPUs in one job"),
    N_("the administrators of the city's cluster"),
    N_("the manager of your organisation"),
    N_("the lead of your project"),
)
"""What `quotas.limits` writes into its errors; named here so that it is translated."""


_OF_A_TYPE = re.compile(r"(?P<gpu_type>\S+) GPUs (?P<what>in use at once|in one job)")

_ALLOCATION_STATES = {
    AllocationState.PENDING: N_("not in force yet"),
    AllocationState.ACTIVE: N_("in force"),
    AllocationState.SUSPENDED: N_("suspended"),
    AllocationState.EXPIRED: N_("over"),
    AllocationState.CLOSED: N_("closed"),
}

_FIELDS = {
    "valid_from": N_("Begin"),
    "valid_to": N_("End"),
    "lines": N_("Amounts"),
    "overdraft": N_("Overdraft"),
    "percent": N_("Share"),
    "state": N_("State"),
    "target": N_("Target"),
    "target_project": N_("Project"),
    "allocation_id": N_("Allocation"),
    "gpu_type": N_("Type of GPU"),
    "free_seconds_per_job": N_("Free seconds for each job"),
    "price list": N_("Price list"),
}
"""What the fields are called that the ledger refuses; resources are called as everywhere."""


def say_quotas(error: Exception, language: Language) -> str:  # noqa: C901, PLR0911, PLR0912 - a case for each
    """The sentence; "" for an error of another kind."""
    say = language.gettext
    match error:
        case quotas.NotEnoughFree():
            return say(
                N_("Only %(left)s are free there, %(asked)s were asked. What jobs hold or used stays."),
                left=_amount(error.asset, error.available, language),
                asked=_amount(error.asset, error.needed, language),
            )
        case quotas.AllocationStopped():
            return say(
                N_(
                    "Project %(project)s is paid for by an allocation of project %(of_project)s that is "
                    "%(state)s (%(allocation)s). Ask an administrator to resume it, or request quota."
                ),
                project=error.project,
                of_project=error.of_project,
                state=language.text(_ALLOCATION_STATES[AllocationState(error.state)]),
                allocation=str(error.allocation_id)[:8],
            )
        case quotas.RefundRefused():
            return say(N_("So much cannot come back: nothing was charged, or it came back already."))
        case quotas.StorageExceeded():
            return say(
                N_(
                    "%(used)s lie in the workspace of project %(project)s, %(granted)s are granted (measured "
                    "at %(at)s). What runs goes on. Delete what nobody needs and have it measured again on "
                    "the project's page, or ask for more storage."
                ),
                used=language.gib(error.allocated_bytes),
                project=error.project,
                granted=language.gib(error.granted_gib * BYTES_PER_GIB),
                at=language.instant(error.measured_at),
            )
        case quotas.BudgetExceeded():
            return _over_budget(error, language)
        case quotas.LimitExceeded():
            return say(
                N_(
                    "The limit of %(owner)s is %(value)s %(limit)s, of which %(in_use)s are in use; this job "
                    "asks for %(asked)s. Ask for less, or ask %(raised_by)s to raise it."
                ),
                owner=error.owner,
                value=language.number(error.value),
                limit=_limited(error.limit, language),
                in_use=language.number(error.in_use),
                asked=language.number(error.asked),
                raised_by=language.text(error.raised_by),
            )
        case quotas.PricesChanged():
            return say(
                N_(
                    "Version %(latest)s of the prices was published in the meantime. Look at what differs "
                    "now, then publish again."
                ),
                latest=error.latest,
            )
        case quotas.DraftChanged():
            return say(
                N_("Somebody changed this draft in the meantime. Open it again, then repeat your change.")
            )
        case quotas.DraftNotFound():
            return say(N_("This draft is gone: somebody published or discarded it."))
        case quotas.PriceListRetired():
            return say(N_("These prices were retired just now. Try again, at those that are in force."))
        case quotas.PriceListNotPublished():
            return say(
                N_("Version %(version)s cannot be retired: it was before, or it is the only one in force."),
                version=error.version,
            )
        case quotas.UnpricedResource():
            return say(
                N_(
                    "There is no price for %(resource)s in partition %(partition)s. Choose another resource, "
                    "or ask an administrator to price it."
                ),
                resource=language.resource(error.tres),
                partition=error.partition,
            )
        case quotas.NoPriceList():
            return say(N_("No prices are in force. An administrator must publish a price list first."))
        case quotas.MonthNotClosable():
            return _not_closable(error, language)
        case quotas.AllocationNotFound():
            return say(N_("There is no such allocation, or none that you can see."))
        case quotas.AllocationStateRefused():
            return say(
                N_("The allocation is %(state)s. %(advice)s"),
                state=language.text(_ALLOCATION_STATES[AllocationState(error.state)]),
                advice=_sentence(error.advice, error.facts, language),
            )
        case quotas.NothingCovers():
            return say(
                N_(
                    "Project %(project)s had no allocation that pays for %(asset)s. Grant one that covers "
                    "that time."
                ),
                project=error.project,
                asset=asset_label(error.asset, language),
            )
        case quotas.HoldNotFound():
            return say(N_("Nothing was ever set aside for this job, so that nothing can pay for it."))
        case quotas.KeyReused():
            return say(
                N_("The key %(key)s was used for something else. Use a new key for a new request."),
                key=error.key,
            )
        case quotas.InvalidAmount():
            return f"{_field(error.field, language)}: {say_amount_problem(error, language)}"
    return ""


def _over_budget(error: quotas.BudgetExceeded, language: Language) -> str:
    text = language.gettext(
        N_(
            "Project %(project)s has %(left)s left; this job needs %(needed)s. Shorten the time "
            "limit, ask for less, or request more quota."
        ),
        project=error.project,
        left=_amount(error.asset, error.available, language),
        needed=_amount(error.asset, error.needed, language),
    )
    if not error.also:
        return text
    more = ", ".join(_amount(short.asset, short.missing, language) for short in error.also)
    beside = language.gettext(N_("It also lacks %(more)s."), more=more)
    return f"{text} {beside}"


def say_amount_problem(error: quotas.InvalidAmount, language: Language) -> str:
    """What is wrong with a field, without its name."""
    return _sentence(error.text, error.facts, language)


def _field(name: str, language: Language) -> str:
    if name in _FIELDS:
        return language.gettext(_FIELDS[name])
    is_asset = name == VND or "/" in name or name in {STORAGE, tres.CPU, tres.MEM, tres.NODE}
    return asset_label(name, language) if is_asset else name


def _sentence(text: str, facts: Mapping[str, str | int], language: Language) -> str:
    """With instants that came as ISO 8601 written as the reader writes them."""
    return say_sentence(text, {name: _fact(name, value, language) for name, value in facts.items()}, language)


def _fact(name: str, value: str | int, language: Language) -> str | int:
    is_instant = name in {"day", "begin", "end"}
    return language.instant(datetime.fromisoformat(str(value))) if is_instant else value


def _not_closable(error: quotas.MonthNotClosable, language: Language) -> str:
    month = f"{error.month:%Y-%m}"
    match error.why:
        case MonthRefusal.CLOSED:
            return language.gettext(N_("%(month)s is closed already."), month=month)
        case MonthRefusal.EARLIER_IS_OPEN:
            earlier = f"{error.earlier or error.month:%Y-%m}"
            return language.gettext(
                N_("%(month)s cannot be closed while %(earlier)s is open. Close months in their order."),
                month=month,
                earlier=earlier,
            )
        case MonthRefusal.NOT_OVER:
            return language.gettext(
                N_("%(month)s can be closed when it has been over for an hour."), month=month
            )
        case MonthRefusal.UNSETTLED:
            return language.gettext(
                N_(
                    "%(count)s ended runs of %(month)s are not settled. Wait for them, or say why it is "
                    "closed all the same: what they used is then posted to the next month, as late."
                ),
                month=month,
                count=language.number(error.unsettled),
            )


def _limited(limit: str, language: Language) -> str:
    """What is limited, in words: `GPUs in use at once`, also of one type."""
    typed = _OF_A_TYPE.fullmatch(limit)
    if typed is None:
        return language.text(limit)
    return f"{language.text('GPUs ' + typed['what'])} ({typed['gpu_type'].upper()})"


def _amount(asset: Asset, amount: int, language: Language) -> str:
    if asset == VND:
        return language.vnd(amount)
    return f"{language.resource_hours(asset, amount)} {language.resource(asset)}"

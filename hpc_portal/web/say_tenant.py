"""What is refused about tenants, said in the reader's language."""

from hpc_portal.app import errors as app
from hpc_portal.web.language import Language
from hpc_portal.web.tenant_words import ROLES
from workloads.template import N_

_PER = {
    "open for one organisation": N_("There can be at most %(most)s open invitations. Revoke some first."),
    "by one person in a day": N_("You can send at most %(most)s invitations a day. Go on tomorrow."),
}


def say_tenant(error: Exception, language: Language) -> str:  # noqa: PLR0911 - one case for each error
    """The sentence; "" for an error of another kind."""
    say = language.gettext
    match error:
        case app.TenantClosed():
            return say(N_("%(name)s is closed for good. Create a new one instead."), name=error.name)
        case app.InvitationOver():
            return say(
                N_(
                    "This invitation was used, withdrawn or replaced by a newer one, or its time is over. "
                    "Ask whoever invited you for a new one."
                )
            )
        case app.TooManyInvitations() if error.per in _PER:
            return say(_PER[error.per], most=language.number(error.most))
        case app.TooManyInvitations():
            return say(N_("This address was invited a moment ago. Wait five minutes before you send again."))
        case app.NobodyLeads():
            return say(
                N_("%(name)s would be left without a %(role)s. Hand that over to another member first."),
                name=error.name,
                role=language.text(ROLES.get(error.role, error.role)),
            )
        case app.ClassEnded():
            return say(N_("The class %(name)s is over. Make a new one for the next term."), name=error.name)
        case app.NameTaken():
            return say(N_("%(name)s is taken. Choose another name."), name=error.name)
        case app.TenantNotActive() if error.reason:
            return say(
                N_("%(name)s takes no jobs now: %(reason)s Ask the city's administrators."),
                name=error.name,
                reason=error.reason.rstrip(". ") + ".",
            )
    return ""

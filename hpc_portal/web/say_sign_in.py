"""Says why somebody could not sign in."""

from hpc_portal.app import errors as app
from hpc_portal.auth.errors import IdentityUnavailable, ScopeTooSmall
from hpc_portal.web.language import Language
from workloads.template import N_

_SAID: dict[type[Exception], str] = {
    app.WrongCredentials: N_("The user name or the password is wrong."),
    app.IdentityNotLinked: N_(
        "No account of the portal belongs to this identity. Ask the city's administrators."
    ),
    app.IdentityTaken: N_("This identity, or this account, is linked already."),
    app.SecondFactorNeeded: N_("Send the one-time code of your authenticator app, too."),
    app.WrongCode: N_("This code is wrong, was used already, or its time is over."),
    IdentityUnavailable: N_("The city's identity did not answer as it should. Try again in a moment."),
}

_SCOPES = {
    "jobs": N_("This token is good for jobs and their files only. Use another one, or sign in."),
    "project": N_("This token is good for one project only. Use another one, or sign in."),
    "read": N_("This token lets only look. Use another one, or sign in."),
}


def say_sign_in(error: Exception, language: Language) -> str:
    """In this language; "" for what is not about signing in."""
    if isinstance(error, ScopeTooSmall):
        return language.gettext(_SCOPES[error.scope])
    text = _SAID.get(type(error))
    return language.gettext(text) if text else ""

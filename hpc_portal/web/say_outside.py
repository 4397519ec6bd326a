"""What is refused before a verb is called, or by a scheduler behind it, said in the reader's language."""

from hpc_portal.app import errors as app
from hpc_portal.auth import errors as auth
from hpc_portal.web.language import Language
from hpc_portal.web.say_validation import say_sentence
from schedulers import errors as schedulers
from schedulers.refusals import say_refusal
from workloads.template import N_


def say_outside(error: Exception, language: Language) -> str:  # noqa: PLR0911 - one case for each error
    """The sentence; "" for an error of another kind."""
    say = language.gettext
    match error:
        case auth.SignInRequired():
            return say(N_("Sign in first. Your session or token is missing, has expired or was revoked."))
        case auth.CrossSiteRequest():
            return say(
                N_(
                    "This request did not come from a page of the portal that is still valid. "
                    "Reload and try again."
                )
            )
        case auth.TooManyAttempts():
            return say(
                N_("Too many failed sign-ins. Try again in %(seconds)s seconds."),
                seconds=language.number(error.retry_after_seconds),
            )
        case app.IdempotencyKeyReused():
            return say(
                N_("The key %(key)s was used for something else. Use a new key for a new request."),
                key=error.key,
            )
        case schedulers.SchedulerRefused():
            return say(
                N_("The scheduler refused the job: %(reason)s"),
                reason=say_refusal(error.reason, language.code),
            )
        case schedulers.SchedulerUnavailable() | schedulers.SchedulerBroken():
            return say(N_("The scheduler does not answer now. Nothing was changed; try again later."))
        case schedulers.SubmitUncertain():
            return say(
                N_("The scheduler did not answer whether it took the job. The portal finds out by itself.")
            )
        case schedulers.InvalidJobSpec():
            return f"{error.field}: {say_sentence(error.text, error.facts, language)}"
    return ""

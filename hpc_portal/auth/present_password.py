"""Deeds that ask whoever is signed in for their password: a stolen session or token must not guess it."""

from collections.abc import Callable
from typing import TypeVar

from starlette.requests import Request

from hpc_portal.app.actor import Actor
from hpc_portal.auth.throttle import SignInThrottle

Result = TypeVar("Result")


def count_guesses(request: Request, actor: Actor, deed: Callable[[], Result]) -> Result:
    """Carry it out; whatever it raises counts as a wrong guess. From a thread.

    Raises:
        TooManyAttempts: it failed too often from this address.
    """
    throttle: SignInThrottle = request.app.state.throttle
    address = request.client.host if request.client else ""
    turn = throttle.take_turn(f"present password of {actor.username}", address)
    result = deed()
    throttle.succeeded(turn)
    return result

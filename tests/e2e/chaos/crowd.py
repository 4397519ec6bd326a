"""Everybody who works with the portal while it suffers."""

import functools
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import update
from sqlmodel import col

from hpc_portal.app.accounts.authenticate import hash_password
from hpc_portal.app.db import transact
from hpc_portal.app.tables import User
from tests.e2e.chaos.people import Browser, Caller, Designer, Follower, Work
from tests.e2e.chaos.promises import Promises
from tests.e2e.chaos.stage import PATIENCE_SECONDS, Stage
from tests.portal_processes import issue_token, wait_until

PASSWORD = "da-nang-2026"


@dataclass
class Crowd:
    """Everybody who works with the portal meanwhile."""

    designers: list[Designer]
    browser: Browser
    follower: Follower
    works: list[Work] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)

    @property
    def accepted(self) -> dict[str, float]:
        """When each job was accepted, of all of them."""
        found: dict[str, float] = {}
        for accepted in (self.browser.accepted, *(designer.accepted for designer in self.designers)):
            found |= dict(accepted)
        return found

    @property
    def cancelled(self) -> set[str]:
        """Jobs that somebody cancelled."""
        return {job for one in self.designers for job in one.cancelled}

    def is_at_work(self) -> bool:
        """Whether somebody has submitted something."""
        self.require_no_problem()
        return bool(self.accepted)

    def stop(self) -> None:
        """Wait until everybody has finished what they had begun, which may be to submit one more job."""
        for work in self.works:
            work.stop.set()
        for thread in self.threads:
            thread.join()

    def require_no_problem(self) -> None:
        """Nobody was refused, or waited for minutes."""
        assert [problem for work in self.works for problem in work.problems] == []


@contextmanager
def working(stage: Stage) -> Iterator[Crowd]:
    """Two designers and a browser, who stop at the end, and a follower of events, who then reads the rest."""
    member = stage.city.chips.member
    token = issue_token(stage.city.services, member.user_id)
    values = {"password_hash": hash_password(PASSWORD)}
    by_id = update(User).where(col(User.id) == member.user_id).values(values)
    transact(stage.engine, lambda connection: connection.execute(by_id))
    bearer = {"Authorization": f"Bearer {token}"}
    designers = [
        Designer(f"designer-{number}", Caller(stage.urls, dict(bearer)), random.Random(number))  # noqa: S311
        for number in range(2)
    ]
    crowd = Crowd(designers, Browser(Caller(stage.urls, {})), Follower(stage.urls, token))
    city = stage.network.hosts["city"]
    crowd.works += [Work(designer.step, 0.4) for designer in designers]
    sign_in = functools.partial(crowd.browser.sign_in, member.username, PASSWORD)
    crowd.works.append(Work(crowd.browser.step, 0.6, begin=sign_in))
    follows = Work(crowd.follower.step, 0.05)
    crowd.threads += [city.thread(work) for work in crowd.works]
    following = city.thread(follows)
    for thread in (*crowd.threads, following):
        thread.start()
    try:
        yield crowd
    finally:
        crowd.stop()
    crowd.works.append(follows)
    newest = Promises(stage.city, stage.disk, stage.slurm).events
    wait_until(lambda: crowd.follower.last >= newest()[-1] or bool(follows.problems), what="the last event")
    follows.stop.set()
    following.join(PATIENCE_SECONDS)

"""The application and everybody who calls it; what their calls do is undone."""

import asyncio
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI

from hpc_portal.app.actor import Actor
from tests.in_process import Answer, Call, answer_to
from tests.integration.authorisation.cast import Person
from tests.integration.authorisation.kept_databases import kept
from tests.small_city import City


@dataclass
class Stage:
    """The application with its people; `reset` undoes whatever calls have done."""

    city: City
    app: FastAPI
    runner: asyncio.Runner
    identities: Mapping[Person, Mapping[str, str]]
    """The headers by which each is known."""
    actors: Mapping[Person, Actor]

    def __post_init__(self) -> None:
        self.kept = kept(self.city.services.engine)

    def call(self, person: Person, call: Call) -> Answer:
        """The answer to this person."""
        headers = {**call.headers, **self.identities[person]}
        return self.runner.run(
            answer_to(
                self.app,
                Call(call.method, call.path, call.query, headers, call.json, call.form, call.content),
            )
        )

    def keep(self) -> None:
        """Let `reset` lead back to now."""
        self.kept.keep()
        shutil.copytree(self._workspace, self._kept_workspace)

    def reset(self) -> bool:
        """Undo what was written since `keep`, in memory as well; whether there was anything."""
        if not self.kept.is_changed():
            return False
        self.kept.bring_back()
        shutil.rmtree(self._workspace)
        shutil.copytree(self._kept_workspace, self._workspace)
        self.app.state.identities.forget()
        services = self.city.services
        services.forget_clusters()
        services.projects.forget()
        services.limited.forget()
        services.price_list.forget()
        services.subsidies.forget()
        services.templates.forget()
        services.announced.forget()
        services.full_storage.forget()
        return True

    def close(self) -> None:
        """Let go of what was kept."""
        self.kept.close()

    @property
    def _workspace(self) -> Path:
        return self.city.services.settings.effective_workspace_root

    @property
    def _kept_workspace(self) -> Path:
        return self._workspace.with_name("workspace-kept")

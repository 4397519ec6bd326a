"""The controller's part of site templates: looks into the site's folder each minute."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from sqlalchemy import Engine

from hpc_portal.app.clock import Clock
from hpc_portal.app.templates.folder import publish_folder

log = structlog.get_logger()

PUBLISH_SECONDS = 60.0
"""Between two looks."""


@dataclass(slots=True)
class PublishFolderStep:
    """Publishes what is new in the folder; what is wrong is logged once."""

    engine: Engine
    clock: Clock
    folder: Path
    told: dict[Path, str] = field(default_factory=dict)
    """What was said of each file that is wrong."""

    async def __call__(self) -> bool:
        """Publish; False: no more to do at once."""
        await asyncio.to_thread(self._publish)
        return False

    def _publish(self) -> None:
        wrong: dict[Path, str] = {}
        for outcome in publish_folder(self.engine, self.folder, at=self.clock.now()):
            if outcome.published and outcome.published.is_new:
                found = outcome.published
                log.info("template.published", name=found.name, version=found.version)
            if outcome.refusal:
                wrong[outcome.path] = str(outcome.refusal)
                if self.told.get(outcome.path) != wrong[outcome.path]:
                    log.warning("template.refused", path=str(outcome.path), problem=wrong[outcome.path])
        self.told = wrong

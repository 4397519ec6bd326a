"""Pages of a job's points: the trials of a sweep, and corners beside their limits."""

import json
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from hpc_portal.app.campaigns.kinds import KIND_OF
from hpc_portal.app.campaigns.points import corners_of, sweep_of
from hpc_portal.app.campaigns.sweep import SweepView
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.render import pages_of
from hpc_portal.web.words import VERDICTS, Word
from workloads.template import N_

router = APIRouter(include_in_schema=False)

_ENDS = {
    "done": Word("circle-check", N_("Done"), "good"),
    "pruned": Word("player-pause", N_("Stopped early"), "wait"),
    "failed": Word("circle-x", N_("Failed"), "bad"),
    "-": Word("player-play", N_("Running"), "run"),
}


@router.get("/jobs/{job_id}/sweep")
def show_sweep(request: Request, actor: CurrentActor, services: PortalServices, job_id: UUID) -> Response:
    """Parallel coordinates over a table of the same trials; the best trial."""
    job, found = sweep_of(services, actor, job_id)
    stream = "" if job.is_over else f"job={job.id}"
    facts = {"job": job, "stream": stream, "sweep": found, "ends": _ENDS, "drawn": _drawn(found)}
    return pages_of(request).render(request, "campaigns/sweep.html", facts)


@router.get("/jobs/{job_id}/corners")
def show_corners(request: Request, actor: CurrentActor, services: PortalServices, job_id: UUID) -> Response:
    """Every corner with its measures, their distance to the limits, and the worst corner of each."""
    job, found = corners_of(services, actor, job_id)
    stream = "" if job.is_over else f"job={job.id}"
    facts = {"job": job, "stream": stream, "found": found, "verdicts": VERDICTS}
    return pages_of(request).render(request, "campaigns/corners.html", facts)


def page_of_points(template: str | None) -> str:
    """The page of its own that jobs of a template have under their address; empty for none."""
    return KIND_OF.get(template or "", "")


def _drawn(found: SweepView) -> str:
    """What the page's script draws."""
    axes = [{"name": one.name, "log": one.is_log, "choices": one.choices} for one in found.axes]
    trials = [{"task": one.task_index, "values": one.values} for one in found.trials]
    return json.dumps({"axes": axes, "trials": trials, "maximized": found.is_maximized})

"""The kinds of campaigns, each with a page of its own, and which templates make them."""

from collections.abc import Mapping
from enum import StrEnum

from workloads.ai.sweep import Sweep
from workloads.eda.spice import Spice
from workloads.eda.synthesis import Synthesis


class CampaignKind(StrEnum):
    """What one array job is seen as."""

    REGRESSION = "regression"
    """Tasks in a matrix, with reruns: stored as a campaign, whatever its template."""
    SWEEP = "sweep"
    """A job of trials, each with values of its own."""
    CORNERS = "corners"
    """A job of corners, each measured against limits."""


TEMPLATES: Mapping[CampaignKind, tuple[str, ...]] = {
    CampaignKind.SWEEP: (Sweep.name,),
    CampaignKind.CORNERS: (Spice.name, Synthesis.name),
}
"""Of kinds that are told by a job's template; all that is needed stands in `job`."""
KIND_OF = {template: kind for kind, templates in TEMPLATES.items() for template in templates}

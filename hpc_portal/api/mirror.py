"""How the mirror of budgets into a cluster stands."""

from fastapi import APIRouter

from hpc_portal.api.cluster_schemas import MirrorReply
from hpc_portal.app.mirror.queries import mirror_report
from hpc_portal.auth.deps import CurrentActor, PortalServices

router = APIRouter(tags=["administration"])


@router.get("/clusters/{name}/drift")
def drift(services: PortalServices, actor: CurrentActor, name: str) -> MirrorReply:
    """What others changed there, and use by sbatch that nobody pays for; for administrators and auditors."""
    with services.reading() as session:
        return MirrorReply.model_validate(mirror_report(session, actor, name))

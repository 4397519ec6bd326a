"""Which ends of runs are paid for: read by auditors, decided by administrators."""

from fastapi import APIRouter

from hpc_portal.api.end_rules_schemas import EndRuleBody, EndRuleReply
from hpc_portal.api.schemas import ListReply
from hpc_portal.app.budgets.end_rules import WantedRule, decide_end_rule, read_end_rules
from hpc_portal.auth.deps import CurrentActor, PortalServices
from schedulers.jobstate import JobState

router = APIRouter(tags=["budgets"])


@router.get("/end-rules")
def end_rules(services: PortalServices, actor: CurrentActor) -> ListReply[EndRuleReply]:
    """Every end of a run, and whether it is paid for."""
    with services.reading() as session:
        found = read_end_rules(session, actor)
    return ListReply(items=[EndRuleReply.model_validate(rule) for rule in found])


@router.put("/end-rules/{state}")
def decide(
    services: PortalServices, actor: CurrentActor, state: JobState, body: EndRuleBody
) -> ListReply[EndRuleReply]:
    """Decide for runs that are settled from now on; what was charged stays."""
    wanted = WantedRule(state, body.is_charged, body.free_seconds_per_job)
    decide_end_rule(services, actor, wanted, reason=body.reason)
    return end_rules(services, actor)

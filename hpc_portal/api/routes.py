"""Every endpoint under /api/v1."""

from fastapi import FastAPI

from hpc_portal.api import (
    accounting,
    administration,
    announcements,
    attention,
    audit,
    budgets,
    campaigns,
    campaigns_points,
    catalogue,
    classes,
    clusters,
    end_rules,
    invitations,
    job_again,
    job_changes,
    job_cost,
    job_doubt,
    job_efficiency,
    job_files,
    job_logs,
    job_script,
    job_utilisation,
    job_views,
    job_waves,
    jobs,
    licenses,
    limits,
    mirror,
    notices,
    overview,
    price_history,
    prices,
    project_books,
    project_files,
    project_waves,
    projects,
    reports,
    requests,
    scripts,
    search,
    service_accounts,
    sign_in,
    site_templates,
    storage,
    streams,
    tenants,
    webhooks,
)
from hpc_portal.api.openapi import install_description

_MODULES = (
    *(jobs, job_again, job_changes, job_cost, job_efficiency, job_files, job_waves, job_logs),
    *(job_script, job_utilisation, job_views, scripts, streams, sign_in, overview, projects, project_books),
    *(
        administration,
        job_doubt,
        announcements,
        attention,
        accounting,
        audit,
        budgets,
        campaigns,
        campaigns_points,
        catalogue,
        clusters,
        end_rules,
        licenses,
        limits,
        mirror,
        notices,
        price_history,
        prices,
        project_files,
        project_waves,
        reports,
        requests,
        storage,
        webhooks,
    ),
    *(search, service_accounts, site_templates, tenants, invitations, classes),
)
"""What is asked for most comes first: FastAPI looks for the route of each request in this order."""


def install(app: FastAPI) -> None:
    """Give the application every endpoint; one by one, for FastAPI searches each level of routers anew."""
    for module in _MODULES:
        app.include_router(module.router, prefix="/api/v1")
    install_description(app)

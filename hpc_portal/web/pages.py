"""Adds the pages to the application: routes, static files, error pages."""

from fastapi import FastAPI

from hpc_portal.web import (
    admin_prices,
    allocations,
    audit,
    books,
    campaign_history,
    campaign_live,
    campaigns,
    change_job,
    classes,
    clusters,
    doubt,
    end_rules,
    files,
    find,
    gallery,
    home,
    invitation,
    job,
    jobs,
    licenses,
    limits,
    live,
    log,
    menu,
    notices,
    open_data,
    organisation,
    points,
    prices,
    project,
    project_choice,
    project_members,
    project_parts,
    projects,
    quota,
    refunds,
    reports,
    request_deeds,
    requests,
    settings,
    sign_in,
    site_templates,
    statement,
    storage,
    submit,
)
from hpc_portal.web.assets import Assets
from hpc_portal.web.errors import install_error_pages
from hpc_portal.web.render import Pages

ROUTERS = (
    sign_in,
    home,
    find,
    live,
    jobs,
    campaign_history,
    campaign_live,
    campaigns,
    points,
    change_job,
    doubt,
    log,
    files,
    job,
    gallery,
    submit,
    quota,
    allocations,
    refunds,
    end_rules,
    licenses,
    limits,
    request_deeds,
    requests,
    statement,
    reports,
    open_data,
    clusters,
    organisation,
    project,
    project_members,
    project_parts,
    project_choice,
    storage,
    classes,
    invitation,
    prices,
    admin_prices,
    projects,
    audit,
    books,
    menu,
    notices,
    settings,
    site_templates,
)
"""In the order in which their paths are tried."""


def install(app: FastAPI) -> None:
    """Add every page; `app.state.services` must be there."""
    assets = Assets()
    app.state.pages = Pages(assets, default_locale=app.state.services.settings.default_locale)
    app.mount("/static", assets, name="static")
    for module in ROUTERS:
        app.include_router(module.router)
    install_error_pages(app)

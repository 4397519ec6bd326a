"""Adds the pages to the application: routes, static files, error pages."""

from fastapi import FastAPI

from hpc_portal.web import (
    admin,
    admin_prices,
    allocations,
    announcements,
    audit,
    books,
    campaign_history,
    campaign_live,
    campaigns,
    change_job,
    classes,
    clusters,
    doubt,
    drift,
    end_rules,
    files,
    find,
    gallery,
    help_pages,
    home,
    identity_sign_in,
    invitation,
    job,
    job_numbers,
    job_script,
    jobs,
    licenses,
    limits,
    live,
    log,
    menu,
    notice_settings,
    notices,
    open_data,
    organisation,
    organisation_members,
    people,
    points,
    prices,
    project,
    project_choice,
    project_files,
    project_members,
    project_parts,
    projects,
    quota,
    refunds,
    reports,
    request_deeds,
    requests,
    run_again,
    second_factor,
    service_accounts,
    settings,
    settings_sign_in,
    sign_in,
    site_templates,
    statement,
    storage,
    submit,
    translate_script,
    waves,
)
from hpc_portal.web.assets import Assets
from hpc_portal.web.errors import install_error_pages
from hpc_portal.web.render import Pages
from hpc_portal.web.show_figures import FigureMessages

ROUTERS = (
    sign_in,
    identity_sign_in,
    second_factor,
    home,
    find,
    live,
    jobs,
    run_again,
    campaign_history,
    campaign_live,
    campaigns,
    points,
    change_job,
    doubt,
    log,
    files,
    waves,
    job,
    job_numbers,
    job_script,
    gallery,
    submit,
    translate_script,
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
    organisation_members,
    people,
    project,
    project_members,
    project_parts,
    project_files,
    project_choice,
    service_accounts,
    storage,
    classes,
    invitation,
    prices,
    admin_prices,
    projects,
    audit,
    books,
    admin,
    announcements,
    drift,
    help_pages,
    menu,
    notices,
    notice_settings,
    settings,
    settings_sign_in,
    site_templates,
)
"""In the order in which their paths are tried."""


def install_assets(app: FastAPI) -> None:
    """Serve the files that pages are made with, before other routes are added; `app.state.services` is there.

    A cold page asks for twenty of them, and each is compared with every route before its own.
    """
    assets = Assets()
    app.state.pages = Pages(assets, default_locale=app.state.services.settings.default_locale)
    app.state.figure_messages = FigureMessages()
    app.mount("/static", assets, name="static")


def install(app: FastAPI) -> None:
    """Add every page; `install_assets` came first."""
    for module in ROUTERS:
        app.include_router(module.router)
    install_error_pages(app)

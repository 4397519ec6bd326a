"""Every module that defines tables, those of the ledger included: whoever makes a schema imports this one."""

from hpc_portal.app import tables
from hpc_portal.app.accounting import tables as accounting
from hpc_portal.app.accounts import tables as accounts
from hpc_portal.app.announcements import tables as announcements
from hpc_portal.app.audit_log import tables as audit_log
from hpc_portal.app.backup import tables as backup
from hpc_portal.app.budgets import tables as budgets
from hpc_portal.app.campaigns import tables as campaigns
from hpc_portal.app.home import tables as home
from hpc_portal.app.jobs import tables as jobs
from hpc_portal.app.licenses import tables as licenses
from hpc_portal.app.notices import tables as notices
from hpc_portal.app.reports import tables as reports
from hpc_portal.app.requests import tables as requests
from hpc_portal.app.retention import tables as retention
from hpc_portal.app.saved_views import tables as saved_views
from hpc_portal.app.service_accounts import tables as service_accounts
from hpc_portal.app.templates import tables as templates
from hpc_portal.app.tenants import tables as tenants
from quotas.table_modules import TABLE_MODULES as LEDGER_TABLE_MODULES

TABLE_MODULES = (
    *LEDGER_TABLE_MODULES,
    tables,
    accounting,
    accounts,
    announcements,
    audit_log,
    backup,
    budgets,
    campaigns,
    home,
    jobs,
    licenses,
    notices,
    reports,
    requests,
    retention,
    saved_views,
    service_accounts,
    templates,
    tenants,
)

"""Who may run the city: people, money, prices, books, templates; and what everybody sees of it."""

from tests.integration.authorisation.rules import AUDITORS, CITY, EVERYBODY, Of, Rule

RULES = (
    Rule(
        "See clusters, licences, prices, subsidies and announcements",
        Of.ALL,
        EVERYBODY,
        """
        GET /api/v1/clusters
        GET /api/v1/clusters/{cluster}/nodes
        GET /api/v1/clusters/{cluster}/queue
        GET /api/v1/licenses
        GET /api/v1/prices
        GET /api/v1/prices/at
        GET /api/v1/prices/history
        GET /api/v1/prices/lists
        GET /api/v1/prices/lists/{version}
        GET /api/v1/subsidies
        GET /api/v1/programmes
        GET /api/v1/announcements
        GET /api/v1/reports/utilisation
        GET /clusters
        GET /clusters/{cluster}
        GET /licenses
        GET /prices
        GET /reports/utilisation
        """,
    ),
    Rule(
        "Put an announcement aside",
        Of.ALL,
        EVERYBODY,
        """
        PUT /api/v1/announcements/{announcement_id}/dismissal
        POST /announcements/{announcement_id}/dismiss
        """,
    ),
    Rule(
        "Oversee the city: audit log, books, drift, what needs attention, all people and tenants",
        Of.CITY,
        AUDITORS,
        """
        GET /api/v1/audit
        GET /api/v1/audit/export
        GET /api/v1/attention
        GET /api/v1/accounting/months
        GET /api/v1/accounting/checks
        GET /api/v1/accounting/discrepancies
        GET /api/v1/announcements/all
        GET /api/v1/clusters/{name}/drift
        GET /api/v1/cluster-accounts
        GET /api/v1/end-rules
        GET /api/v1/prices/drafts
        GET /api/v1/prices/drafts/{draft_id}
        GET /api/v1/reports/idle-grants
        GET /api/v1/reports/rows/{kind}
        GET /api/v1/requests/inbox
        GET /api/v1/service-accounts
        GET /admin/service-accounts
        GET /api/v1/site-templates
        GET /api/v1/site-templates/{name}
        GET /api/v1/tenants
        GET /api/v1/tenants/projects
        GET /api/v1/users
        GET /admin
        GET /admin/announcements
        GET /admin/audit
        GET /admin/books
        GET /admin/drift
        GET /admin/organisations
        GET /admin/people
        GET /admin/people/{username}/access
        GET /admin/prices
        GET /admin/prices/drafts/{draft_id}
        GET /admin/prices/end-rules
        GET /admin/projects
        GET /admin/templates
        GET /admin/templates/{name}
        GET /admin/templates/{name}/{version}
        GET /reports/idle-grants
        GET /requests/inbox
        """,
    ),
    Rule(
        "Create organisations and people, and give them accounts on clusters",
        Of.CITY,
        CITY,
        """
        POST /api/v1/organisations
        POST /api/v1/users
        PUT /api/v1/users/{username}/password
        POST /api/v1/users/{username}/second-factor/reset
        POST /admin/people/{username}/second-factor
        GET /admin/organisations/new
        POST /admin/organisations
        GET /admin/people/new
        POST /admin/people
        POST /admin/people/{username}/password
        POST /admin/people/{username}/organisations
        POST /admin/people/{username}/projects
        POST /admin/people/{username}/clusters
        POST /admin/people/{username}/clusters/{cluster}/remove
        PUT /api/v1/users/{username}/clusters/{cluster}
        DELETE /api/v1/users/{username}/clusters/{cluster}
        """,
    ),
    Rule(
        "Create a project, and grant it a budget",
        Of.CITY,
        CITY,
        """
        POST /api/v1/projects
        POST /api/v1/projects/{account}/grants
        GET /admin/projects/new
        POST /admin/projects
        GET /allocations/new
        POST /allocations
        """,
        project_token=True,
    ),
    Rule(
        "Change an allocation",
        Of.CITY,
        CITY,
        """
        POST /api/v1/allocations/{allocation_id}/increase
        POST /api/v1/allocations/{allocation_id}/reduce
        POST /api/v1/allocations/{allocation_id}/extend
        POST /api/v1/allocations/{allocation_id}/suspend
        POST /api/v1/allocations/{allocation_id}/resume
        POST /api/v1/allocations/{allocation_id}/close
        POST /api/v1/allocations/{allocation_id}/hold-policy
        POST /api/v1/allocations/{allocation_id}/carry-over
        POST /allocations/{allocation_id}
        """,
    ),
    Rule(
        "Decide on refunds, ends of runs, and reserved licences",
        Of.CITY,
        CITY,
        """
        POST /api/v1/refund-cases/{case_id}/decision
        PUT /api/v1/end-rules/{state}
        PUT /api/v1/licenses/{feature}/reservations/{project}
        POST /refunds/{case_id}/decide
        POST /admin/prices/end-rules/{state}
        POST /licenses/reserve
        """,
    ),
    Rule(
        "Close months, and decide on what does not add up",
        Of.CITY,
        CITY,
        """
        POST /api/v1/accounting/months
        POST /api/v1/accounting/discrepancies/{number}/decision
        POST /admin/books/close
        POST /admin/books/{number}/decide
        """,
    ),
    Rule(
        "Set prices, subsidies and programmes",
        Of.CITY,
        CITY,
        """
        POST /api/v1/prices
        POST /api/v1/prices/lists/{version}/retire
        POST /api/v1/prices/drafts
        PUT /api/v1/prices/drafts/{draft_id}
        DELETE /api/v1/prices/drafts/{draft_id}
        POST /api/v1/prices/drafts/{draft_id}/publish
        POST /api/v1/subsidies
        POST /api/v1/subsidies/{rule_id}/end
        POST /api/v1/programmes
        PUT /api/v1/programmes/{programme}/projects/{account}
        DELETE /api/v1/programmes/{programme}/projects/{account}
        POST /admin/prices/drafts
        POST /admin/prices/drafts/{draft_id}
        POST /admin/prices/drafts/{draft_id}/publish
        POST /admin/prices/lists/{version}/retire
        POST /admin/prices/subsidies
        POST /admin/prices/subsidies/{rule_id}/end
        POST /admin/prices/programmes
        POST /admin/prices/programmes/{programme}
        """,
    ),
    Rule(
        "Announce something, and publish templates of the site",
        Of.CITY,
        CITY,
        """
        POST /api/v1/announcements
        DELETE /api/v1/announcements/{announcement_id}
        POST /api/v1/site-templates
        POST /api/v1/site-templates/check
        POST /api/v1/site-templates/{name}/retire
        POST /admin/announcements
        POST /admin/announcements/{announcement_id}/withdraw
        POST /admin/templates
        POST /admin/templates/{name}/retire
        """,
    ),
)

"""Who may do what with projects, organisations, their people, budgets, requests and classes."""

from tests.integration.authorisation.rules import (
    AUDITORS,
    CITY,
    EVERYBODY,
    KNOW_ORGANISATION,
    LEAD,
    LEADERS,
    MANAGERS,
    MEMBERS,
    OWNER,
    SEE_ORGANISATION,
    SEE_PROJECT,
    Decision,
    Of,
    Rule,
)

RULES = (
    Rule(
        "List what the reader belongs to: projects, organisations, budgets, requests, refunds, limits",
        Of.ALL,
        EVERYBODY,
        """
        GET /api/v1/overview
        GET /api/v1/projects
        GET /api/v1/organisations
        GET /api/v1/allocations
        GET /api/v1/refund-cases
        GET /api/v1/requests
        GET /api/v1/limits
        GET /
        GET /organisations
        GET /allocations
        GET /quota
        GET /refunds
        GET /requests
        GET /requests/new
        GET /files
        """,
    ),
    Rule(
        "See a project: people, balance, charges, storage, classes, requests, reports",
        Of.PROJECT,
        SEE_PROJECT,
        """
        GET /api/v1/projects/{account}
        GET /api/v1/projects/{account}/details
        GET /api/v1/projects/{account}/overview
        GET /api/v1/projects/{account}/members
        GET /api/v1/projects/{account}/balance
        GET /api/v1/projects/{account}/charges
        GET /api/v1/projects/{account}/storage
        GET /api/v1/projects/{account}/classes
        GET /api/v1/projects/{account}/events/stream
        GET /api/v1/allocations/{allocation_id}
        GET /api/v1/refund-cases/{case_id}
        GET /api/v1/requests/{request_id}
        GET /api/v1/requests/{request_id}/attachments/{attachment_id}
        GET /api/v1/reports/usage
        GET /api/v1/reports/charges
        GET /api/v1/reports/waste
        GET /api/v1/reports/forecast
        GET /api/v1/reports/statements/{month}
        GET /projects/{account}
        GET /projects/{account}/members
        GET /projects/{account}/usage
        GET /projects/{account}/charges
        GET /projects/{account}/requests
        GET /projects/{account}/classes
        GET /projects/{account}/storage
        GET /allocations/{allocation_id}
        GET /requests/{request_id}
        GET /requests/{request_id}/attachments/{attachment_id}
        GET /reports
        GET /reports/waste
        GET /reports/forecast
        GET /reports/statement
        """,
    ),
    Rule(
        "See a member's limits",
        Of.PROJECT,
        SEE_PROJECT - MEMBERS | {OWNER, LEAD},
        """
        GET /api/v1/projects/{account}/limits
        GET /projects/{account}/limits
        GET /limits
        """,
    ),
    Rule(
        "Work in a project: what forms offer first",
        Of.PROJECT,
        MEMBERS,
        """
        GET /work-in/{account}
        """,
        refused_as=Decision.HIDDEN,
    ),
    Rule(
        "Have a project's storage measured",
        Of.PROJECT,
        MEMBERS | MANAGERS,
        """
        POST /api/v1/projects/{account}/storage/measurements
        POST /projects/{account}/storage/measure
        """,
        project_token=True,
    ),
    Rule(
        "Choose a project's people: places, leadership, invitations",
        Of.PROJECT,
        LEADERS,
        """
        PUT /api/v1/projects/{account}/members/{username}
        POST /api/v1/projects/{account}/hand-over
        POST /api/v1/projects/{account}/invitations
        POST /projects/{account}/members/{username}
        POST /projects/{account}/hand-over
        POST /projects/{account}/invite
        """,
        project_token=True,
    ),
    Rule(
        "Send an invitation to a project again, or revoke it",
        Of.PROJECT,
        LEADERS,
        """
        POST /api/v1/invitations/{invitation_id}/resend
        DELETE /api/v1/invitations/{invitation_id}
        POST /invites/{invitation_id}/resend
        POST /invites/{invitation_id}/revoke
        """,
    ),
    Rule(
        "See who is invited to a project",
        Of.PROJECT,
        LEADERS,
        """
        GET /api/v1/projects/{account}/invitations
        """,
    ),
    Rule(
        "See a project's service accounts",
        Of.PROJECT,
        SEE_PROJECT,
        """
        GET /api/v1/projects/{account}/service-accounts
        GET /projects/{account}/service-accounts
        """,
    ),
    Rule(
        "Create a service account of a project",
        Of.PROJECT,
        LEADERS,
        """
        POST /api/v1/projects/{account}/service-accounts
        POST /projects/{account}/service-accounts
        """,
    ),
    Rule(
        "Change and end a service account, give it tokens and revoke them; so may who answers for it",
        Of.PROJECT,
        LEADERS,
        """
        PATCH /api/v1/projects/{account}/service-accounts/{service}
        DELETE /api/v1/projects/{account}/service-accounts/{service}
        POST /api/v1/projects/{account}/service-accounts/{service}/tokens
        POST /api/v1/projects/{account}/service-accounts/{service}/tokens/{token_id}/rotate
        DELETE /api/v1/projects/{account}/service-accounts/{service}/tokens/{token_id}
        POST /projects/{account}/service-accounts/{service}/change
        POST /projects/{account}/service-accounts/{service}/end
        POST /projects/{account}/service-accounts/{service}/tokens
        POST /projects/{account}/service-accounts/{service}/tokens/{token_id}/rotate
        POST /projects/{account}/service-accounts/{service}/tokens/{token_id}/revoke
        """,
    ),
    Rule(
        "Suspend, resume and close a project",
        Of.PROJECT,
        MANAGERS,
        """
        PUT /api/v1/projects/{account}/state
        POST /projects/{account}/state
        """,
        project_token=True,
    ),
    Rule(
        "Limit a project",
        Of.PROJECT,
        MANAGERS,
        """
        PUT /api/v1/limits
        POST /limits
        """,
    ),
    Rule(
        "Ask for quota, change the request, withdraw it",
        Of.PROJECT,
        LEADERS,
        """
        POST /api/v1/requests
        POST /api/v1/requests/from-shortage
        PUT /api/v1/requests/{request_id}
        POST /api/v1/requests/{request_id}/submit
        POST /api/v1/requests/{request_id}/withdraw
        POST /api/v1/requests/{request_id}/attachments
        DELETE /api/v1/requests/{request_id}/attachments/{attachment_id}
        GET /requests/{request_id}/edit
        POST /requests/{request_id}/edit
        POST /requests/{request_id}/submit
        POST /requests/{request_id}/withdraw
        POST /requests/{request_id}/attachments
        POST /requests/{request_id}/attachments/{attachment_id}/remove
        """,
        project_token=True,
    ),
    Rule(
        "Ask for quota by a form, which offers one's own projects",
        Of.PROJECT,
        LEADERS,
        """
        POST /requests
        """,
        hidden_as=Decision.AGAIN,
    ),
    Rule(
        "Reckon what a request would be worth",
        Of.ALL,
        EVERYBODY,
        """
        POST /requests/price
        """,
    ),
    Rule(
        "Decide on a request",
        Of.PROJECT,
        CITY,
        """
        POST /api/v1/requests/{request_id}/review
        POST /api/v1/requests/{request_id}/return
        POST /api/v1/requests/{request_id}/approve
        POST /api/v1/requests/{request_id}/approve-partly
        POST /api/v1/requests/{request_id}/deny
        POST /requests/{request_id}/decide
        """,
        project_token=True,
    ),
    Rule(
        "See what a request would do to the city's clusters",
        Of.PROJECT,
        AUDITORS,
        """
        GET /api/v1/requests/{request_id}/outlook
        """,
    ),
    Rule(
        "Split a project's budget: make a class",
        Of.PROJECT,
        LEADERS,
        """
        POST /api/v1/projects/{account}/classes
        GET /projects/{account}/classes/new
        POST /projects/{account}/classes
        """,
        project_token=True,
    ),
    Rule(
        "Change a class, end it",
        Of.CLASS,
        LEADERS,
        """
        POST /api/v1/classes/{class_id}/students
        POST /api/v1/classes/{class_id}/students/{account}/give
        POST /api/v1/classes/{class_id}/students/{account}/take
        POST /api/v1/classes/{class_id}/students/{account}/remove
        POST /api/v1/classes/{class_id}/end
        POST /classes/{class_id}/students
        POST /classes/{class_id}/students/{account}/give
        POST /classes/{class_id}/students/{account}/take
        POST /classes/{class_id}/students/{account}/remove
        POST /classes/{class_id}/end
        """,
        project_token=True,
    ),
    Rule(
        "See a class with its students",
        Of.CLASS,
        LEADERS | AUDITORS,
        """
        GET /api/v1/classes/{class_id}
        GET /classes/{class_id}
        """,
    ),
    Rule(
        "Take back one's demand for a refund",
        Of.PROJECT,
        LEADERS | {OWNER},
        """
        POST /api/v1/refund-cases/{case_id}/withdrawal
        POST /refunds/{case_id}/withdraw
        """,
    ),
    Rule(
        "See an organisation: what it is called, its projects, what it uses",
        Of.MEMBERSHIP,
        KNOW_ORGANISATION,
        """
        GET /api/v1/organisations/{slug}
        GET /api/v1/organisations/{slug}/overview
        GET /organisations/{slug}
        GET /organisations/{slug}/usage
        GET /organisations/{slug}/members
        """,
    ),
    Rule(
        "List an organisation's people",
        Of.MEMBERSHIP,
        SEE_ORGANISATION,
        """
        GET /api/v1/organisations/{slug}/members
        """,
    ),
    Rule(
        "See who is invited to an organisation",
        Of.ORGANISATION,
        MANAGERS,
        """
        GET /api/v1/organisations/{slug}/invitations
        """,
    ),
    Rule(
        "Choose an organisation's people: places, leadership, invitations",
        Of.ORGANISATION,
        MANAGERS,
        """
        PUT /api/v1/organisations/{slug}/members/{username}
        POST /api/v1/organisations/{slug}/hand-over
        POST /api/v1/organisations/{slug}/invitations
        POST /organisations/{slug}/members/{username}
        POST /organisations/{slug}/hand-over
        POST /organisations/{slug}/invite
        """,
    ),
    Rule(
        "Suspend, resume and close an organisation",
        Of.ORGANISATION,
        CITY,
        """
        PUT /api/v1/organisations/{slug}/state
        POST /organisations/{slug}/state
        """,
    ),
)

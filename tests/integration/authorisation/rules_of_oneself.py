"""What everybody has of their own, and what nobody needs to be known for."""

from tests.integration.authorisation.rules import EVERYBODY, OWNER, Of, Rule

RULES = (
    Rule(
        "See who one is",
        Of.ALL,
        EVERYBODY,
        """
        GET /api/v1/me
        """,
    ),
    Rule(
        "See and change one's own: account, tokens, sessions, second factor, notices, webhook, views",
        Of.ALL,
        EVERYBODY,
        """
        GET /api/v1/tokens
        POST /api/v1/tokens
        GET /api/v1/sessions
        GET /api/v1/job-views
        PUT /api/v1/job-views/{name}
        DELETE /api/v1/job-views/{name}
        GET /api/v1/notices
        GET /api/v1/notices/unread
        POST /api/v1/notices/read
        PUT /api/v1/notices/choice
        GET /api/v1/notices/choices
        PUT /api/v1/notices/choices/{group}
        GET /api/v1/webhook
        PUT /api/v1/webhook
        DELETE /api/v1/webhook
        POST /api/v1/webhook/secret
        POST /api/v1/webhook/test
        GET /api/v1/webhook/deliveries
        GET /settings
        POST /settings
        POST /settings/profile
        POST /settings/password
        POST /settings/email
        GET /settings/email/{secret}
        POST /settings/email/{secret}
        POST /settings/tokens
        POST /settings/sessions/end
        POST /settings/second-factor/offer
        POST /settings/second-factor/confirm
        POST /settings/second-factor/end
        POST /settings/identity
        GET /settings/webhook
        POST /settings/webhook
        POST /settings/notices
        GET /notices
        POST /notices/read
        POST /jobs/views
        POST /jobs/views/forget
        """,
        private=True,
    ),
    Rule(
        "Change one's name, address and password; take a place that one is invited to",
        Of.ALL,
        EVERYBODY,
        """
        PATCH /api/v1/me
        POST /api/v1/me/password
        POST /api/v1/me/email
        POST /api/v1/me/email/confirm
        POST /api/v1/invitations/accept
        """,
    ),
    Rule(
        "End a token or a session",
        Of.OWN,
        frozenset({OWNER}),
        """
        DELETE /api/v1/tokens/{token_id}
        DELETE /api/v1/sessions/{session_id}
        POST /settings/tokens/{token_id}/revoke
        """,
        private=True,
    ),
    Rule(
        "Read the guide and the menu",
        Of.ALL,
        EVERYBODY,
        """
        GET /help
        GET /help/guide
        GET /help/guide/{part}
        GET /menu
        """,
    ),
    Rule(
        "Sign in and out, look at an invitation and take it, choose language and theme, read open data",
        Of.OPEN,
        EVERYBODY,
        """
        GET /api/openapi.json
        GET /api/v1/open-data
        POST /api/v1/tokens/sign-in
        POST /api/v1/invitations/look
        GET /open-data
        GET /sign-in
        POST /sign-in
        GET /sign-in/code
        POST /sign-in/code
        GET /sign-in/identity
        GET /sign-in/identity/back
        POST /sign-in/identity/logout
        POST /sign-out
        GET /invitations/{secret}
        POST /invitations/{secret}/join
        GET /language/{code}
        GET /theme/{name}
        """,
    ),
    Rule(
        "Take the place of an invitation on its page",
        Of.ALL,
        EVERYBODY,
        """
        POST /invitations/{secret}/accept
        """,
    ),
)

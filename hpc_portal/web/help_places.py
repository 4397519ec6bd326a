"""Where the question mark of each page leads: to the part of the guide that is about it."""

PLACES = (
    ("/submit", "submit"),
    ("/jobs", "watch"),
    ("/campaigns", "a-regression"),
    ("/clusters", "several-clusters"),
    ("/licenses", "several-clusters"),
    ("/quota", "what-it-costs"),
    ("/prices", "what-it-costs"),
    ("/allocations", "allocations-and-refunds"),
    ("/refunds", "allocations-and-refunds"),
    ("/requests", "ask-for-quota"),
    ("/limits", "organisations-projects-and-people"),
    ("/organisations", "organisations-projects-and-people"),
    ("/projects", "organisations-projects-and-people"),
    ("/classes", "classes"),
    ("/reports", "reports-and-statements"),
    ("/admin/books", "the-books"),
    ("/admin/organisations", "organisations-projects-and-people"),
    ("/admin/projects", "organisations-projects-and-people"),
    ("/admin/people", "organisations-projects-and-people"),
    ("/admin/prices/end-rules", "who-pays-for-which-end"),
    ("/admin/templates", "your-site-s-tools"),
    ("/notices", "notices-and-webhooks"),
    ("/settings", "notices-and-webhooks"),
)
"""The start of an address, and the anchor of a part of the guide."""


def help_for(path: str) -> str:
    """The address of what is said about a page; of all help where nothing is said about just that one."""
    fitting = [(place, part) for place, part in PLACES if path == place or path.startswith(f"{place}/")]
    part = max(fitting, default=("", ""))[1]
    return f"/help/guide/{part}" if part else "/help"

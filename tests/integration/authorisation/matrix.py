"""All rules of the matrix, in the order in which the page on authorisation shows them."""

from tests.integration.authorisation import (
    rules_of_jobs,
    rules_of_oneself,
    rules_of_tenants,
    rules_of_the_city,
)

CHAPTERS = {
    "Jobs, campaigns and files": rules_of_jobs.RULES,
    "Projects and organisations": rules_of_tenants.RULES,
    "The city": rules_of_the_city.RULES,
    "Oneself, and strangers": rules_of_oneself.RULES,
}
RULES = tuple(rule for rules in CHAPTERS.values() for rule in rules)
RULE_OF = {address: rule for rule in RULES for address in rule.addresses}
"""By method and path."""

"""Every field of work that a template may name has its place in the gallery."""

from typing import get_args

from hpc_portal.web.gallery import DOMAINS
from workloads.catalog import CATALOG
from workloads.site.document import Document


def test_no_template_falls_off_the_shelves() -> None:
    of_sites = set(get_args(Document.model_fields["domain"].annotation))
    assert of_sites
    assert {template.domain for template in CATALOG.values()} | of_sites <= set(DOMAINS)

"""The city with its scheduler in memory and loops that tests step by hand, here too."""

from tests.integration.app.conftest import features, licenses, story

__all__ = ["features", "licenses", "story"]

"""The description of the API that clients are generated from."""

from fastapi import FastAPI

from hpc_portal.api import routes


def test_every_body_and_reply_has_a_name_of_its_own() -> None:
    app = FastAPI()
    routes.install(app)
    schemas = app.openapi()["components"]["schemas"]
    assert [name for name in schemas if name.startswith("hpc_portal__")] == []

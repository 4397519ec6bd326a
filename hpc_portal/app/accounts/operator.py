"""The operator: whoever can run `hpc-portal` on a machine with the database's key may do everything."""

import socket
from uuid import UUID

from hpc_portal.app.actor import Actor
from hpc_portal.app.tables import GlobalRole

OPERATOR = Actor(
    user_id=UUID(int=0),
    username="operator",
    display_name="Operator",
    cluster_user="",
    cluster_number=0,
    global_role=GlobalRole.ADMINISTRATOR,
    address=socket.gethostname()[:64],
)
"""Passed to verbs by the operator's command line; no person, and the audit log says so."""

"""What a controller tells a node, and what it keeps to itself once another one has taken over."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from schedulers.dask.foreman import Parcel
from schedulers.dask.messages import NodeEvent
from schedulers.dask.outbox import Outbox


class Node:
    """Notes what it is asked; it has no runs."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def call(
        self,
        address: str,  # noqa: ARG002 - Link.call's
        function: Callable[..., Awaitable[Any]],
        *args: object,  # noqa: ARG002 - as above
        **kwargs: object,  # noqa: ARG002 - as above
    ) -> Any:  # noqa: ANN401 - as above
        self.asked.append(function.__name__)
        return NodeEvent("n1", "s1").to_json() if function.__name__ == "list_runs" else None


def test_a_controller_without_its_right_may_ask_a_node_but_tells_it_nothing() -> None:
    async def story() -> list[str]:
        async def refuse() -> None:
            raise PermissionError

        node, listed = Node(), asyncio.Event()
        outbox = Outbox(
            node.call, require_right=refuse, on_listed=lambda _: listed.set(), on_doubt=lambda: None
        )
        outbox.put(Parcel(cancel_keys={"a/0/0/0"}, forget_keys={"b/0/0/0"}))
        await asyncio.wait_for(listed.wait(), 30)
        await outbox.close()
        return node.asked

    assert asyncio.run(story()) == ["list_runs"]

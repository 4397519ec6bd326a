"""Programs that travel with a job: read here as text, written into its workspace, run on the node."""

from functools import cache
from importlib.resources import files


@cache
def shipped(path: str) -> str:
    """The text of a file of this package, such as `fifo/fifo.sv`."""
    return files(__name__).joinpath(path).read_text(encoding="utf-8")


@cache
def shipped_module(name: str) -> str:
    """The text of a module of `workloads` that needs nothing but Python itself, such as `event_files`."""
    return files("workloads").joinpath(f"{name}.py").read_text(encoding="utf-8")

"""Programs that travel with a job: read here as text, written into its workspace, run on the node."""

from functools import cache
from importlib.resources import files


@cache
def shipped(path: str) -> str:
    """The text of a file of this package, such as `fifo/fifo.sv`."""
    return files(__name__).joinpath(path).read_text(encoding="utf-8")

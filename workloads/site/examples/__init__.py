"""Site templates for commercial tools: a site sets paths and licence servers, and publishes them."""

from importlib.resources import files


def example_names() -> tuple[str, ...]:
    """In the order of the alphabet."""
    found = (path.name for path in files(__name__).iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in found if name.endswith(".toml")))


def example(name: str) -> str | None:
    """The document of that name; None when there is none."""
    if name not in example_names():
        return None
    return files(__name__).joinpath(f"{name}.toml").read_text(encoding="utf-8")

"""Writes the generated parts of docs/: the tree in ARCHITECTURE.md and the page of settings."""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, IPvAnyNetwork, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from hpc_portal.app import settings
from hpc_portal.app.telemetry.settings import TracingSettings

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("hpc_portal", "schedulers", "workloads", "quotas")
ARCHITECTURE = ROOT / "docs" / "ARCHITECTURE.md"
SETTINGS = ROOT / "docs" / "settings.md"
TREE_START = "<!-- tree: written by `make docs` from the first line of each file's docstring -->\n```text\n"
TREE_END = "```\n<!-- end of tree -->\n"
NAME_WIDTH = 36
_TYPE_NAMES: dict[Any, str] = {
    int: "whole number",
    float: "number",
    str: "text",
    bool: "`true` or `false`",
    Path: "path",
    SecretStr: "secret",
    IPvAnyNetwork: "network",
    settings.SmtpSettings: "table, see below",
    settings.SlurmSettings: "table, see below",
    settings.IdentitySettings: "table, see below",
    TracingSettings: "table, see below",
    settings.RetentionSettings: "table, see below",
}


def main() -> None:
    """Write both, and say so."""
    ARCHITECTURE.write_text(with_tree(ARCHITECTURE.read_text("utf-8"), file_tree(ROOT)), "utf-8")
    SETTINGS.write_text(settings_page(), "utf-8")
    print(f"Wrote {ARCHITECTURE.relative_to(ROOT)} and {SETTINGS.relative_to(ROOT)}.")


def with_tree(page: str, tree: str) -> str:
    """The page with the part between its two marks replaced."""
    before, _, rest = page.partition(TREE_START)
    _, _, after = rest.partition(TREE_END)
    return f"{before}{TREE_START}{tree}{TREE_END}{after}"


def file_tree(root: Path) -> str:
    """One line a folder and a module: its name and the first line of its docstring."""
    lines = []
    for package in PACKAGES:
        lines += [_line(root, path) for path in _modules(root / package)]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _modules(folder: Path) -> Iterator[Path]:
    """The folder's __init__.py, its modules, then its folders; one-off migrations are left out."""
    if not list(folder.rglob("*.py")) or folder.name == "versions":
        return
    yield folder / "__init__.py"
    entries = sorted(folder.iterdir())
    yield from (entry for entry in entries if entry.suffix == ".py" and entry.name != "__init__.py")
    for entry in entries:
        if entry.is_dir():
            yield from _modules(entry)


def _line(root: Path, path: Path) -> str:
    depth = len(path.relative_to(root).parts) - 1
    is_folder = path.name == "__init__.py"
    name = f"{'  ' * (depth - is_folder)}{f'{path.parent.name}/' if is_folder else path.name}"
    return f"{name:<{NAME_WIDTH}}{first_line(path)}"


def first_line(path: Path) -> str:
    """The first line of a module's docstring; empty when the module is missing or has none."""
    docstring = ast.get_docstring(ast.parse(path.read_text("utf-8"))) if path.exists() else None
    return (docstring or "").partition("\n")[0]


def settings_page() -> str:
    """A table of every setting, from the fields and the docstrings under them."""
    parts = [
        "# Settings\n",
        "Written by `make docs` from `hpc_portal/app/settings.py`; a test compares them. Every setting is",
        "an environment variable. A wrong value stops the portal at start and names the setting. Units stand",
        "at the end of the names; lists and tables are written as JSON.\n",
        *_table(settings.Settings, prefix="HPC_PORTAL_"),
        "\n## One entry of `HPC_PORTAL_PARTITIONS`\n",
        "```sh",
        "HPC_PORTAL_PARTITIONS='[",
        '  {"name": "cpu", "nodes": "cpu-*", "is_default": true},',
        '  {"name": "gpu", "nodes": "gpu-*", "max_walltime_seconds": 259200}',
        "]'",
        "```\n",
        *_table(settings.PartitionSettings, prefix=""),
        "\n## A Slurm cluster: `HPC_PORTAL_SLURM`\n",
        "There is one as soon as its URL is set. Each is a variable, or all are one JSON object.\n",
        *_table(settings.SlurmSettings, prefix="HPC_PORTAL_SLURM__"),
        "\n## Notices by mail: `HPC_PORTAL_SMTP`\n",
        "They are sent as soon as a server and a sender are set.\n",
        *_table(settings.SmtpSettings, prefix="HPC_PORTAL_SMTP__"),
        "\n## Sign-in with the city's identity: `HPC_PORTAL_IDENTITY`\n",
        "There is one as soon as its issuer and our client id are set; see operations.md.\n",
        *_table(settings.IdentitySettings, prefix="HPC_PORTAL_IDENTITY__"),
        "\n## One entry of `HPC_PORTAL_IDENTITY__PLACES`\n",
        *_table(settings.IdentityPlace, prefix=""),
        "\n## One entry of `HPC_PORTAL_IDENTITY__PROJECTS`\n",
        *_table(settings.IdentityProject, prefix=""),
        "\n## Traces: `HPC_PORTAL_TRACING`\n",
        "They are sent as soon as an endpoint is set; see operations.md.\n",
        *_table(TracingSettings, prefix="HPC_PORTAL_TRACING__"),
        "\n## What is kept how long: `HPC_PORTAL_RETENTION`\n",
        *_table(settings.RetentionSettings, prefix="HPC_PORTAL_RETENTION__"),
    ]
    return "\n".join(parts) + "\n"


def _table(model: type[BaseModel], *, prefix: str) -> Iterator[str]:
    descriptions = field_docstrings(Path(inspect.getfile(model)), model.__name__)
    yield "| name | kind | default | meaning |"
    yield "| --- | --- | --- | --- |"
    for name, field in model.model_fields.items():
        shown = prefix + name.upper() if prefix else name
        meaning = " ".join(descriptions[name].split())
        yield f"| `{shown}` | {_kind(field)} | {_default(field)} | {meaning} |"


def field_docstrings(path: Path, class_name: str) -> dict[str, str]:
    """The docstring under each annotated field of a class; "" where there is none."""
    tree = ast.parse(path.read_text("utf-8"))
    body = next(n.body for n in tree.body if isinstance(n, ast.ClassDef) and n.name == class_name)
    found = {}
    for position, node in enumerate(body):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found[node.target.id] = _text(body[position + 1 : position + 2])
    return found


def _text(statements: list[ast.stmt]) -> str:
    match statements:
        case [ast.Expr(value=ast.Constant(value=str(text)))]:
            return text
        case _:
            return ""


def _kind(field: FieldInfo) -> str:
    return _type_name(field.annotation) + _bounds(field)


def _type_name(kind: Any) -> str:  # noqa: ANN401 - any annotation
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _type_name(arguments[0])
    if origin in {Union, UnionType}:
        return " or ".join(_type_name(part) for part in arguments if part is not NoneType)
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin is dict:
        kind_of_value = _type_name(arguments[1])
        return f"table of {kind_of_value if get_origin(arguments[1]) else f'{kind_of_value}s'} by name"
    if origin is list:
        return f"list of {_TYPE_NAMES.get(arguments[0], 'table')}s"
    return _TYPE_NAMES[kind]


def _bounds(field: FieldInfo) -> str:
    words = {"Ge": "at least", "Gt": "more than", "Le": "at most", "Lt": "less than"}
    said = []
    for rule in field.metadata:
        word = words.get(type(rule).__name__)
        if word:
            said.append(f"{word} {getattr(rule, type(rule).__name__.lower())}")
    return f", {' and '.join(said)}" if said else ""


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True, validated_data={})
    match value:
        case SecretStr() | settings.RetentionSettings() | None | "":
            return ""
        case {} | [] if not value:
            return ""
        case _ if value is PydanticUndefined:
            return "*must be given*"
        case bool():
            return f"`{str(value).lower()}`"
        case list():
            return "one partition `main` of all nodes"
        case _:
            return f"`{re.sub(r'[.]0$', '', str(value))}`"


if __name__ == "__main__":
    main()

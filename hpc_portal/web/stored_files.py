"""Files of a project that were chosen in a submit form: they then stand in it as if they had been typed."""

from hpc_portal.app.actor import Actor
from hpc_portal.app.errors import Problem, ProjectNotFound
from hpc_portal.app.project_files.place import files_to_see
from hpc_portal.app.project_files.read_text import read_texts
from hpc_portal.app.services import Services
from hpc_portal.web.show_form import STORED, Pairs


def with_stored(services: Services, actor: Actor, pairs: Pairs) -> tuple[Pairs, tuple[Problem, ...]]:
    """The form's pairs with the texts of chosen files; and what could not be read, which stays chosen.

    The project that pays is the one whose files they are. Of a project that the actor does not see nothing is
    read: that it cannot pay is said elsewhere.
    """
    account = next((value for name, value in pairs if name == "project"), "")
    if not any(name.startswith(STORED) and value.strip() for name, value in pairs):
        return pairs, ()
    try:
        place = files_to_see(services, actor, account)
    except ProjectNotFound:
        return pairs, ()
    found: list[tuple[str, str]] = []
    problems: list[Problem] = []
    for name, value in pairs:
        if not name.startswith(STORED):
            found.append((name, value))
            continue
        field, left = name.removeprefix(STORED), []
        for line in filter(str.strip, value.splitlines()):
            texts = read_texts(place, line, field=field)
            if isinstance(texts, Problem):
                problems.append(texts)
                left.append(line)
            else:
                found += [(f"{field}.{path}", text) for path, text in texts.items()]
        found.append((name, "\n".join(left)))
    return found, tuple(problems)

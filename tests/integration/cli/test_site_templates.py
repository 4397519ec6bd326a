"""`hpc-portal template`, from an example to a published version and its end."""

from pathlib import Path

import pytest

from tests.integration.cli.conftest import Ran, run_program

pytestmark = pytest.mark.xdist_group("cli-site-templates")


def test_an_example_is_adapted_published_listed_and_retired(tmp_path: Path) -> None:
    def operator(*arguments: str) -> Ran:
        environment = {"HPC_PORTAL_STATE_DIR": str(tmp_path / "state")}
        return run_program("hpc-portal", "template", *arguments, environment=environment)

    def failed(*arguments: str, code: int) -> str:
        ran = operator(*arguments)
        assert ran.code == code, ran
        return ran.stderr

    run_program("hpc-portal", "db", "upgrade", environment={"HPC_PORTAL_STATE_DIR": str(tmp_path / "state")})
    assert "design_compiler" in operator("example").stdout.split()
    document = tmp_path / "vcs.toml"
    document.write_text(
        operator("example", "vcs").stdout.replace("27020@licence.example.edu.vn", "27020@lic1")
    )
    assert "vcs-regression can be published" in operator("validate", str(document)).stdout
    assert "version 1 is published" in operator("publish", str(document)).stdout
    assert "nothing is new" in operator("publish", str(tmp_path)).stdout
    assert operator("show", "vcs-regression").stdout == document.read_text()
    assert "everybody" in operator("list").stdout
    document.write_text(document.read_text().replace("{{top}}", '"{{top}}"'))
    said = failed("publish", str(document), code=4)
    assert f"{document}:15: script: Write {{{{top}}}} without quotes" in said
    assert "is retired" in operator("retire", "vcs-regression").stderr
    assert "no template" in failed("show", "nothing", code=5)

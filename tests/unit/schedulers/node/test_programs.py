"""What a node tells of the tools that its jobs find."""

import json
import subprocess
from pathlib import Path

from schedulers.dask.messages import NodeHello
from schedulers.programs import LOOKED_FOR, missing_programs, search_script
from workloads.catalog import CATALOG


def test_what_is_on_the_path_of_jobs_is_not_missing(tmp_path: Path) -> None:
    (tmp_path / "yosys").write_text("#!/bin/sh\n")
    (tmp_path / "sta").write_text("not executable\n")
    (tmp_path / "yosys").chmod(0o755)
    assert set(missing_programs(str(tmp_path))) == set(LOOKED_FOR) - {"yosys"}


def test_the_script_for_other_nodes_finds_the_same(tmp_path: Path) -> None:
    (tmp_path / "yosys").write_text("#!/bin/sh\n")
    (tmp_path / "sta").write_text("not executable\n")
    (tmp_path / "python").write_text('#!/bin/sh\n[ "$2" = "import klayout" ]\n')
    for name in ("yosys", "python"):
        (tmp_path / name).chmod(0o755)
    said = subprocess.check_output(["/bin/sh"], input=search_script(), text=True, env={"PATH": str(tmp_path)})
    assert set(json.loads(said)) == {"yosys", "python", "klayout"}


def test_a_package_of_python_is_looked_for_beside_the_python_of_jobs(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").write_text("#!/bin/sh\n")
    (tmp_path / "bin/python").chmod(0o755)
    path = str(tmp_path / "bin")
    assert "klayout" in missing_programs(path)
    (tmp_path / "lib/python3.11/site-packages/klayout").mkdir(parents=True)
    assert not {"klayout", "python"} & set(missing_programs(path))


def test_a_node_of_an_older_version_lacks_nothing_that_is_known() -> None:
    told = NodeHello("n", "tcp://a", "id", 1, 2).to_json()
    del told["missing_programs"]
    assert NodeHello.from_json(told).missing_programs == ()


def test_nodes_look_for_every_program_that_a_template_names() -> None:
    named = {
        program
        for template in CATALOG.values()
        for program in template.render(template.validate({})).programs
    }
    assert {"yosys", "ngspice", "verilator"} <= named <= set(LOOKED_FOR)

"""A header taken into the form asks for the same job, and what is changed in the form counts."""

from datetime import UTC, datetime

import pytest

from schedulers.directives.script import translate_script
from schedulers.jobspec import JobSpec
from workloads.script import Script
from workloads.script_header import form_of, payer_of

SBATCH = """#!/bin/bash
#SBATCH --job-name="my sim" --time=30 -N 2
#SBATCH -n 8 --comment="it's a b" --mail-type=END
#SBATCH --gres=gpu:h100:2
#SBATCH --export=A=1,B=2
#SBATCH --verbose
#SBATCH --account=npu --mem=4G -L vcs:2 -a 0-9%3 -p gpu -c 3
srun ./simv
"""
BSUB = """#!/bin/bash
#BSUB -J "reg[1-10]%3"
#BSUB -q normal -n 4
#BSUB -R "rusage[mem=4G] span[hosts=1]" -W 1:30
#BSUB -R "select[avx] rusage[mem=8G]"
#BSUB -o out.%J -P proj
#BSUB -gpu "num=1"
./simv
"""
TWICE = "#!/bin/bash\n#SBATCH --time=30\n#SBATCH --time=60\n./simv\n"


def _asked(script: str) -> JobSpec:
    found = translate_script(script, name="job.sh", now=datetime.now(UTC))
    assert found.spec
    return found.spec


def _filled(script: str) -> tuple[dict[str, object], JobSpec]:
    found = form_of(script, translate_script(script, name="job.sh", now=datetime.now(UTC)))
    return found, Script().render(Script().validate(found))


@pytest.mark.parametrize("script", [SBATCH, BSUB, TWICE])
def test_the_form_asks_for_the_same_job(script: str) -> None:
    filled, spec = _filled(script)
    assert filled.keys() > {"script"}, "the header went into the form"
    asked = _asked(script)
    same = {"script": spec.script, "account": None}
    assert spec == asked.model_copy(update=same)


def test_lines_that_went_into_the_form_are_comments_and_the_rest_is_as_it_was() -> None:
    script = _filled(SBATCH)[0]["script"]
    assert isinstance(script, str)
    assert "\n##SBATCH --gres=gpu:h100:2\n" in script
    assert "\n#SBATCH --export=A=1,B=2\n" in script
    assert "\n#SBATCH '--comment=it'\"'\"'s a b' --mail-type=END\n" in script
    assert script.endswith("\nsrun ./simv\n")


@pytest.mark.parametrize("script", [SBATCH, BSUB, TWICE])
def test_a_field_set_back_to_its_default_counts(script: str) -> None:
    filled, _ = _filled(script)
    filled["resources"] = {}
    usual = Script().render(Script().validate({})).resources
    spec = Script().render(Script().validate(filled))
    assert spec.resources.walltime_seconds == usual.walltime_seconds
    assert spec.resources.nodes == usual.nodes


def test_who_pays_is_told_apart() -> None:
    translation = translate_script(SBATCH, name="x", now=datetime.now(UTC))
    assert payer_of(translation) == "npu"


def test_a_script_without_a_header_stays_as_it_is() -> None:
    script = "#!/bin/bash\necho\n"
    assert _filled(script)[0] == {"script": script}

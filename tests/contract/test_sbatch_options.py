"""Our table of sbatch's options is sbatch's own: the program itself is asked about each."""

import re

import pytest

from schedulers.directives.getopt import Arity
from schedulers.directives.sbatch_options import OPTIONS
from scripts.slurm_cluster.instance import Instance

ASK = """
for option in "$@"; do
    alone="$(sbatch "--$option" </dev/null 2>&1 | head -n 3)"
    valued="$(sbatch "--$option=value" </dev/null 2>&1 | head -n 3)"
    case "$alone" in
        *"unrecognized option"*) echo "$option UNKNOWN" ;;
        *"requires an argument"*) echo "$option REQUIRED" ;;
        *) case "$valued" in
            *"doesn't allow an argument"*) echo "$option NONE" ;;
            *) echo "$option OPTIONAL" ;;
        esac ;;
    esac
done
"""


def test_sbatch_knows_every_option_of_ours_and_takes_a_value_as_we_say(slurm: Instance) -> None:
    names = [option.name for option in OPTIONS]
    told = slurm.run("bash", "-c", ASK, "ask", *names, user="alice")
    theirs = dict(line.split() for line in told.splitlines())
    assert theirs == {option.name: option.arity.name for option in OPTIONS}


def test_we_know_every_option_that_sbatch_tells_of(slurm: Instance) -> None:
    told = slurm.run("sbatch", "--help", user="alice")
    long = set(re.findall(r"(?<![\w-])--([a-z][a-z0-9-]*)", told))
    short = {(letter, name) for letter, name in re.findall(r"-(\w), --([a-z0-9-]+)", told)}
    known = {option.name for option in OPTIONS}
    assert long - known == {"power"}, "its help tells of --power, which it does not take"
    assert short == {(option.short, option.name) for option in OPTIONS if option.short}


@pytest.mark.parametrize("arity", list(Arity))
def test_the_table_has_options_of_each_kind(arity: Arity) -> None:
    assert any(option.arity is arity for option in OPTIONS)

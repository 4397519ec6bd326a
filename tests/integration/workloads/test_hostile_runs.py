"""Hostile parameters in jobs that really run: nothing they say is executed."""

from pathlib import Path
from typing import Any

import pytest

from tests.integration.workloads.runner import prepare, run_task
from workloads.catalog import CATALOG

INJECTIONS = (
    "$(touch INJECTED)",
    "`touch INJECTED`",
    "'; touch INJECTED; '",
    "-f INJECTED",
    "x > INJECTED",
    "*",
)


@pytest.mark.parametrize("text", INJECTIONS)
@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(lambda text: {"pass_patterns": [text]}, id="pass text"),
        pytest.param(lambda text: {"fail_patterns": [text]}, id="fail text"),
        pytest.param(lambda text: {"name": text}, id="name"),
        pytest.param(
            lambda text: {
                "sources": {
                    "tb.sv": f'module tb; initial $display("TB_STAT {text}\\nTB_ERROR {text}"); endmodule\n'
                }
            },
            id="what the design prints",
        ),
    ],
)
def test_text_that_a_regression_carries_is_never_run(tmp_path: Path, raw: Any, text: str) -> None:  # noqa: ANN401
    template = CATALOG["rtl-regression"]
    params = template.validate({"tests": ["random"], "seeds": 1, **raw(text)})
    spec = template.render(params)
    prepare(tmp_path, spec)
    run_task(tmp_path, spec)
    assert not list(tmp_path.rglob("INJECTED*"))
    assert len(template.parse(tmp_path, params).tasks) == 1


@pytest.mark.parametrize("text", INJECTIONS)
def test_a_script_s_variable_arrives_as_it_is(tmp_path: Path, text: str) -> None:
    template = CATALOG["script"]
    raw = {"script": '#!/bin/bash\nprintf %s "$GIVEN"\n', "environment": {"GIVEN": text}}
    spec = template.render(template.validate(raw))
    prepare(tmp_path, spec)
    ended = run_task(tmp_path, spec)
    assert (ended.exit_code, ended.output) == (0, text)
    assert not list(tmp_path.rglob("INJECTED*"))

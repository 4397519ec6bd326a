"""Liberty: units, orders of axes, both delay models, and text that is none."""

from pathlib import Path

import pytest

from workloads.gpu.kernels.design_error import DesignError
from workloads.gpu.kernels.liberty import read_library

OSU035 = Path("/usr/share/qflow/tech/osu035/osu035_stdcells.lib")

LIBRARY = """
library (small) {
  time_unit : "10ps"; /* so that 5 is 0.05 ns */
  capacitive_load_unit (1, ff);
  lu_table_template (swapped) {
    variable_1 : total_output_net_capacitance;
    variable_2 : input_net_transition;
    index_1 ("10, 20"); index_2 ("1, 3");
  }
  cell (NAND) {
    pin (A) { direction : input; capacitance : 2; }
    pin (Y) {
      direction : output; function : "!A";
      timing () {
        related_pin : "A";
        cell_rise (swapped) { values ("1, 2", \\
          "3, 4"); }
        rise_transition (scalar) { values ("5"); }
      }
    }
  }
  cell (OLD) {
    pin (A) { direction : input; }
    pin (Y) { direction : output;
      timing () { related_pin : "A"; intrinsic_rise : 5; rise_resistance : 0.1; } }
  }
}
"""


def test_numbers_come_in_nanoseconds_and_picofarads_whatever_the_order_of_axes() -> None:
    nand = read_library(LIBRARY)["NAND"]
    assert nand.pins["A"].capacitance == pytest.approx(0.002)
    [arc] = nand.pins["Y"].arcs
    [delay], [slew] = arc.delays, arc.transitions
    assert delay.at(slew=0.01, load=0.01) == pytest.approx(0.01)
    assert delay.at(slew=0.03, load=0.01) == pytest.approx(0.02)
    assert delay.at(slew=0.01, load=0.02) == pytest.approx(0.03)
    assert delay.at(slew=0.02, load=0.015) == pytest.approx(0.025), "the middle of all four"
    assert delay.at(slew=0.01, load=0.03) == pytest.approx(0.05), "extrapolated"
    assert slew.at(9, 9) == pytest.approx(0.05)


def test_the_generic_cmos_model_is_intrinsic_plus_resistance_times_load() -> None:
    [arc] = read_library(LIBRARY)["OLD"].pins["Y"].arcs
    assert arc.delays[0].at(slew=1, load=0.1) == pytest.approx(0.05 + 0.1 * 100 * 0.01)


@pytest.mark.skipif(not OSU035.exists(), reason="Debian's qflow-tech-osu035 is not installed")
def test_a_real_library_is_read() -> None:
    cells = read_library(OSU035.read_text())
    assert len(cells) == 39
    flip_flop = cells["DFFPOSX1"]
    assert flip_flop.is_sequential
    assert flip_flop.pins["D"].setup_ns == pytest.approx(0.36875)
    assert [arc.related_pin for arc in cells["NAND2X1"].pins["Y"].arcs] == ["A", "B"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "one library group and nothing else"),
        ("library (a) {", "library is never closed"),
        ("library (a) { } }", "closes nothing"),
        ("library (a) { x y }", "'y' after 'x', where : or \\( must stand"),
        ("library (a) { x", "ends in the middle"),
        ('library (a) {\n x : "', "line 2: '\"' has no meaning"),
        ("library (a) { }", "has 0 cells"),
        ("library (a) { cell (X) { pin (A) { capacitance : nan; } } }", "'nan' is no number"),
        (LIBRARY.replace('"3, 4"', '"3"'), "a table has 3 values and needs 2 x 2"),
        (LIBRARY.replace('index_1 ("10, 20")', 'index_1 ("20, 10")'), "index does not rise"),
        (LIBRARY.replace("10ps", "10lightyears"), "time_unit"),
        ("a(b){" * 100, "nested too deeply"),
    ],
)
def test_other_text_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(DesignError, match=words):
        read_library(text)

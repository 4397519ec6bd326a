"""What characterisation hands to ngspice, and what it makes of the answers: decks, and Liberty with blanks.

A deck drives one arc with every slew into every load at once; its input falls again after a window, so that
both edges are measured. A blank is `@ARC:MEASURE@`: `d1_0_2` is the delay of the first edge with slew 0 and
load 2, `d2` that of the second edge, `s` the output's transition, `e` its level at the end of the window, and
`cap` the input's capacitance.
"""

from collections.abc import Iterator, Sequence

from workloads.eda.characterisation_function import Arc, Function
from workloads.eda.characterisation_parameters import CharacterisationParameters

_STEPS_OF_A_RAMP = 30
_MOST_STEPS = 40_000


def deck(params: CharacterisationParameters, cell: str, output: str, ports: Sequence[str], arc: Arc) -> str:
    """The deck of one arc; `ports` are those of the cell's .subckt line, in their order."""
    return "".join(f"{line}\n" for line in _lines(params, cell, output, ports, arc))


def _lines(
    params: CharacterisationParameters, cell: str, output: str, ports: Sequence[str], arc: Arc
) -> Iterator[str]:
    supply, window = params.voltage, params.window_ns
    start = window / 20
    ramps = [slew / (params.high - params.low) for slew in params.slews_ns]
    step = max(ramps[0] / _STEPS_OF_A_RAMP, 2 * window / _MOST_STEPS)
    wires = _wires(params, output, arc)
    yield f"{cell} from {arc.input} to {output}"
    if params.models:
        yield f'.lib "{params.models}" {params.corner}'
    yield f'.include "{params.netlist}"'
    yield f".temp {params.temperature:.9g}"
    # Short steps; the task takes a larger abstol where ngspice does not converge.
    yield ".options trtol=1 reltol=1e-3 abstol=1e-9 itl4=200"
    yield f"vchar_supply char_supply 0 {supply:.9g}"
    for row, ramp in enumerate(ramps):
        times = f"{start:.9g}n {ramp:.9g}n {ramp:.9g}n {window - ramp:.9g}n {10 * window:.9g}n"
        yield f"vin{row} in{row} 0 pulse(0 {supply:.9g} {times})"
        for column, load in enumerate(params.loads_pf):
            places = {"in": f"in{row}", "out": f"out{row}_{column}"}
            nodes = " ".join(places.get(wires[port], wires[port]) for port in ports)
            yield f"x{row}_{column} {nodes} {cell}"
            yield f"cl{row}_{column} out{row}_{column} 0 {load:.9g}p"
    yield f".tran {step:.9g}n {start + 2 * window:.9g}n 0 {step:.9g}n"
    for row in range(len(ramps)):
        for column in range(len(params.loads_pf)):
            yield from _measures(params, arc, row, column)
    # Of the slew in the middle, over all loads: charge that both edges move, by swing.
    middle = len(ramps) // 2
    for edge in (1, 2):
        span = f"from={start + (edge - 1) * window:.9g}n to={start + edge * window:.9g}n"
        yield f".meas tran q{edge} integ i(vin{middle}) {span}"
    yield f".meas tran cap param='(abs(q1)+abs(q2))/{2 * supply * len(params.loads_pf):.9g}'"
    yield ".end"


def _wires(params: CharacterisationParameters, output: str, arc: Arc) -> dict[str, str]:
    """The node of each port, in lower case as SPICE reads them; `in` and `out` still lack a place."""
    powers = {name.lower(): "char_supply" for name in params.supply_ports}
    grounds = {name.lower(): "0" for name in params.ground_ports}
    held = {name.lower(): "char_supply" if level else "0" for name, level in arc.held}
    return powers | grounds | held | {arc.input.lower(): "in", output.lower(): "out"}


def _measures(params: CharacterisationParameters, arc: Arc, row: int, column: int) -> Iterator[str]:
    half, low, high = (f"{part * params.voltage:.9g}" for part in (0.5, params.low, params.high))
    place, node = f"{row}_{column}", f"v(out{row}_{column})"
    for edge, moves in ((1, "rise"), (2, "fall")):
        follows = moves if not arc.inverts else ("fall" if moves == "rise" else "rise")
        begins, ends = (low, high) if follows == "rise" else (high, low)
        end = params.window_ns / 20 + edge * params.window_ns
        middle = f"targ {node} val={half} {follows}=1"
        last = f"targ {node} val={ends} {follows}=1"
        yield f".meas tran d{edge}_{place} trig v(in{row}) val={half} {moves}=1 {middle}"
        yield f".meas tran s{edge}_{place} trig {node} val={begins} {follows}=1 {last}"
        yield f".meas tran e{edge}_{place} find {node} at={end:.9g}n"


def header(params: CharacterisationParameters) -> str:
    """The library up to its first cell."""
    low, high = (f"{100 * part:.9g}" for part in (params.low, params.high))
    volts, degrees = f"{params.voltage:.9g}", f"{params.temperature:.9g}"
    thresholds = "".join(
        f"  slew_lower_threshold_pct_{edge} : {low};\n  slew_upper_threshold_pct_{edge} : {high};\n"
        f"  input_threshold_pct_{edge} : 50;\n  output_threshold_pct_{edge} : 50;\n"
        for edge in ("rise", "fall")
    )
    return (
        f"library ({params.library}) {{\n"
        "  delay_model : table_lookup;\n"
        '  time_unit : "1ns";\n  voltage_unit : "1V";\n  current_unit : "1mA";\n'
        '  pulling_resistance_unit : "1kohm";\n  leakage_power_unit : "1nW";\n'
        "  capacitive_load_unit (1, pf);\n"
        f"{thresholds}"
        f"  nom_process : 1;\n  nom_voltage : {volts};\n  nom_temperature : {degrees};\n"
        f"  operating_conditions ({params.corner}) {{\n"
        f"    process : 1;\n    voltage : {volts};\n    temperature : {degrees};\n  }}\n"
        f"  default_operating_conditions : {params.corner};\n"
        "  lu_table_template (timing) {\n"
        "    variable_1 : input_net_transition;\n    variable_2 : total_output_net_capacitance;\n"
        f"    index_1 ({_axis(params.slews_ns)});\n    index_2 ({_axis(params.loads_pf)});\n  }}\n"
    )


def cell_with_blanks(params: CharacterisationParameters, cell: str, output: str, function: Function) -> str:
    """A cell's part of the library; its numbers are blanks. Areas are 0: no netlist tells them."""
    arcs = list(function.arcs())
    first = {arc.input: number for number, arc in reversed(list(enumerate(arcs)))}
    pins = "".join(
        f"    pin ({name}) {{\n      direction : input;\n"
        f"      capacitance : {_blank(first[name], 'cap')};\n    }}\n"
        for name in first
    )
    several = {name for name in first if sum(arc.input == name for arc in arcs) > 1}
    timing = "".join(
        _timing(params, number, arc, is_conditional=arc.input in several) for number, arc in enumerate(arcs)
    )
    return (
        f"  cell ({cell}) {{\n    area : 0;\n{pins}"
        f'    pin ({output}) {{\n      direction : output;\n      function : "{function.text}";\n'
        f"      max_capacitance : {params.loads_pf[-1]:.9g};\n{timing}    }}\n  }}\n"
    )


def _timing(params: CharacterisationParameters, number: int, arc: Arc, *, is_conditional: bool) -> str:
    sense = "negative_unate" if arc.inverts else "positive_unate"
    when = f'        when : "{arc.when}";\n' if is_conditional else ""
    rise, fall = (2, 1) if arc.inverts else (1, 2)
    tables = (
        *(("cell_rise", f"d{rise}"), ("rise_transition", f"s{rise}")),
        *(("cell_fall", f"d{fall}"), ("fall_transition", f"s{fall}")),
    )
    filled = "".join(
        f"        {name} (timing) {{\n{_values(params, number, kind)}        }}\n" for name, kind in tables
    )
    return (
        f'      timing () {{\n        related_pin : "{arc.input}";\n        timing_sense : {sense};\n'
        f"{when}{filled}      }}\n"
    )


def _values(params: CharacterisationParameters, number: int, kind: str) -> str:
    rows = [
        ", ".join(_blank(number, f"{kind}_{row}_{column}") for column in range(len(params.loads_pf)))
        for row in range(len(params.slews_ns))
    ]
    lines = ", \\\n".join(f'            "{row}"' for row in rows)
    return f"          values ( \\\n{lines});\n"


def _blank(arc: int, measure: str) -> str:
    return f"@{arc}:{measure}@"


def _axis(values: Sequence[float]) -> str:
    return '"' + ", ".join(f"{value:.9g}" for value in values) + '"'

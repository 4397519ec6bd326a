// The main program of a Verilated design that cocotb drives through VPI: time moves to whatever comes next, a delay of
// the design or a trigger of the bench.
//
// cocotb's own main needs a newer Verilator than 5.006. The exit code says nothing: cocotb writes down the results.

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "Vsimulation.h"
#include "verilated.h"
#include "verilated_vpi.h"
#if VM_TRACE
#include "verilated_fst_c.h"
#endif
#if VM_COVERAGE
#include "verilated_cov.h"
#endif

extern "C" void vlog_startup_routines_bootstrap();

namespace {

constexpr auto NOTHING = ~vluint64_t{0};

bool tell_value_changes() {
    bool told = false;
    while (VerilatedVpi::callValueCbs()) told = true;
    return told;
}

}  // namespace

int main(int argc, char** argv) {
    Verilated::commandArgs(argc, argv);
    Verilated::fatalOnVpiError(false);  // cocotb asks for what may not be there
    Verilated::traceEverOn(true);
    const auto top = std::make_unique<Vsimulation>("");
#if VM_TRACE
    std::unique_ptr<VerilatedFstC> waves;
    if (const char* const path = std::getenv("RTL_WAVES_FILE")) {
        waves = std::make_unique<VerilatedFstC>();
        top->trace(waves.get(), 99);
        waves->open(path);
    }
#endif
    vlog_startup_routines_bootstrap();
    VerilatedVpi::callCbs(cbStartOfSimulation);
    tell_value_changes();
    while (!Verilated::gotFinish()) {
        for (bool again = true; again;) {
            top->eval_step();
            again = tell_value_changes();
            again |= VerilatedVpi::callCbs(cbReadWriteSynch);
            again |= tell_value_changes();
        }
        top->eval_end_step();
        VerilatedVpi::callCbs(cbReadOnlySynch);
#if VM_TRACE
        if (waves) waves->dump(Verilated::threadContextp()->time());
#endif
        const auto next = std::min<vluint64_t>(VerilatedVpi::cbNextDeadline(),
                                               top->eventsPending() ? top->nextTimeSlot() : NOTHING);
        if (next == NOTHING) break;
        Verilated::threadContextp()->time(next);
        VerilatedVpi::callCbs(cbNextSimTime);
        tell_value_changes();
        VerilatedVpi::callTimedCbs();
        tell_value_changes();
    }
    VerilatedVpi::callCbs(cbEndOfSimulation);
    top->final();
#if VM_TRACE
    if (waves) waves->close();
#endif
#if VM_COVERAGE
    if (const char* const path = std::getenv("RTL_COVERAGE_FILE")) Verilated::threadContextp()->coveragep()->write(path);
#endif
    return 0;
}

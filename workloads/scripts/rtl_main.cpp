// The main program of a Verilated test bench: time runs as its delays say, coverage is written at the end.
//
// Verilator 5.006's own main (--binary) writes no coverage; a bench that ends with $fatal aborts before it.

#include <cstdlib>
#include <memory>

#include "Vsimulation.h"
#include "verilated.h"
#if VM_COVERAGE
#include "verilated_cov.h"
#endif

int main(int argc, char** argv) {
    const auto context = std::make_unique<VerilatedContext>();
    context->traceEverOn(true);
    context->commandArgs(argc, argv);
    const auto top = std::make_unique<Vsimulation>(context.get());
    while (!context->gotFinish()) {
        top->eval();
        if (!top->eventsPending()) break;
        context->time(top->nextTimeSlot());
    }
    top->final();
#if VM_COVERAGE
    if (const char* const path = std::getenv("RTL_COVERAGE_FILE")) context->coveragep()->write(path);
#endif
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
// Drives hwgen_testbench.sv through its control port, as a driver on the board would:
//
//     hwgen_testbench COMMANDS [+events=FILE] [+waves=FILE]
//
// COMMANDS is a file with one command a line, numbers in C notation:
//     write OFFSET VALUE    a control register
//     read OFFSET           prints "read OFFSET VALUE"
//     wait LIMIT            until the interrupt; prints "waited CYCLES WORDS", the words moved by the
//                           memory meanwhile, and now and then "cycle CYCLES". Exit code 3 where the
//                           interrupt does not come within LIMIT cycles.
// The memory (ddr_model.sv) begins with the file DDR_IMAGE and is left in the file DDR_DUMP.
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

#include "Vhwgen_testbench.h"
#include "verilated.h"
#if VM_TRACE
#include "verilated_fst_c.h"
#endif

namespace {

const uint64_t kPatience = 1000;       // cycles for a register access
const uint64_t kReport = 1 << 16;      // cycles between reports
const int kReset = 200;                // cycles of reset and after it
enum Exit { kDone = 0, kUsage = 2, kTimeout = 3 };

class Testbench {
 public:
    explicit Testbench(VerilatedContext* context) : context_(context), top_(context) {
#if VM_TRACE
        const std::string plusarg = context->commandArgsPlusMatch("waves=");
        if (!plusarg.empty()) {
            context->traceEverOn(true);
            waves_ = std::make_unique<VerilatedFstC>();
            top_.trace(waves_.get(), 99);
            waves_->open(plusarg.substr(plusarg.find('=') + 1).c_str());
        }
#endif
        top_.ap_rst_n = 0;
        for (int i = 0; i < kReset; ++i) tick();
        top_.ap_rst_n = 1;
        for (int i = 0; i < kReset; ++i) tick();
    }

    ~Testbench() {
#if VM_TRACE
        if (waves_) waves_->close();
#endif
        top_.final();
    }

    bool write(uint32_t offset, uint32_t value) {
        top_.s_axi_control_AWADDR = offset;
        top_.s_axi_control_AWVALID = 1;
        top_.s_axi_control_WDATA = value;
        top_.s_axi_control_WSTRB = 0xf;
        top_.s_axi_control_WVALID = 1;
        top_.s_axi_control_BREADY = 1;
        for (uint64_t i = 0; i < kPatience; ++i) {
            low();
            const bool address = top_.s_axi_control_AWVALID && top_.s_axi_control_AWREADY;
            const bool data = top_.s_axi_control_WVALID && top_.s_axi_control_WREADY;
            const bool answer = top_.s_axi_control_BVALID;
            high();
            if (address) top_.s_axi_control_AWVALID = 0;
            if (data) top_.s_axi_control_WVALID = 0;
            if (answer) return true;
        }
        return false;
    }

    bool read(uint32_t offset, uint32_t* value) {
        top_.s_axi_control_ARADDR = offset;
        top_.s_axi_control_ARVALID = 1;
        top_.s_axi_control_RREADY = 1;
        for (uint64_t i = 0; i < kPatience; ++i) {
            low();
            const bool address = top_.s_axi_control_ARVALID && top_.s_axi_control_ARREADY;
            const bool answer = top_.s_axi_control_RVALID;
            *value = top_.s_axi_control_RDATA;
            high();
            if (address) top_.s_axi_control_ARVALID = 0;
            if (answer) return true;
        }
        return false;
    }

    bool wait(uint64_t limit) {
        const uint64_t words = top_.words_moved;
        uint64_t cycles = 0;
        for (; cycles < limit && !top_.irq; ++cycles) {
            tick();
            if (cycles % kReport == kReport - 1) {
                std::printf("cycle %" PRIu64 "\n", cycles + 1);
                std::fflush(stdout);
            }
        }
        if (!top_.irq) return false;
        std::printf("waited %" PRIu64 " %" PRIu64 "\n", cycles, top_.words_moved - words);
        return true;
    }

 private:
    void low() {
        top_.ap_clk = 0;
        top_.eval();
        dump();
    }
    void high() {
        top_.ap_clk = 1;
        top_.eval();
        dump();
    }
    void tick() {
        low();
        high();
    }
    void dump() {
        context_->timeInc(1);
#if VM_TRACE
        if (waves_) waves_->dump(context_->time());
#endif
    }

    VerilatedContext* context_;
    Vhwgen_testbench top_;
#if VM_TRACE
    std::unique_ptr<VerilatedFstC> waves_;
#endif
};

int run(VerilatedContext* context, std::FILE* commands) {
    Testbench testbench(context);
    char line[256];
    while (std::fgets(line, sizeof line, commands)) {
        uint64_t limit = 0;
        uint32_t offset = 0, value = 0;
        long long first = 0, second = 0;
        bool good = true;
        if (std::sscanf(line, "write %lli %lli", &first, &second) == 2) {
            good = testbench.write(uint32_t(first), uint32_t(second));
        } else if (std::sscanf(line, "read %lli", &first) == 1) {
            offset = uint32_t(first);
            good = testbench.read(offset, &value);
            if (good) std::printf("read %" PRIu32 " %" PRIu32 "\n", offset, value);
        } else if (std::sscanf(line, "wait %lli", &first) == 1) {
            limit = uint64_t(first);
            good = testbench.wait(limit);
        } else {
            std::fprintf(stderr, "testbench: not a command: %s", line);
            return kUsage;
        }
        std::fflush(stdout);
        if (!good) {
            std::fprintf(stderr, "testbench: no answer to: %s", line);
            return kTimeout;
        }
    }
    return kDone;
}

}  // namespace

int main(int argc, char** argv) {
    std::FILE* commands = argc > 1 ? std::fopen(argv[1], "r") : nullptr;
    if (commands == nullptr) {
        std::fprintf(stderr, "usage: hwgen_testbench COMMANDS [+events=FILE] [+waves=FILE]\n");
        return kUsage;
    }
    VerilatedContext context;
    context.commandArgs(argc, argv);
    return run(&context, commands);
}

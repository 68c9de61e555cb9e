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
//     reset                 of engine and memory ports, as loading a bitstream does
// The memory (ddr_model.sv) begins with the file DDR_IMAGE and is left in the file DDR_DUMP, or is
// the file DDR_SHARED; see ddr_memory.cpp. It fails by command, until mended:
//     fail FIRST LAST       what touches these byte addresses is answered with an error
//     freeze ON             1: nothing is taken or answered, 0: memory goes on
//     corrupt PORT HIGH LOW these of 128 bits are flipped in all words that the port reads
//     mend
//
// COMMANDS may be "-", standard input: then this is a board whose clock runs without commands, as
// long as the engine works. Each command is answered by its output and a line "ok", each change of
// the interrupt is told at once by a line "irq LEVEL", and the end of input ends the simulation.
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "Vhwgen_testbench.h"
#include "verilated.h"
#if VM_TRACE
#include "verilated_fst_c.h"
#endif

// ddr_memory.cpp
extern "C" {
void ddr_fail(std::uint64_t first, std::uint64_t last);
void ddr_freeze(bool on);
void ddr_corrupt(int port, std::uint64_t high, std::uint64_t low);
void ddr_mend();
}

namespace {

const uint64_t kPatience = 1000;       // cycles for a register access
const uint64_t kReport = 1 << 16;      // cycles between reports
const int kReset = 200;                // cycles of reset and after it
const int kSlice = 16;                 // cycles between looks for a command
const int kSettle = 256;               // cycles after a run, for what it leaves at the ports
enum Exit { kDone = 0, kUsage = 2, kTimeout = 3 };

// The lines of a file, or of another process.
class Commands {
 public:
    explicit Commands(int file) : file_(file) {}

    // Whether there is something to read, the end included.
    bool ready() const {
        pollfd input = {file_, POLLIN, 0};
        return text_.find('\n') != std::string::npos || poll(&input, 1, 0) != 0;
    }

    // Waits for a line; false at the end.
    bool next(std::string* line) {
        std::size_t end;
        while ((end = text_.find('\n')) == std::string::npos) {
            char part[4096];
            const ssize_t size = read(file_, part, sizeof part);
            if (size > 0) {
                text_.append(part, size);
            } else if (text_.empty()) {
                return false;
            } else {
                text_ += '\n';  // of the last line
            }
        }
        *line = text_.substr(0, end);
        text_.erase(0, end + 1);
        return true;
    }

 private:
    int file_;
    std::string text_;  // read, but not yet taken
};

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
        reset();
    }

    ~Testbench() {
#if VM_TRACE
        if (waves_) waves_->close();
#endif
        top_.final();
    }

    void reset() {
        top_.ap_rst_n = 0;
        for (int i = 0; i < kReset; ++i) tick();
        top_.ap_rst_n = 1;
        for (int i = 0; i < kReset; ++i) tick();
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

    // Until the engine is done with its work, or there is a command.
    void work(const Commands& commands) {
        for (int still = 0; still < kSettle && !commands.ready();) {
            for (int i = 0; i < kSlice; ++i) {
                tick();
                tell_interrupt();
            }
            still = top_.busy ? 0 : still + kSlice;
        }
    }

    void tell_interrupt() {
        if (top_.irq == told_) return;
        told_ = top_.irq;
        std::printf("irq %d\n", told_);
        std::fflush(stdout);
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
    int told_ = 0;
#if VM_TRACE
    std::unique_ptr<VerilatedFstC> waves_;
#endif
};

// kDone, or why the simulation cannot go on.
Exit execute(const std::string& line, Testbench* testbench) {
    std::istringstream words(line);
    std::string name, word;
    std::vector<uint64_t> numbers;
    words >> name;
    while (words >> word) {
        char* end = nullptr;
        numbers.push_back(std::strtoull(word.c_str(), &end, 0));
        if (*end != '\0') return kUsage;
    }
    const auto is = [&](const char* command, std::size_t count) {
        return name == command && numbers.size() == count;
    };
    bool good = true;
    if (is("write", 2)) {
        good = testbench->write(uint32_t(numbers[0]), uint32_t(numbers[1]));
    } else if (is("read", 1)) {
        uint32_t value = 0;
        good = testbench->read(uint32_t(numbers[0]), &value);
        if (good) std::printf("read %" PRIu64 " %" PRIu32 "\n", numbers[0], value);
    } else if (is("wait", 1)) {
        good = testbench->wait(numbers[0]);
    } else if (is("reset", 0)) {
        testbench->reset();
    } else if (is("fail", 2)) {
        ddr_fail(numbers[0], numbers[1]);
    } else if (is("freeze", 1)) {
        ddr_freeze(numbers[0] != 0);
    } else if (is("corrupt", 3)) {
        ddr_corrupt(int(numbers[0]), numbers[1], numbers[2]);
    } else if (is("mend", 0)) {
        ddr_mend();
    } else {
        return kUsage;
    }
    return good ? kDone : kTimeout;
}

int run(VerilatedContext* context, Commands* commands, bool board) {
    Testbench testbench(context);
    std::string line;
    for (;;) {
        if (board) testbench.work(*commands);
        if (!commands->next(&line)) return kDone;
        const Exit exit = execute(line, &testbench);
        if (exit != kDone) {
            std::fprintf(stderr, "testbench: %s: %s\n",
                         exit == kUsage ? "not a command" : "no answer to", line.c_str());
            return exit;
        }
        if (board) {
            testbench.tell_interrupt();
            std::printf("ok\n");
        }
        std::fflush(stdout);
    }
}

}  // namespace

int main(int argc, char** argv) {
    const bool board = argc > 1 && std::strcmp(argv[1], "-") == 0;
    const int file = board ? STDIN_FILENO : argc > 1 ? open(argv[1], O_RDONLY) : -1;
    if (file < 0) {
        std::fprintf(stderr, "usage: hwgen_testbench COMMANDS [+events=FILE] [+waves=FILE]\n");
        return kUsage;
    }
    VerilatedContext context;
    context.commandArgs(argc, argv);
    Commands commands(file);
    return run(&context, &commands, board);
}

// SPDX-License-Identifier: Apache-2.0
// Runs whole networks on the engine core, fast: instructions and beats from a file, outputs to a
// file. The memory is a queue of PREFETCH beats that fills at a bandwidth, after a latency.
//
// Case file, little-endian 32-bit words: lanes, instructions, beats, output vectors, prefetch beats,
// memory bandwidth in 1/65536 beats a cycle, latency; then the instructions (16 words each) and the
// beats. The result file: cycles, error code, then the output vectors.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "Vengine_core.h"
#include "verilated.h"

namespace {

const uint64_t LIMIT = 100000000;  // cycles: no network takes that long

std::vector<uint32_t> read_words(const char* path) {
    std::vector<uint32_t> words;
    FILE* file = std::fopen(path, "rb");
    if (!file) return words;
    std::fseek(file, 0, SEEK_END);
    words.resize(std::ftell(file) / 4);
    std::rewind(file);
    if (std::fread(words.data(), 4, words.size(), file) != words.size()) words.clear();
    std::fclose(file);
    return words;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fprintf(stderr, "usage: core CASE RESULT\n");
        return 2;
    }
    const std::vector<uint32_t> words = read_words(argv[1]);
    if (words.size() < 7) {
        std::fprintf(stderr, "core: %s is no case file\n", argv[1]);
        return 2;
    }
    const uint32_t lanes = words[0], instructions = words[1], beats = words[2], vectors = words[3];
    const uint32_t prefetch = words[4], bandwidth = words[5], latency = words[6];
    const uint32_t* instruction = &words[7];
    const uint32_t* beat = instruction + 16 * instructions;
    std::vector<uint32_t> output(vectors * lanes / 2, 0);

    VerilatedContext context;
    auto core = std::make_unique<Vengine_core>(&context);
    auto tick = [&core]() {
        core->clk = 0;
        core->eval();
        core->clk = 1;
        core->eval();
    };
    core->instruction_error = 0;
    core->output_vectors = vectors;
    core->output_ready = 1;
    core->reset = 1;
    for (int i = 0; i < 100; ++i) tick();
    core->reset = 0;

    uint32_t next_instruction = 0, next_beat = 0;
    uint64_t arrived = 0, credit = 0, cycle = 0;
    bool finished = false;
    for (; cycle < LIMIT && !finished; ++cycle) {
        if (cycle >= latency && arrived < beats && arrived - next_beat < prefetch) {
            credit += bandwidth;
            const uint64_t now = credit >> 16;
            arrived = arrived + now > beats ? beats : arrived + now;
            credit &= 0xffff;
        }
        core->instruction_valid = next_instruction < instructions;
        if (core->instruction_valid) {
            std::memcpy(&core->instruction_bits[0], instruction + 16 * next_instruction, 64);
            core->instruction_last = next_instruction == instructions - 1;
        }
        core->beat_valid = next_beat < arrived;
        if (core->beat_valid)
            std::memcpy(&core->beat[0], beat + uint64_t(next_beat) * lanes / 4, lanes);
        core->clk = 0;
        core->eval();
        if (core->instruction_valid && core->instruction_ready) ++next_instruction;
        if (core->beat_valid && core->beat_ready) ++next_beat;
        if (core->output_valid && core->output_index < vectors)
            std::memcpy(&output[uint64_t(core->output_index) * lanes / 2], &core->output_vector[0],
                        2 * lanes);
        finished = core->done;
        core->clk = 1;
        core->eval();
    }
    if (!finished) {
        std::fprintf(stderr, "core: not done after %llu cycles\n", (unsigned long long)cycle);
        return 1;
    }
    FILE* file = std::fopen(argv[2], "wb");
    if (!file) return 2;
    const uint32_t head[2] = {uint32_t(cycle), core->error_code};
    std::fwrite(head, 4, 2, file);
    std::fwrite(output.data(), 4, output.size(), file);
    std::fclose(file);
    return 0;
}

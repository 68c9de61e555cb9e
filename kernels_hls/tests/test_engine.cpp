// SPDX-License-Identifier: Apache-2.0
// Runs programs one after the other and compares error code, output and the destination of every
// instruction.
#include <cstring>

#include "bench.hpp"
#include "engine.hpp"

namespace {

const std::size_t OUTPUT_SPACE = 1 << 16;  // words

struct Destination {
    uint32_t index, buffer, address, stride, slices, rows;
    std::vector<int16_t> values;
};

struct Context {
    unsigned run = 0;
    std::vector<Destination> destinations;
    unsigned long long compared = 0;
    unsigned traced = 0;
} context;

std::string place(const char* what, const Destination& d, unsigned slice, unsigned row,
                  unsigned lane) {
    return at("run", context.run) + at(" instruction", d.index) + at(" slice", slice) +
           at(" row", row) + at(" lane", lane) + what;
}

template <typename Read>
void compare(const Destination& d, Read read) {
    std::size_t i = 0;
    for (unsigned slice = 0; slice < d.slices; ++slice)
        for (unsigned row = 0; row < d.rows; ++row)
            for (unsigned lane = 0; lane < LANES; ++lane, ++i) {
                const int found = read(d.address + slice * d.stride + row, lane);
                if (found != d.values[i]) expect(place("", d, slice, row, lane), d.values[i], found);
            }
    context.compared += i;
}

void trace(unsigned index, unsigned rows, const Vector16* residual, const Vector8* work,
           const Vector8* value) {
    for (const Destination& d : context.destinations) {
        if (d.index != index) continue;
        ++context.traced;
        expect(at("run", context.run) + at(" instruction", index) + " rows", d.rows, rows);
        compare(d, [&](unsigned vector, unsigned lane) -> int {
            switch (d.buffer) {
                case BUFFER_RESIDUAL: return residual[vector].lane[lane];
                case BUFFER_WORK: return work[vector].lane[lane];
                default: return value[vector].lane[lane];
            }
        });
    }
}

std::vector<word_t> words_of(const std::vector<uint64_t>& halves) {
    std::vector<word_t> words(halves.size() / 2);
    for (std::size_t i = 0; i < words.size(); ++i)
        words[i] = (word_t(halves[2 * i + 1]) << 64) | word_t(halves[2 * i]);
    return words;
}

int16_t value_of(const std::vector<word_t>& words, std::size_t index) {
    const ap_uint<16> bits = words[index / 8] >> (16 * (index % 8));
    return static_cast<int16_t>(bits.to_uint());
}

}  // namespace

int main(int argc, char** argv) {
    Vectors vectors(argc, argv);
    hwgen_trace = trace;
    while (!vectors.at_end()) {
        const uint64_t program = vectors.next<uint64_t>();
        const uint64_t weights = vectors.next<uint64_t>();
        const uint64_t input = vectors.next<uint64_t>();
        const uint32_t error = vectors.next<uint32_t>();
        const uint32_t memory_words = vectors.next<uint32_t>();
        const uint32_t output_values = vectors.next<uint32_t>();
        const uint32_t destinations = vectors.next<uint32_t>();
        const std::vector<word_t> memory = words_of(vectors.next<uint64_t>(2 * memory_words));
        const std::vector<int16_t> expected = vectors.next<int16_t>(output_values);
        context.destinations.clear();
        context.traced = 0;
        for (uint32_t i = 0; i < destinations; ++i) {
            Destination d;
            d.index = vectors.next<uint32_t>();
            d.buffer = vectors.next<uint32_t>();
            d.address = vectors.next<uint32_t>();
            d.stride = vectors.next<uint32_t>();
            d.slices = vectors.next<uint32_t>();
            d.rows = vectors.next<uint32_t>();
            d.values = vectors.next<int16_t>(std::size_t(d.slices) * d.rows * LANES);
            context.destinations.push_back(d);
        }
        // A run that ends with an error may have stored results before.
        std::vector<word_t> output(output_values / 8 + OUTPUT_SPACE, word_t(0));
        const word_t* base = memory.data();
        ap_uint<32> found = 99;
        engine(base,
#if HWGEN_PORTS > 1
               base,
#endif
#if HWGEN_PORTS > 2
               base, base,
#endif
               output.data(), program, weights, input, found);
        expect(at("error code of run", context.run), error, found.to_uint());
        expect(at("instructions traced in run", context.run), destinations, context.traced);
        for (uint32_t i = 0; i < output_values; ++i)
            expect(at("run", context.run) + at(" output", i / LANES, i % LANES), expected[i],
                   value_of(output, i));
        context.compared += output_values;
        ++context.run;
    }
    return passed("engine", context.compared);
}

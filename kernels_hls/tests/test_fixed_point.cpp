// SPDX-License-Identifier: Apache-2.0
// requantise() to both widths.
#include "bench.hpp"
#include "fixed_point.hpp"

int main(int argc, char** argv) {
    Vectors vectors(argc, argv);
    const uint32_t count = vectors.next<uint32_t>();
    const std::vector<int32_t> accumulators = vectors.next<int32_t>(count);
    const std::vector<uint16_t> multipliers = vectors.next<uint16_t>(count);
    const std::vector<uint8_t> shifts = vectors.next<uint8_t>(count);
    const std::vector<int16_t> narrow = vectors.next<int16_t>(count);
    const std::vector<int16_t> wide = vectors.next<int16_t>(count);
    for (uint32_t i = 0; i < count; ++i) {
        const accumulator_t accumulator = accumulators[i];
        expect(at("int8", i), narrow[i],
               requantise<INT8_LIMIT>(accumulator, multipliers[i], shifts[i]).to_int());
        expect(at("int16", i), wide[i],
               requantise<INT16_LIMIT>(accumulator, multipliers[i], shifts[i]).to_int());
    }
    return passed("fixed_point", 2ull * count);
}

// SPDX-License-Identifier: Apache-2.0
// reciprocal(), inverse_sqrt() and the row ratios made from them.
#include "bench.hpp"
#include "fixed_point.hpp"
#include "piecewise.hpp"

int main(int argc, char** argv) {
    Vectors vectors(argc, argv);
    unsigned long long compared = 0;
    for (int inverse = 0; inverse < 2; ++inverse) {
        const char* name = inverse ? "inverse_sqrt" : "reciprocal";
        const uint32_t count = vectors.next<uint32_t>();
        const std::vector<uint64_t> values = vectors.next<uint64_t>(count);
        const std::vector<uint16_t> multipliers = vectors.next<uint16_t>(count);
        const std::vector<uint8_t> shifts = vectors.next<uint8_t>(count);
        for (uint32_t i = 0; i < count; ++i) {
            const Root root = inverse ? inverse_sqrt(values[i]) : reciprocal(values[i]);
            expect(at(name, values[i]) + " multiplier", multipliers[i], root.multiplier.to_int());
            expect(at(name, values[i]) + " shift", shifts[i], root.shift.to_int());
        }
        compared += 2ull * count;
    }
    const uint32_t count = vectors.next<uint32_t>();
    for (uint32_t i = 0; i < count; ++i) {
        const std::vector<uint16_t> v = vectors.next<uint16_t>(6);
        const Ratio given = {v[2], v[3]};
        const Ratio ratio = scale_ratio(v[0], v[1], given);
        expect(at("scale_ratio multiplier", i), v[4], ratio.multiplier.to_int());
        expect(at("scale_ratio shift", i), v[5], ratio.shift.to_int());
    }
    return passed("piecewise", compared + 2ull * count);
}

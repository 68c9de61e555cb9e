// SPDX-License-Identifier: Apache-2.0
// The reciprocal of every count, and means of sums.
#include "bench.hpp"
#include "mean.hpp"

int main(int argc, char** argv) {
    Vectors vectors(argc, argv);
    for (unsigned count = 1; count <= MEAN_ROWS; ++count) {
        const std::vector<uint16_t> expected = vectors.next<uint16_t>(2);
        const Ratio ratio = mean_ratio(count);
        expect(at("multiplier of", count), expected[0], ratio.multiplier.to_int());
        expect(at("shift of", count), expected[1], ratio.shift.to_int());
    }
    unsigned long long compared = 2 * MEAN_ROWS;
    while (!vectors.at_end()) {
        const uint32_t count = vectors.next<uint32_t>();
        const Vector32 sums = vectors.next<Vector32>();
        const Vector16 expected = vectors.next<Vector16>();
        const Vector16 found = mean_vector(sums, mean_ratio(count));
        for (unsigned lane = 0; lane < LANES; ++lane)
            expect(at("mean of", count) + at(" lane", lane), expected.lane[lane],
                   found.lane[lane]);
        compared += LANES;
    }
    return passed("mean", compared);
}

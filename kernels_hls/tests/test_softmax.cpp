// SPDX-License-Identifier: Apache-2.0
// The table of exponentials for several multipliers, and whole heads of scores.
#include "bench.hpp"
#include "softmax.hpp"

namespace {

exponential_table_t table;
Vector8 scores[SCORE_DEPTH];
int8_t peaks[MAX_ROWS];
Ratio ratios[MAX_ROWS];

unsigned long long test_table(Vectors& vectors) {
    const uint32_t count = vectors.next<uint32_t>();
    for (uint32_t i = 0; i < count; ++i) {
        const uint16_t multiplier = vectors.next<uint16_t>();
        const std::vector<uint8_t> expected = vectors.next<uint8_t>(TABLE_SIZE - 1);
        fill_table(table, multiplier);
        for (unsigned difference = 0; difference < TABLE_SIZE - 1; ++difference)
            for (unsigned lane = 0; lane < LANES; ++lane)
                expect(at("multiplier", multiplier) + at(" difference", difference),
                       expected[difference], table[lane][difference].to_int());
    }
    return 255ull * count;
}

// Scores and exponentials come as rows of `slices * LANES` columns.
unsigned long long test_head(Vectors& vectors) {
    const std::vector<uint16_t> v = vectors.next<uint16_t>(5);
    const unsigned rows = v[0], keys = v[1];
    const unsigned slices = (keys + LANES - 1) / LANES;
    const Ratio output = {v[3], v[4]};
    fill_table(table, v[2]);
    for (unsigned row = 0; row < rows; ++row) {
        peaks[row] = vectors.next<int8_t>();
        for (unsigned slice = 0; slice < slices; ++slice)
            scores[slice * rows + row] = vectors.next<Vector8>();
    }
    exponentials(scores, peaks, table, ratios, rows, slices, keys, output);
    for (unsigned row = 0; row < rows; ++row) {
        for (unsigned slice = 0; slice < slices; ++slice) {
            const Vector8 expected = vectors.next<Vector8>();
            for (unsigned lane = 0; lane < LANES; ++lane)
                expect(at("row", row) + at(" key", slice * LANES + lane), expected.lane[lane],
                       scores[slice * rows + row].lane[lane]);
        }
        const std::vector<uint16_t> ratio = vectors.next<uint16_t>(2);
        expect(at("multiplier of row", row), ratio[0], ratios[row].multiplier.to_int());
        expect(at("shift of row", row), ratio[1], ratios[row].shift.to_int());
    }
    return rows * (slices * LANES + 2);
}

}  // namespace

int main(int argc, char** argv) {
    Vectors vectors(argc, argv);
    unsigned long long compared = test_table(vectors);
    while (!vectors.at_end()) compared += test_head(vectors);
    return passed("softmax", compared);
}

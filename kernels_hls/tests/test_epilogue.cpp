// SPDX-License-Identifier: Apache-2.0
// Rows of accumulators through bias, requantisation, GELU and residual in every allowed mode.
#include "bench.hpp"
#include "epilogue.hpp"

int main(int argc, char** argv) {
    Vectors vectors(argc, argv);
    unsigned long long compared = 0;
    for (unsigned part = 0; !vectors.at_end(); ++part) {
        const std::vector<uint16_t> v = vectors.next<uint16_t>(10);
        Epilogue epilogue;
        epilogue.narrow = v[0];
        epilogue.gelu = v[1];
        epilogue.residual = v[2];
        epilogue.by_row = v[3];
        epilogue.gelu_constants = {v[4], v[5]};
        epilogue.gelu_output = {v[6], v[7]};
        const Ratio row_ratio = {v[8], v[9]};
        Channel channels[LANES];
        for (unsigned beat = 0; beat < PARAMETER_BEATS; ++beat)
            load_channels(channels, beat, vectors.next<Vector8>());
        const uint32_t rows = vectors.next<uint32_t>();
        for (uint32_t row = 0; row < rows; ++row) {
            const Vector32 sums = vectors.next<Vector32>();
            const Vector16 residual = vectors.next<Vector16>();
            const Vector16 expected = vectors.next<Vector16>();
            const Vector16 found = finish_row(epilogue, sums, channels, row_ratio, residual);
            for (unsigned lane = 0; lane < LANES; ++lane)
                expect(at("part", part) + at(" row", row) + at(" lane", lane), expected.lane[lane],
                       found.lane[lane]);
        }
        compared += rows * LANES;
    }
    return passed("epilogue", compared);
}

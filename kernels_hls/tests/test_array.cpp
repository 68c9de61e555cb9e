// SPDX-License-Identifier: Apache-2.0
// Tiles of weights, loaded output by output, times rows of activations. Compiled twice: with
// HWGEN_EXACT_TYPES the operands have the widths of the DSP's ports.
#include "array.hpp"
#include "bench.hpp"

int main(int argc, char** argv) {
    Vectors vectors(argc, argv);
    static weights_t loaded, weights;
    unsigned long long compared = 0;
    for (unsigned tile = 0; !vectors.at_end(); ++tile) {
        for (unsigned pair = 0; pair < PAIRS; ++pair) {
            const Vector8 even = vectors.next<Vector8>();
            const Vector8 odd = vectors.next<Vector8>();
            load_pair(loaded, pair, even, odd);
        }
        copy_weights(weights, loaded);
        const uint32_t rows = vectors.next<uint32_t>();
        for (uint32_t row = 0; row < rows; ++row) {
            const Vector8 activations = vectors.next<Vector8>();
            const Vector32 expected = vectors.next<Vector32>();
            const Vector32 found = multiply(weights, activations);
            for (unsigned lane = 0; lane < LANES; ++lane)
                expect(at("tile", tile) + at(" row", row) + at(" output", lane),
                       expected.lane[lane], found.lane[lane]);
        }
        compared += static_cast<unsigned long long>(rows) * LANES;
    }
    return passed("array", compared);
}

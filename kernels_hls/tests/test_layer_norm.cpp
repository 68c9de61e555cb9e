// SPDX-License-Identifier: Apache-2.0
// Row statistics and the normalised rows of whole matrices.
#include "bench.hpp"
#include "layer_norm.hpp"

namespace {

Vector16 residual[RESIDUAL_DEPTH];
mean_t means[MAX_ROWS];
Ratio ratios[MAX_ROWS];

}  // namespace

int main(int argc, char** argv) {
    Vectors vectors(argc, argv);
    unsigned long long compared = 0;
    for (unsigned matrix = 0; !vectors.at_end(); ++matrix) {
        const std::vector<uint16_t> v = vectors.next<uint16_t>(7);
        const unsigned rows = v[0], slices = v[1], address = v[2], stride = v[3];
        NormaliseConstants constants;
        constants.columns = v[4];
        constants.output.multiplier = v[5];
        constants.output.shift = v[6];
        constants.mean_multiplier = vectors.next<uint32_t>();
        constants.epsilon = vectors.next<uint64_t>();
        for (unsigned slice = 0; slice < slices; ++slice)
            for (unsigned row = 0; row < rows; ++row)
                residual[address + slice * stride + row] = vectors.next<Vector16>();
        measure_rows(residual, means, ratios, address, stride, rows, slices, constants);
        for (unsigned slice = 0; slice < slices; ++slice)
            for (unsigned row = 0; row < rows; ++row) {
                const Vector8 expected = vectors.next<Vector8>();
                const Vector16& x = residual[address + slice * stride + row];
                for (unsigned lane = 0; lane < LANES; ++lane)
                    expect(at("matrix", matrix) + at(" row", row) +
                               at(" column", slice * LANES + lane),
                           expected.lane[lane], normalise(x.lane[lane], means[row], ratios[row]));
            }
        compared += slices * rows * LANES;
    }
    return passed("layer_norm", compared);
}

// SPDX-License-Identifier: Apache-2.0
// GELU and its int8 form for every input of several constants.
#include "bench.hpp"
#include "gelu.hpp"

int main(int argc, char** argv) {
    Vectors vectors(argc, argv);
    unsigned long long compared = 0;
    while (!vectors.at_end()) {
        const std::vector<uint16_t> v = vectors.next<uint16_t>(4);
        const GeluConstants constants = {v[0], v[1]};
        const Ratio output = {v[2], v[3]};
        const std::vector<int32_t> wide = vectors.next<int32_t>(2 * INT16_LIMIT + 1);
        const std::vector<int8_t> narrow = vectors.next<int8_t>(2 * INT16_LIMIT + 1);
        for (int x = -INT16_LIMIT; x <= INT16_LIMIT; ++x) {
            const std::size_t i = x + INT16_LIMIT;
            expect(at("gelu", x), wide[i], gelu(x, constants).to_int());
            expect(at("gelu_int8", x), narrow[i], gelu_int8(x, constants, output).to_int());
        }
        compared += wide.size() + narrow.size();
    }
    return passed("gelu", compared);
}

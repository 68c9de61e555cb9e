// SPDX-License-Identifier: Apache-2.0
// The sigmoid of every input, then selections: which rows stay and the residual buffer after each,
// all of it, so that nothing else is written.
#include "bench.hpp"
#include "token_select.hpp"

namespace {

residual_buffer_t residual;
work_buffer_t work;
kept_t kept;

unsigned long long test_sigmoid(Vectors& vectors) {
    for (int x = -128; x < 128; ++x)
        expect(at("sigmoid", x), vectors.next<uint16_t>(), sigmoid(int8_t(x)).to_int());
    return 256;
}

unsigned long long test_selection(Vectors& vectors, unsigned number) {
    instruction_t bits = 0;
    for (unsigned word = 0; word < INSTRUCTION_BYTES / 4; ++word)
        bits.range(32 * word + 31, 32 * word) = vectors.next<uint32_t>();
    const TokenSelect op(bits);
    const std::string name = at("selection", number);
    expect(name + " is legal", true, legal(op));
    for (Vector16& vector : residual) vector = vectors.next<Vector16>();
    const unsigned rows = op.rows.to_uint();
    for (unsigned row = 0; row < rows; ++row)
        work[op.score_address.to_uint() + row] = vectors.next<Vector8>();
    const rows_t written = token_select(op, residual, work, kept);
    expect(name + " rows written", vectors.next<uint32_t>(), written.to_uint());
    for (unsigned row = 0; row < rows; ++row)
        expect(name + at(" kept", row), vectors.next<uint8_t>(), kept[row].to_uint());
    for (unsigned vector = 0; vector < RESIDUAL_DEPTH; ++vector) {
        const Vector16 expected = vectors.next<Vector16>();
        for (unsigned lane = 0; lane < LANES; ++lane)
            expect(name + at(" vector", vector) + at(" lane", lane), expected.lane[lane],
                   residual[vector].lane[lane]);
    }
    return 1 + rows + RESIDUAL_DEPTH * LANES;
}

}  // namespace

int main(int argc, char** argv) {
    Vectors vectors(argc, argv);
    unsigned long long compared = test_sigmoid(vectors);
    for (unsigned number = 0; !vectors.at_end(); ++number)
        compared += test_selection(vectors, number);
    return passed("token_select", compared);
}

// SPDX-License-Identifier: Apache-2.0
// A square of int8 values written by rows and read by rows or columns, one vector a cycle. The
// array loads channel by channel: keys are channels as they lie, values have to turn around.
//
// Element (row, column) lies in bank (row + column) mod LANES at address row, so both a row and a
// column touch every bank once. A second direction of loading would instead cost a multiplexer in
// front of each weight register of the array, several times the logic.
#pragma once

#include "types.hpp"

typedef int8_t square_t[LANES][LANES];  // [bank][address]

typedef ap_uint<6> lane_t;

// Lane i moves to lane (i + amount) mod LANES: a barrel shifter of log2(LANES) stages.
inline Vector8 rotate(Vector8 values, lane_t amount) {
#pragma HLS inline
STAGE:
    for (unsigned step = 1; step < LANES; step <<= 1) {
#pragma HLS unroll
        Vector8 moved;
    MOVE:
        for (unsigned i = 0; i < LANES; ++i) {
#pragma HLS unroll
            moved.lane[(i + step) % LANES] = values.lane[i];
        }
        if (amount & step) values = moved;
    }
    return values;
}

inline void write_row(square_t square, lane_t row, const Vector8& values) {
#pragma HLS inline
    const Vector8 rotated = rotate(values, row);
WRITE_BANK:
    for (unsigned b = 0; b < LANES; ++b) {
#pragma HLS unroll
        square[b][row] = rotated.lane[b];
    }
}

// Row `index`, or column `index` where turned.
inline Vector8 read_square(const square_t square, lane_t index, bool turned) {
#pragma HLS inline
    Vector8 values;
READ_BANK:
    for (unsigned b = 0; b < LANES; ++b) {
#pragma HLS unroll
        const lane_t address = turned ? lane_t((b - index) & (LANES - 1)) : index;
        values.lane[b] = square[b][address];
    }
    return rotate(values, (LANES - index) & (LANES - 1));
}

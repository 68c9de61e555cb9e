// SPDX-License-Identifier: Apache-2.0
// Normalisation of int16 rows to int8, the first half of LayerNorm. Gamma and beta are folded into
// the matrix product that follows.
#pragma once

#include "fixed_point.hpp"
#include "piecewise.hpp"

const int MEAN_FRACTION = 6;
const int MEAN_SHIFT = 26;

// Q.6, of values up to 32767.
typedef ap_int<22> mean_t;

// What the instruction carries, as hwgen/numerics/layer_norm.py defines it.
struct NormaliseConstants {
    ap_uint<16> columns;
    ap_uint<32> mean_multiplier;
    ap_uint<64> epsilon;
    Ratio output;
};

// Sums of one row: 65535 columns of int16 values need no more bits.
struct RowSums {
    ap_int<32> total;
    ap_uint<46> squares;
};

// Sums of one vector, apart from the running ones: only one addition then repeats every cycle.
inline RowSums vector_sums(const Vector16& x) {
#pragma HLS inline
    RowSums sums;
    sums.total = 0;
    sums.squares = 0;
LANE:
    for (unsigned i = 0; i < LANES; ++i) {
#pragma HLS unroll
        const ap_int<16> value = x.lane[i];
        sums.total += value;
        sums.squares += ap_uint<31>(value * value);
    }
    return sums;
}

inline mean_t row_mean(const RowSums& sums, const NormaliseConstants& constants) {
#pragma HLS inline
    const ap_int<65> product = sums.total * constants.mean_multiplier;
    return (product + (1 << (MEAN_SHIFT - 1))) >> MEAN_SHIFT;
}

inline Ratio row_ratio(const RowSums& sums, const NormaliseConstants& constants) {
#pragma HLS inline
    // K * sum(x^2) - sum(x)^2, below 2^62 for values and columns of 16 bits.
    const ap_int<66> spread = constants.columns * sums.squares - sums.total * sums.total;
    const ap_int<66> variance = spread + constants.epsilon;
    const Root root = inverse_sqrt(variance < 1 ? ap_int<66>(1) : variance);
    return scale_ratio(root.multiplier, root.shift, constants.output);
}

// Mean and factor of each row, one vector a cycle. Row r of slice s is vector
// address + s * stride + r.
inline void measure_rows(const Vector16 residual[RESIDUAL_DEPTH], mean_t means[MAX_ROWS],
                         Ratio ratios[MAX_ROWS], address_t address, ap_uint<16> stride,
                         rows_t rows, ap_uint<16> slices, const NormaliseConstants& constants) {
#pragma HLS inline off
    const ap_uint<32> trips = ap_uint<32>(rows) * slices;
    rows_t row = 0;
    ap_uint<16> slice = 0;
    address_t vector = address;
    RowSums sums;
    sums.total = 0;
    sums.squares = 0;
MEASURE:
    for (ap_uint<32> trip = 0; trip < trips; ++trip) {
#pragma HLS loop_tripcount min=1 max=RESIDUAL_DEPTH
#pragma HLS pipeline II=1
        const RowSums part = vector_sums(residual[vector]);
        sums.total = slice == 0 ? part.total : ap_int<32>(sums.total + part.total);
        sums.squares = slice == 0 ? part.squares : ap_uint<46>(sums.squares + part.squares);
        if (++slice == slices) {
            means[row] = row_mean(sums, constants);
            ratios[row] = row_ratio(sums, constants);
            slice = 0;
            vector = address + ++row;
        } else {
            vector += stride;
        }
    }
}

// One lane of the array's read path.
inline int8_t normalise(int16_t x, mean_t mean, const Ratio& ratio) {
#pragma HLS inline
    const ap_int<23> centred = (ap_int<23>(x) << MEAN_FRACTION) - mean;
    const ap_int<40> product = centred * ratio.multiplier;
    return saturate<INT8_LIMIT>(round_shift(product, ratio.shift));
}

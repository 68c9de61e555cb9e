// SPDX-License-Identifier: Apache-2.0
// Softmax in integers, after HeatViT (HPCA 2023, equations 7 and 8), with the division deferred:
// int8 scores become exponentials round(127 * exp(score - max)), and the reciprocal of a row's sum
// multiplies the row of the product with V.
#pragma once

#include "fixed_point.hpp"
#include "piecewise.hpp"

const unsigned TABLE_SIZE = 256;  // differences of 0 to 254

// Each lane looks up its own copy, so all lanes read in the same cycle.
typedef ap_uint<7> exponential_table_t[LANES][TABLE_SIZE];

// round(127 * 2^-x) for x in Q.14. With x = k + f, 2^-f = exp(p) for p = -f ln 2, which is
// 0.3585 (p + 1.353)^2 + 0.344; the integer part k is a shift.
inline ap_uint<7> exponential(ap_uint<24> x) {
#pragma HLS inline
    const ap_uint<14> ln2 = 11357;       // Q.14
    const ap_uint<15> offset = 22168;    // 1.353 in Q.14
    const ap_uint<15> slope = 23495;     // 0.3585 in Q.16
    const ap_uint<13> constant = 5636;   // 0.344 in Q.14
    const ap_uint<10> whole = x >> 14;
    const ap_uint<4> k = whole > 15 ? ap_uint<10>(15) : whole;
    const ap_uint<14> f = x;
    const ap_uint<15> t = offset - (ap_uint<28>(f * ln2) >> 14);
    const ap_uint<16> square = ap_uint<30>(t * t) >> 14;
    const ap_uint<15> power = (ap_uint<31>(square * slope) >> 16) + constant;
    const ap_uint<22> product = (ap_uint<22>(power) << 7) - power;  // times 127
    // Adding half a unit and shifting by 14 + k, as in round_shift.
    const ap_uint<9> doubled = product >> (ap_uint<5>(k) + 13);
    return (doubled + 1) >> 1;
}

// One entry a cycle. multiplier is the score scale times log2(e), in Q2.14.
inline void fill_table(exponential_table_t table, ap_uint<16> multiplier) {
#pragma HLS inline off
    ap_uint<24> x = 0;
FILL:
    for (ap_uint<9> difference = 0; difference < TABLE_SIZE - 1; ++difference) {
#pragma HLS pipeline II=1
        const ap_uint<7> entry = exponential(x);
    COPIES:
        for (unsigned i = 0; i < LANES; ++i) {
#pragma HLS unroll
            table[i][difference] = entry;
        }
        x += multiplier;
    }
}

// Scores of one head become exponentials in place; each row's factor for the product with V,
// output / sum, goes to ratios. Slice s of row r lies at s * rows + r. Lanes beyond the last key
// become zero.
inline void exponentials(Vector8 scores[SCORE_DEPTH], const int8_t peaks[MAX_ROWS],
                         const exponential_table_t table, Ratio ratios[MAX_ROWS], rows_t rows,
                         rows_t slices, rows_t keys, Ratio output) {
#pragma HLS inline off
    const ap_uint<32> trips = ap_uint<32>(rows) * slices;
    rows_t row = 0;
    rows_t slice = 0;
    address_t address = 0;
    rows_t keys_left = keys;
    ap_uint<23> sum = 0;  // at most 127 * 65535
EXPONENTIALS:
    for (ap_uint<32> trip = 0; trip < trips; ++trip) {
#pragma HLS loop_tripcount min=1 max=SCORE_DEPTH
#pragma HLS pipeline II=1
// Each iteration reads one vector and writes the same one; no other touches it.
#pragma HLS dependence variable=scores inter false
        const Vector8 score = scores[address];
        const int8_t peak = peaks[row];
        Vector8 result;
        ap_uint<13> part = 0;
    LANE:
        for (unsigned i = 0; i < LANES; ++i) {
#pragma HLS unroll
            const ap_uint<8> difference = peak - score.lane[i];
            const ap_uint<7> entry = i < keys_left ? table[i][difference] : ap_uint<7>(0);
            result.lane[i] = entry;
            part += entry;
        }
        scores[address] = result;
        sum = slice == 0 ? ap_uint<23>(part) : ap_uint<23>(sum + part);
        if (++slice == slices) {
            const Root root = reciprocal(sum);
            ratios[row] = scale_ratio(root.multiplier, root.shift, output);
            slice = 0;
            keys_left = keys;
            address = ++row;
        } else {
            keys_left -= LANES;
            address += rows;
        }
    }
}

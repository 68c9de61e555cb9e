// SPDX-License-Identifier: Apache-2.0
// The mean of rows: a sum times the reciprocal of a count.
#pragma once

#include "fixed_point.hpp"
#include "piecewise.hpp"

// 1 / count rounded down to 16 bits, for a count of 1 to MEAN_ROWS: as many int16 rows have sums
// that an accumulator holds. Once an instruction, so the division may take its time.
inline Ratio mean_ratio(rows_t count) {
#pragma HLS inline off
    Ratio ratio;
    ratio.shift = 15 + bit_length(ap_uint<12>(count - 1));
    ratio.multiplier = ap_uint<27>(ap_uint<27>(1) << ratio.shift) / ap_uint<12>(count);
    return ratio;
}

inline Vector32 zero_sums() {
#pragma HLS inline
    Vector32 sums;
LANE:
    for (unsigned i = 0; i < LANES; ++i) {
#pragma HLS unroll
        sums.lane[i] = 0;
    }
    return sums;
}

inline Vector32 add_to_sums(const Vector32& sums, const Vector16& row) {
#pragma HLS inline
    Vector32 result;
LANE:
    for (unsigned i = 0; i < LANES; ++i) {
#pragma HLS unroll
        result.lane[i] = sums.lane[i] + row.lane[i];
    }
    return result;
}

// The mean of each lane, one lane a cycle: a single multiplier. Lanes enter from the top.
inline Vector16 mean_vector(Vector32 sums, Ratio ratio) {
#pragma HLS inline off
    Vector16 means;
MEAN:
    for (unsigned i = 0; i < LANES; ++i) {
#pragma HLS pipeline II=1
        const int16_t mean =
            requantise<INT16_LIMIT>(sums.lane[0], ratio.multiplier, ratio.shift);
    NEXT_LANE:
        for (unsigned j = 0; j + 1 < LANES; ++j) {
#pragma HLS unroll
            sums.lane[j] = sums.lane[j + 1];
            means.lane[j] = means.lane[j + 1];
        }
        means.lane[LANES - 1] = mean;
    }
    return means;
}

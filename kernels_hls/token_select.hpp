// SPDX-License-Identifier: Apache-2.0
// The TOKEN_SELECT instruction: rows of the residual stream that stay move together, the mean of
// the others follows (HeatViT's token selection, HPCA 2023).
#pragma once

#include "legal.hpp"
#include "mean.hpp"
#include "pass.hpp"
#include "sigmoid.hpp"

typedef ap_uint<1> kept_t[MAX_ROWS];

// Whether the heads together, each weighed by its importance, put the keep score above the
// threshold. Differences of logits are in the lower half of the vector, importances in the upper.
inline bool informative(const Vector8& score, ap_uint<8> heads, ap_uint<16> threshold) {
#pragma HLS inline
    ap_int<32> sum = 0;  // 16 * 512 * 65535 in magnitude
HEAD:
    for (unsigned i = 0; i < MOST_HEADS; ++i) {
#pragma HLS unroll
        const ap_int<17> excess = ap_int<17>(sigmoid(score.lane[i])) - threshold;
        const ap_uint<10> opinion = sigmoid(score.lane[LANES / 2 + i]);
        const ap_uint<10> importance = opinion == 0 ? ap_uint<10>(1) : opinion;
        if (i < heads) sum += importance * excess;
    }
    return sum > 0;
}

// Marks the rows that stay, one a cycle; returns their number.
inline rows_t choose_rows(const TokenSelect& op, const work_buffer_t work, kept_t kept) {
#pragma HLS inline off
    const rows_t first_package = op.rows - op.packages;
    rows_t by_score = 0;
    rows_t count = 0;
CHOOSE:
    for (rows_t row = 0; row < op.rows; ++row) {
#pragma HLS loop_tripcount min=1 max=MAX_ROWS
#pragma HLS pipeline II=1
        const bool high = informative(work[op.score_address + row], op.heads, op.threshold);
        bool stays;
        if (row < op.prefix) {
            stays = true;
        } else if (row >= first_package) {
            stays = !op.merge;
        } else {
            stays = high && by_score < op.limit;
            if (stays) ++by_score;
        }
        kept[row] = stays;
        if (stays) ++count;
    }
    return count;
}

// One slice, a row a cycle. The destination may lie over the source: no row is written above the
// one that was just read.
inline void move_rows(residual_buffer_t residual, address_t source, address_t destination,
                      const kept_t kept, rows_t rows, bool package, Ratio mean) {
#pragma HLS inline off
    Vector32 sums = zero_sums();
    address_t place = destination;
MOVE:
    for (rows_t row = 0; row < rows; ++row) {
#pragma HLS loop_tripcount min=1 max=MAX_ROWS
#pragma HLS pipeline II=1
// Rows that are still to be read lie above all that has been written.
#pragma HLS dependence variable=residual inter false
        const Vector16 values = residual[source + row];
        if (kept[row]) {
            residual[place] = values;
            ++place;
        } else {
            sums = add_to_sums(sums, values);
        }
    }
    if (package) residual[place] = mean_vector(sums, mean);
}

// Returns the number of rows written.
inline rows_t token_select(const TokenSelect& op, residual_buffer_t residual,
                           const work_buffer_t work, kept_t kept) {
#pragma HLS inline off
    const rows_t count = choose_rows(op, work, kept);
    const rows_t dropped = op.rows - count;
    // Where all stay the sums are zero, whatever they are multiplied by.
    const Ratio mean = mean_ratio(dropped == 0 ? rows_t(1) : dropped);
SLICE:
    for (ap_uint<17> slice = 0; slice < op.slices; ++slice) {
#pragma HLS loop_tripcount min=1 max=48
        move_rows(residual, slice_address(op.source_address, op.source_stride, slice),
                  slice_address(op.destination_address, op.destination_stride, slice), kept,
                  op.rows, op.package, mean);
    }
    return count + op.package;
}

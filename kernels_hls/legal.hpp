// SPDX-License-Identifier: Apache-2.0
// Which operands the engine accepts; anything else ends the run with OUT_OF_RANGE.
#pragma once

#include "hwgen_instruction.hpp"
#include "types.hpp"

// Whether a matrix is not empty, its slices lie apart, and all of it in its buffer. Row r of slice
// s is vector address + s * stride + r.
inline bool fits(ap_uint<4> buffer, ap_uint<16> address, ap_uint<16> stride, ap_uint<24> slices,
                 ap_uint<32> rows, ap_uint<32> output_vectors) {
#pragma HLS inline off
    if (slices == 0 || rows == 0) return false;
    if (slices != 1 && stride < rows) return false;
    ap_uint<32> depth;
    switch (buffer) {
        case BUFFER_RESIDUAL: depth = RESIDUAL_DEPTH; break;
        case BUFFER_WORK: depth = WORK_DEPTH; break;
        case BUFFER_VALUE: depth = VALUE_DEPTH; break;
        case BUFFER_OUTPUT: depth = output_vectors; break;
        default: return false;
    }
    const ap_uint<40> last_slice = ap_uint<24>(slices - 1) * stride;
    return address + last_slice + rows <= depth;
}

inline bool legal(const Load& op) {
#pragma HLS inline
    if (op.region != REGION_WEIGHTS && op.region != REGION_INPUT) return false;
    if (op.destination_buffer != BUFFER_RESIDUAL && op.destination_buffer != BUFFER_WORK)
        return false;
    return fits(op.destination_buffer, op.destination_address, 0, 1, op.vectors, 0);
}

// Instructions below have had their token registers resolved.

// The second source, where there is one; the first has at least one slice.
inline bool legal_sources(const Matmul& op) {
#pragma HLS inline
    if (op.second_slices >= op.reduction_slices) return false;
    const ap_uint<16> first_slices = op.reduction_slices - op.second_slices;
    if (op.second_slices != 0) {
        const ap_uint<16> stride = op.second_broadcast ? ap_uint<16>(1) : op.source_stride;
        const rows_t rows = op.second_broadcast ? rows_t(1) : op.rows;
        if (op.normalise ||
            !fits(BUFFER_WORK, op.second_address, stride, op.second_slices, rows, 0))
            return false;
    }
    return fits(op.source_buffer, op.source_address, op.source_stride, first_slices, op.rows, 0);
}

inline bool legal(const Matmul& op, ap_uint<32> output_vectors) {
#pragma HLS inline
    const bool wide =
        op.destination_buffer == BUFFER_RESIDUAL || op.destination_buffer == BUFFER_OUTPUT;
    const Buffer source = op.normalise ? BUFFER_RESIDUAL : BUFFER_WORK;
    if (op.source_buffer != source || op.rows > MAX_ROWS) return false;
    if ((op.gelu && wide) || (op.residual && !wide)) return false;
    if (op.residual && !fits(BUFFER_RESIDUAL, op.residual_address, op.residual_stride,
                             op.output_slices, op.rows, 0))
        return false;
    if (op.mean && (op.destination_buffer != BUFFER_WORK || op.rows > MEAN_ROWS ||
                    !fits(BUFFER_WORK, op.mean_address, 1, op.output_slices, 1, 0)))
        return false;
    return legal_sources(op) &&
           fits(op.destination_buffer, op.destination_address, op.destination_stride,
                op.output_slices, op.rows, output_vectors);
}

// Slices that a row of that many scores takes.
inline rows_t key_slices(rows_t keys) {
#pragma HLS inline
    return ap_uint<17>(keys + LANES - 1) / LANES;
}

inline bool legal(const Attention& op) {
#pragma HLS inline
    const ap_uint<24> slices = op.heads * op.head_slices;
    if (op.rows > MAX_ROWS || op.rows * key_slices(op.keys) > SCORE_DEPTH) return false;
    return fits(BUFFER_WORK, op.query_address, op.query_stride, slices, op.rows, 0) &&
           fits(BUFFER_WORK, op.key_address, op.key_stride, slices, op.keys, 0) &&
           fits(BUFFER_VALUE, op.value_address, op.value_stride, slices, op.keys, 0) &&
           fits(BUFFER_WORK, op.destination_address, op.destination_stride, slices, op.rows, 0);
}

// Rows that a selection writes at most.
inline rows_t most_rows(const TokenSelect& op) {
#pragma HLS inline
    const rows_t scored = op.rows - op.prefix - op.packages;
    const rows_t forced = op.prefix + (op.merge ? ap_uint<8>(0) : op.packages);
    return forced + (scored < op.limit ? scored : op.limit) + op.package;
}

inline bool legal(const TokenSelect& op) {
#pragma HLS inline
    if (op.rows > MAX_ROWS || op.rows > MEAN_ROWS || op.heads > MOST_HEADS) return false;
    if (op.prefix + op.packages > op.rows) return false;
    return fits(BUFFER_RESIDUAL, op.source_address, op.source_stride, op.slices, op.rows, 0) &&
           fits(BUFFER_WORK, op.score_address, 0, 1, op.rows, 0) &&
           fits(BUFFER_RESIDUAL, op.destination_address, op.destination_stride, op.slices,
                most_rows(op), 0);
}

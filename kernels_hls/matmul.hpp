// SPDX-License-Identifier: Apache-2.0
// The MATMUL instruction as passes of the array: output slices outside, reduction slices inside,
// as the weight stream has them.
#pragma once

#include "hwgen_instruction.hpp"
#include "pass.hpp"

inline NormaliseConstants normalise_constants(const Matmul& op) {
#pragma HLS inline
    NormaliseConstants constants;
    constants.columns = op.columns;
    constants.mean_multiplier = op.mean_multiplier;
    constants.epsilon = op.epsilon;
    constants.output.multiplier = op.normalise_multiplier;
    constants.output.shift = op.normalise_shift;
    return constants;
}

inline Target matmul_target(ap_uint<4> buffer) {
#pragma HLS inline
    switch (buffer) {
        case BUFFER_RESIDUAL: return TARGET_RESIDUAL;
        case BUFFER_WORK: return TARGET_WORK;
        case BUFFER_VALUE: return TARGET_VALUE;
        default: return TARGET_OUTPUT;
    }
}

// The pass of one tile, without its load.
inline Pass matmul_pass(const Matmul& op, ap_uint<16> output, ap_uint<16> reduction,
                        Ratio mean_ratio) {
#pragma HLS inline
    const ap_uint<16> first_slices = op.reduction_slices - op.second_slices;
    Pass pass = empty_pass();
    pass.rows = op.rows;
    pass.source = op.normalise ? SOURCE_RESIDUAL : SOURCE_WORK;
    if (reduction < first_slices) {
        pass.source_address = slice_address(op.source_address, op.source_stride, reduction);
    } else {
        const ap_uint<16> stride = op.second_broadcast ? ap_uint<16>(1) : op.source_stride;
        pass.source_address = slice_address(op.second_address, stride, reduction - first_slices);
        pass.broadcast = op.second_broadcast;
    }
    pass.first = reduction == 0;
    pass.last = reduction == op.reduction_slices - 1;
    pass.epilogue.narrow =
        op.destination_buffer == BUFFER_WORK || op.destination_buffer == BUFFER_VALUE;
    pass.epilogue.gelu = op.gelu;
    pass.epilogue.residual = pass.last && op.residual;
    pass.epilogue.gelu_constants.one = op.gelu_one;
    pass.epilogue.gelu_constants.slope = op.gelu_slope;
    pass.epilogue.gelu_output.multiplier = op.gelu_multiplier;
    pass.epilogue.gelu_output.shift = op.gelu_shift;
    pass.target = matmul_target(op.destination_buffer);
    pass.target_address = slice_address(op.destination_address, op.destination_stride, output);
    pass.residual_address = slice_address(op.residual_address, op.residual_stride, output);
    pass.mean = pass.last && op.mean;
    pass.mean_address = op.mean_address + output;
    pass.mean_ratio = mean_ratio;
    return pass;
}

inline void matmul(const Matmul& op, hls::stream<Vector8>& beats,
                   hls::stream<Vector16>& results, residual_buffer_t residual, work_buffer_t work,
                   value_buffer_t value, score_buffer_t scores, accumulators_t accumulators,
                   mean_t means[MAX_ROWS], Ratio ratios[MAX_ROWS], int8_t peaks[MAX_ROWS],
                   square_t square, weights_t weights, weights_t next_weights,
                   channels_t channels, channels_t next_channels) {
// Inlined, so that execute() sees every call of array_pass and makes one instance of it.
#pragma HLS inline
    if (op.normalise)
        measure_rows(residual, means, ratios, op.source_address, op.source_stride, op.rows,
                     op.reduction_slices, normalise_constants(op));
    Ratio mean = {0, 1};
    if (op.mean) mean = mean_ratio(op.rows);
    Pass pass = empty_pass();  // the first one only loads
OUTPUT_SLICE:
    for (ap_uint<17> output = 0; output < op.output_slices; ++output) {
#pragma HLS loop_tripcount min=1 max=48
    REDUCTION_SLICE:
        for (ap_uint<17> reduction = 0; reduction < op.reduction_slices; ++reduction) {
#pragma HLS loop_tripcount min=1 max=48
            // The previous tile computes while this one loads.
            pass.load.kind = TILE_STREAM;
            pass.load.parameters = reduction == 0;
            array_pass(pass, beats, results, residual, work, value, scores, accumulators, means,
                       ratios, peaks, square, weights, next_weights, channels, next_channels);
            pass = matmul_pass(op, output, reduction, mean);
            if (pass.source == SOURCE_RESIDUAL && pass.epilogue.residual) {
                // Normalised rows and residual operand come from the same buffer, which has one
                // port to read: sum first, finish in the pass that loads the next tile.
                Pass sum = pass;
                sum.last = false;
                sum.epilogue.residual = false;
                array_pass(sum, beats, results, residual, work, value, scores, accumulators, means,
                           ratios, peaks, square, weights, next_weights, channels, next_channels);
                pass.source = SOURCE_NONE;
                pass.first = false;
            }
        }
    }
    array_pass(pass, beats, results, residual, work, value, scores, accumulators, means, ratios,
               peaks, square, weights, next_weights, channels, next_channels);
}

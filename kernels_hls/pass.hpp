// SPDX-License-Identifier: Apache-2.0
// One pass of the array: the rows of one source slice meet one weight tile while the next tile
// loads. MATMUL and ATTENTION are sequences of passes, so the engine holds a single array.
#pragma once

#include "array.hpp"
#include "epilogue.hpp"
#include "hls_stream.h"
#include "layer_norm.hpp"
#include "mean.hpp"
#include "transposer.hpp"

enum Source { SOURCE_NONE, SOURCE_WORK, SOURCE_RESIDUAL, SOURCE_SCORES };
enum Target { TARGET_RESIDUAL, TARGET_WORK, TARGET_VALUE, TARGET_OUTPUT, TARGET_SCORES };
enum TileKind { TILE_NONE, TILE_STREAM, TILE_KEYS, TILE_VALUES };

// The tile that loads during a pass: from the weight stream, or keys or values from the square.
struct TileLoad {
    TileKind kind;
    bool parameters;  // eight beats of channel parameters come first
};

// The tile of values that meanwhile follows into the square, behind the load that empties it.
struct TileFill {
    bool active;
    address_t address;  // in the value buffer
    rows_t valid;       // vectors that exist; the others are zero
};

struct Pass {
    rows_t rows;  // 0: only load
    Source source;
    address_t source_address;
    bool broadcast;  // SOURCE_WORK: the vector at source_address goes with every row
    bool first;  // start from zero, not from the accumulators
    bool last;   // finish the rows and store them
    Epilogue epilogue;
    Target target;
    address_t target_address;
    address_t residual_address;
    bool first_keys;  // TARGET_SCORES: start the row maxima
    rows_t valid;     // TARGET_SCORES: lanes that are keys
    bool mean;        // the mean of the finished rows goes to mean_address of the work buffer
    address_t mean_address;
    Ratio mean_ratio;
    TileLoad load;
    TileFill fill;
};

// On-chip memories of the engine. A function that needs several of them takes them by name: each
// stays an array of its own.
typedef Vector16 residual_buffer_t[RESIDUAL_DEPTH];
typedef Vector8 work_buffer_t[WORK_DEPTH];
typedef Vector8 value_buffer_t[VALUE_DEPTH];
typedef Vector8 score_buffer_t[SCORE_DEPTH];
typedef Vector32 accumulators_t[MAX_ROWS];
typedef Channel channels_t[LANES];

inline Pass empty_pass() {
#pragma HLS inline
    Pass pass;
    pass.rows = 0;
    pass.source = SOURCE_NONE;
    pass.source_address = 0;
    pass.broadcast = false;
    pass.first = false;
    pass.last = false;
    pass.epilogue.narrow = false;
    pass.epilogue.by_row = false;
    pass.epilogue.gelu = false;
    pass.epilogue.residual = false;
    pass.epilogue.gelu_constants.one = 0;
    pass.epilogue.gelu_constants.slope = 0;
    pass.epilogue.gelu_output.multiplier = 0;
    pass.epilogue.gelu_output.shift = 1;
    pass.target = TARGET_WORK;
    pass.target_address = 0;
    pass.residual_address = 0;
    pass.first_keys = false;
    pass.valid = 0;
    pass.mean = false;
    pass.mean_address = 0;
    pass.mean_ratio.multiplier = 0;
    pass.mean_ratio.shift = 1;
    pass.load.kind = TILE_NONE;
    pass.load.parameters = false;
    pass.fill.active = false;
    pass.fill.address = 0;
    pass.fill.valid = 0;
    return pass;
}

inline Vector8 zero_vector() {
#pragma HLS inline
    Vector8 zero;
ZERO:
    for (unsigned i = 0; i < LANES; ++i) {
#pragma HLS unroll
        zero.lane[i] = 0;
    }
    return zero;
}

// Step t of loading a tile, which comes output by output. `even` keeps the weights of an even
// output for the next step, where the odd ones join them.
inline void load_step(const TileLoad& load, address_t t, hls::stream<Vector8>& beats,
                      const square_t square, Vector8& even, weights_t next_weights,
                      channels_t next_channels) {
#pragma HLS inline
    const bool parameter = load.parameters && t < PARAMETER_BEATS;
    const lane_t output = load.parameters ? address_t(t - PARAMETER_BEATS) : t;
    const Vector8 values = load.kind == TILE_STREAM
                               ? beats.read()
                               : read_square(square, output, load.kind == TILE_VALUES);
    if (parameter) {
        load_channels(next_channels, t, values);
    } else if (output & 1) {
        load_pair(next_weights, output >> 1, even, values);
    } else {
        even = values;
    }
}

inline Vector8 normalise_vector(const Vector16& x, mean_t mean, const Ratio& ratio) {
#pragma HLS inline
    Vector8 result;
LANE:
    for (unsigned i = 0; i < LANES; ++i) {
#pragma HLS unroll
        result.lane[i] = normalise(x.lane[i], mean, ratio);
    }
    return result;
}

inline Vector32 add_rows(const Vector32& a, const Vector32& b) {
#pragma HLS inline
    Vector32 sum;
LANE:
    for (unsigned i = 0; i < LANES; ++i) {
#pragma HLS unroll
        sum.lane[i] = a.lane[i] + b.lane[i];
    }
    return sum;
}

inline Vector8 narrow_vector(const Vector16& values) {
#pragma HLS inline
    Vector8 result;
LANE:
    for (unsigned i = 0; i < LANES; ++i) {
#pragma HLS unroll
        result.lane[i] = int8_t(values.lane[i]);
    }
    return result;
}

// The largest of the first `valid` scores and of `start`.
inline int8_t row_peak(const Vector16& scores, rows_t valid, int8_t start) {
#pragma HLS inline
    int16_t peak = start;
LANE:
    for (unsigned i = 0; i < LANES; ++i) {
#pragma HLS unroll
        if (i < valid && scores.lane[i] > peak) peak = scores.lane[i];
    }
    return int8_t(peak);
}

// First vector of a slice; the operands are known to lie inside their buffer.
inline address_t slice_address(ap_uint<16> address, ap_uint<16> stride, ap_uint<24> slice) {
#pragma HLS inline
    return address + slice * stride;
}

// Takes max(rows, steps of the load, 2 * LANES with a fill) cycles plus the pipeline's depth, and
// LANES more with a mean. At the end the loaded tile and parameters become the current ones.
inline void array_pass(const Pass& pass, hls::stream<Vector8>& beats,
                       hls::stream<Vector16>& results, residual_buffer_t residual,
                       work_buffer_t work, value_buffer_t value, score_buffer_t scores,
                       accumulators_t accumulators, const mean_t means[MAX_ROWS],
                       const Ratio ratios[MAX_ROWS], int8_t peaks[MAX_ROWS],
                       square_t square, weights_t weights, weights_t next_weights,
                       channels_t channels, channels_t next_channels) {
#pragma HLS inline off
    const bool loads = pass.load.kind != TILE_NONE;
    const rows_t load_steps = loads ? LANES + (pass.load.parameters ? PARAMETER_BEATS : 0) : 0;
    const rows_t fill_end = pass.fill.active ? 2 * LANES : 0;
    const rows_t steps = pass.rows > load_steps ? pass.rows : load_steps;
    const rows_t trips = steps > fill_end ? steps : fill_end;
    // One read of the residual buffer serves the source or the residual operand: no pass has both.
    const address_t residual_address =
        pass.source == SOURCE_RESIDUAL ? pass.source_address : pass.residual_address;
    Vector8 even = zero_vector();
    Vector32 row_sums = zero_sums();
STEP:
    for (address_t t = 0; t < trips; ++t) {
#pragma HLS loop_tripcount min=LANES max=MAX_ROWS
#pragma HLS pipeline II=1
// Iteration t alone touches row t of the accumulators and maxima, and the pipeline is empty
// between passes.
#pragma HLS dependence variable=accumulators inter false
#pragma HLS dependence variable=peaks inter false
// A pass reads and writes different matrices, or row t of the same one in iteration t (a residual
// added in place).
#pragma HLS dependence variable=residual inter false
#pragma HLS dependence variable=work inter false
#pragma HLS dependence variable=value inter false
// All reads of the square come before its writes.
#pragma HLS dependence variable=square inter RAW false
#pragma HLS dependence variable=scores inter false
        if (t < load_steps)
            load_step(pass.load, t, beats, square, even, next_weights, next_channels);
        if (t >= LANES && t < fill_end) {
            const rows_t row = t - LANES;
            Vector8 values = zero_vector();
            if (row < pass.fill.valid) values = value[pass.fill.address + row];
            write_row(square, row, values);
        }
        if (t < pass.rows) {
            Vector16 wide;
            if (pass.source == SOURCE_RESIDUAL || pass.epilogue.residual)
                wide = residual[residual_address + t];
            Vector8 activations;
            switch (pass.source) {
                case SOURCE_WORK:
                    activations = work[pass.source_address + (pass.broadcast ? address_t(0) : t)];
                    break;
                case SOURCE_SCORES: activations = scores[pass.source_address + t]; break;
                case SOURCE_RESIDUAL:
                    activations = normalise_vector(wide, means[t], ratios[t]);
                    break;
                default: activations = zero_vector(); break;
            }
            Vector32 sums = multiply(weights, activations);
            if (!pass.first) sums = add_rows(sums, accumulators[t]);
            if (!pass.last) {
                accumulators[t] = sums;
            } else {
                const Vector16 row = finish_row(pass.epilogue, sums, channels, ratios[t], wide);
                if (pass.mean) row_sums = add_to_sums(row_sums, row);
                const address_t target = pass.target_address + t;
                switch (pass.target) {
                    case TARGET_RESIDUAL: residual[target] = row; break;
                    case TARGET_WORK: work[target] = narrow_vector(row); break;
                    case TARGET_VALUE: value[target] = narrow_vector(row); break;
                    case TARGET_OUTPUT: results.write(row); break;
                    case TARGET_SCORES:
                        scores[target] = narrow_vector(row);
                        peaks[t] = row_peak(row, pass.valid,
                                            pass.first_keys ? int8_t(-INT8_LIMIT) : peaks[t]);
                        break;
                }
            }
        }
    }
    if (pass.mean) work[pass.mean_address] = narrow_vector(mean_vector(row_sums, pass.mean_ratio));
    if (loads) copy_weights(weights, next_weights);
    if (pass.load.parameters) {
    COPY_CHANNEL:
        for (unsigned i = 0; i < LANES; ++i) {
#pragma HLS unroll
            channels[i] = next_channels[i];
        }
    }
}

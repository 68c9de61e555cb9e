// SPDX-License-Identifier: Apache-2.0
// The ATTENTION instruction as passes of the array. For each head: scores Q K^T by slices of keys,
// exponentials in the score buffer, then their product with V. While a tile computes, the next one
// loads from the square and, if the one after that is of V, it enters the square; across heads too.
#pragma once

#include "legal.hpp"
#include "matmul.hpp"
#include "softmax.hpp"

// A place in the sequence of weight tiles.
struct AttentionTile {
    bool exists;
    ap_uint<16> head;
    bool values;        // a tile of V, not of K^T
    ap_uint<8> slice;   // of the head's columns
    rows_t keys_slice;  // LANES keys
};

// K^T: keys outside, the reduction over columns inside. V: columns outside, the reduction over
// keys inside.
inline void advance(AttentionTile& tile, const Attention& op, rows_t key_slice_count) {
#pragma HLS inline
    const bool last_slice = tile.slice == op.head_slices - 1;
    const bool last_keys = tile.keys_slice == key_slice_count - 1;
    const bool inner_ends = tile.values ? last_keys : last_slice;
    if (tile.values ? !inner_ends : inner_ends) {
        ++tile.keys_slice;
    } else if (inner_ends) {
        tile.keys_slice = 0;
    }
    if (tile.values ? inner_ends : !inner_ends) {
        ++tile.slice;
    } else if (inner_ends) {
        tile.slice = 0;
    }
    if (last_slice && last_keys) {
        tile.slice = 0;
        tile.keys_slice = 0;
        if (tile.values) tile.exists = ++tile.head != op.heads;
        tile.values = !tile.values;
    }
}

inline ap_uint<24> column_slice(const AttentionTile& tile, const Attention& op) {
#pragma HLS inline
    return ap_uint<24>(tile.head * op.head_slices) + tile.slice;
}

inline rows_t keys_before(const AttentionTile& tile) {
#pragma HLS inline
    return tile.keys_slice * LANES;
}

// Keys of the tile's slice, at most LANES.
inline rows_t keys_in(const AttentionTile& tile, rows_t keys) {
#pragma HLS inline
    const rows_t left = keys - keys_before(tile);
    return left < LANES ? left : rows_t(LANES);
}

// First vector of the tile in the key or value matrix.
inline address_t tile_address(const AttentionTile& tile, const Attention& op,
                              ap_uint<16> address, ap_uint<16> stride) {
#pragma HLS inline
    return slice_address(address, stride, column_slice(tile, op)) + keys_before(tile);
}

// Takes one slice of keys out of the work buffer before the pass that needs its port for queries.
inline void fill_keys(const work_buffer_t work, square_t square, address_t address, rows_t valid) {
#pragma HLS inline off
FILL_KEY:
    for (ap_uint<7> key = 0; key < LANES; ++key) {
#pragma HLS pipeline II=1
        Vector8 values = zero_vector();
        if (key < valid) values = work[address + key];
        write_row(square, key, values);
    }
}

// The pass of one tile, without its load.
inline Pass attention_pass(const AttentionTile& tile, const Attention& op,
                           rows_t key_slice_count) {
#pragma HLS inline
    const ap_uint<24> column = column_slice(tile, op);
    const address_t score_address = tile.keys_slice * op.rows;
    Pass pass = empty_pass();
    pass.rows = op.rows;
    pass.epilogue.narrow = true;
    if (tile.values) {
        pass.source = SOURCE_SCORES;
        pass.source_address = score_address;
        pass.first = tile.keys_slice == 0;
        pass.last = tile.keys_slice == key_slice_count - 1;
        pass.epilogue.by_row = true;
        pass.target = TARGET_WORK;
        pass.target_address = slice_address(op.destination_address, op.destination_stride, column);
    } else {
        pass.source = SOURCE_WORK;
        pass.source_address = slice_address(op.query_address, op.query_stride, column);
        pass.first = tile.slice == 0;
        pass.last = tile.slice == op.head_slices - 1;
        pass.target = TARGET_SCORES;
        pass.target_address = score_address;
        pass.first_keys = tile.keys_slice == 0;
        pass.valid = keys_in(tile, op.keys);
    }
    return pass;
}

inline void attention(const Attention& op, hls::stream<Vector8>& beats,
                      hls::stream<Vector16>& results, residual_buffer_t residual,
                      work_buffer_t work, value_buffer_t value, score_buffer_t scores,
                      accumulators_t accumulators, const mean_t means[MAX_ROWS],
                      Ratio ratios[MAX_ROWS], int8_t peaks[MAX_ROWS], square_t square,
                      exponential_table_t table, weights_t weights, weights_t next_weights,
                      channels_t channels, channels_t next_channels) {
// Inlined, so that execute() sees every call of array_pass and makes one instance of it.
#pragma HLS inline
    const rows_t key_slice_count = key_slices(op.keys);
    const Ratio score_ratio = {op.score_multiplier, op.score_shift};
    const Ratio output_ratio = {op.output_multiplier, op.output_shift};
    set_channels(channels, score_ratio);
    fill_table(table, op.exponent_multiplier);
    Pass pass = empty_pass();  // the first one only loads
    AttentionTile tile = {true, 0, false, 0, 0};
TILE:
    while (tile.exists) {
#pragma HLS loop_tripcount min=2 max=128
        AttentionTile next = tile;
        advance(next, op, key_slice_count);
        pass.load.kind = tile.values ? TILE_VALUES : TILE_KEYS;
        if (!tile.values)
            fill_keys(work, square, tile_address(tile, op, op.key_address, op.key_stride),
                      keys_in(tile, op.keys));
        pass.fill.active = next.exists && next.values;
        pass.fill.address = tile_address(next, op, op.value_address, op.value_stride);
        pass.fill.valid = keys_in(next, op.keys);
        // The previous tile computes while this one loads.
        array_pass(pass, beats, results, residual, work, value, scores, accumulators, means,
                   ratios, peaks, square, weights, next_weights, channels, next_channels);
        if (tile.values && tile.slice == 0 && tile.keys_slice == 0)
            exponentials(scores, peaks, table, ratios, op.rows, key_slice_count, op.keys,
                         output_ratio);
        pass = attention_pass(tile, op, key_slice_count);
        tile = next;
    }
    array_pass(pass, beats, results, residual, work, value, scores, accumulators, means, ratios,
               peaks, square, weights, next_weights, channels, next_channels);
}

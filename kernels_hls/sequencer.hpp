// SPDX-License-Identifier: Apache-2.0
// execute: owns the on-chip buffers and runs the instructions that fetch sends.
#pragma once

#include "attention.hpp"
#include "movers.hpp"
#include "token_select.hpp"
#include "tokens.hpp"

#ifndef __SYNTHESIS__
// For test benches: called after each instruction that ran, with its index in the program and the
// rows that it wrote. The output region is not in a buffer; it is complete when engine() returns.
__attribute__((weak)) void (*hwgen_trace)(unsigned index, unsigned rows, const Vector16* residual,
                                          const Vector8* work, const Vector8* value) = nullptr;
#endif

// Takes beats of instructions that do not run, so that fetch can end.
inline void drain(ap_uint<32> count, hls::stream<Vector8>& beats) {
#pragma HLS inline off
DRAIN:
    for (ap_uint<32> i = 0; i < count; ++i) {
#pragma HLS loop_tripcount min=1 max=65536
#pragma HLS pipeline II=1
        beats.read();
    }
}

inline Vector8 flip_signs(Vector8 values) {
#pragma HLS inline
LANE:
    for (unsigned i = 0; i < LANES; ++i) {
#pragma HLS unroll
        values.lane[i] = int8_t(values.lane[i] ^ -128);  // subtracts 128 from a uint8
    }
    return values;
}

inline void load_work(const Load& op, hls::stream<Vector8>& beats, work_buffer_t work) {
#pragma HLS inline off
LOAD_WORK:
    for (ap_uint<17> i = 0; i < op.vectors; ++i) {
#pragma HLS loop_tripcount min=1 max=WORK_DEPTH
#pragma HLS pipeline II=1
        const Vector8 values = beats.read();
        work[op.destination_address + i] = op.offset_binary ? flip_signs(values) : values;
    }
}

const unsigned MAX_RESIDUAL_BEATS = 2 * RESIDUAL_DEPTH;

// Two beats a vector, each value little-endian.
inline void load_residual(const Load& op, hls::stream<Vector8>& beats,
                          residual_buffer_t residual) {
#pragma HLS inline off
    Vector16 vector;
LOAD_RESIDUAL:
    for (ap_uint<18> i = 0; i < op.vectors * 2; ++i) {
#pragma HLS loop_tripcount min=2 max=MAX_RESIDUAL_BEATS
#pragma HLS pipeline II=1
        const Vector8 beat = beats.read();
    LANE:
        for (unsigned j = 0; j < LANES / 2; ++j) {
#pragma HLS unroll
            vector.lane[j] = vector.lane[j + LANES / 2];
            vector.lane[j + LANES / 2] =
                int16_t(uint8_t(beat.lane[2 * j]) | beat.lane[2 * j + 1] * 256);
        }
        if (i & 1) residual[op.destination_address + i / 2] = vector;
    }
}

inline void execute(hls::stream<Fetched>& instructions, hls::stream<Vector8>& beats,
                    hls::stream<StoreCommand>& commands, hls::stream<Vector16>& results,
                    ap_uint<32>& error_code) {
#pragma HLS inline off
// One array, whoever calls it.
#pragma HLS allocation function instances=array_pass limit=1
    static residual_buffer_t residual;
    static work_buffer_t work;
    static value_buffer_t value;
    static score_buffer_t scores;
    static accumulators_t accumulators;
#pragma HLS aggregate variable=residual compact=bit
#pragma HLS aggregate variable=work compact=bit
#pragma HLS aggregate variable=value compact=bit
#pragma HLS aggregate variable=scores compact=bit
#pragma HLS aggregate variable=accumulators compact=bit
// One port reads, one writes.
#pragma HLS bind_storage variable=residual type=ram_s2p impl=bram
#pragma HLS bind_storage variable=work type=ram_s2p impl=bram
#pragma HLS bind_storage variable=value type=ram_s2p impl=bram
#pragma HLS bind_storage variable=scores type=ram_s2p impl=bram
#pragma HLS bind_storage variable=accumulators type=ram_s2p impl=bram
    static mean_t means[MAX_ROWS];
    static Ratio ratios[MAX_ROWS];
    static int8_t peaks[MAX_ROWS];
#pragma HLS aggregate variable=ratios compact=bit
#pragma HLS bind_storage variable=means type=ram_s2p impl=bram
#pragma HLS bind_storage variable=ratios type=ram_s2p impl=bram
#pragma HLS bind_storage variable=peaks type=ram_s2p impl=bram
    static exponential_table_t table;
#pragma HLS array_partition variable=table complete dim=1
#pragma HLS bind_storage variable=table type=ram_s2p impl=lutram
    static square_t square;
#pragma HLS array_partition variable=square complete dim=1
#pragma HLS bind_storage variable=square type=ram_s2p impl=lutram
    static weights_t weights;
    static weights_t next_weights;
    static channels_t channels;
    static channels_t next_channels;
#pragma HLS array_partition variable=weights complete dim=0
#pragma HLS array_partition variable=next_weights complete dim=0
#pragma HLS array_partition variable=channels complete dim=0
#pragma HLS array_partition variable=next_channels complete dim=0
    static kept_t kept;
#pragma HLS bind_storage variable=kept type=ram_s2p impl=lutram
    tokens_t tokens = {0};
#pragma HLS array_partition variable=tokens complete dim=0

    ap_uint<8> error = ERROR_NONE;
    bool last = false;
INSTRUCTION:
    for (unsigned index = 0; !last; ++index) {
#pragma HLS loop_tripcount min=1 max=256
        const Fetched fetched = instructions.read();
        last = fetched.last;
        if (error != ERROR_NONE) {
            drain(fetched.beats, beats);
            continue;
        }
        error = fetched.error;
        if (last) continue;
        ap_uint<32> written = 0;  // rows
        switch (opcode_of(fetched.bits)) {
            case OPCODE_SET_TOKENS: {
                const SetTokens op(fetched.bits);
                if (op.register_ >= TOKEN_REGISTERS) {
                    error = ERROR_OUT_OF_RANGE;
                } else {
                    tokens[op.register_] = op.rows;
                }
                break;
            }
            case OPCODE_LOAD: {
                const Load op(fetched.bits);  // fetch has checked it
                written = op.vectors;
                if (op.destination_buffer == BUFFER_RESIDUAL) {
                    load_residual(op, beats, residual);
                } else {
                    load_work(op, beats, work);
                }
                break;
            }
            case OPCODE_MATMUL: {
                Matmul op(fetched.bits);
                if (!resolve(op, tokens) || !legal(op, fetched.output_vectors)) {
                    error = ERROR_OUT_OF_RANGE;
                    break;
                }
                if (op.destination_buffer == BUFFER_OUTPUT)
                    commands.write({op.destination_address, op.destination_stride,
                                    op.output_slices, op.rows, false});
                written = op.rows;
                matmul(op, beats, results, residual, work, value, scores, accumulators, means,
                       ratios, peaks, square, weights, next_weights, channels, next_channels);
                break;
            }
            case OPCODE_ATTENTION: {
                Attention op(fetched.bits);
                if (!resolve(op, tokens) || !legal(op)) {
                    error = ERROR_OUT_OF_RANGE;
                    break;
                }
                written = op.rows;
                attention(op, beats, results, residual, work, value, scores, accumulators, means,
                          ratios, peaks, square, table, weights, next_weights, channels,
                          next_channels);
                break;
            }
            default: {  // fetch has refused unknown ones
                TokenSelect op(fetched.bits);
                if (!resolve(op, tokens) || !legal(op)) {
                    error = ERROR_OUT_OF_RANGE;
                    break;
                }
                written = token_select(op, residual, work, kept);
                selected(op, written, tokens);
                break;
            }
        }
        if (error != ERROR_NONE) {
            drain(fetched.beats, beats);
            continue;
        }
#ifndef __SYNTHESIS__
        if (hwgen_trace) hwgen_trace(index, written.to_uint(), residual, work, value);
#endif
    }
    commands.write({0, 0, 0, 0, true});
    error_code = error;
}

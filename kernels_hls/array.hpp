// SPDX-License-Identifier: Apache-2.0
// The LANES x LANES matrix-vector product with stationary weights.
//
// A DSP48E2 multiplies two weights by the activation they share: (w1 << 18) + w0 sits in the
// 27-bit port, the activation in the 18-bit one. Eight DSPs form a cascade that sums in 48 bits:
// with weights in [-127, 127] the low sum stays within 8 * 127 * 128 < 2^17, an 18-bit field, so
// the two sums are taken apart only at the chain's end.
#pragma once

#include "types.hpp"

const unsigned CHAIN = 8;
const unsigned CHAINS = LANES / CHAIN;
const unsigned PAIRS = LANES / 2;
const int PACK_SHIFT = 18;

// Weight of activation c * CHAIN + i and outputs 2p, 2p + 1 at [p][c][i]. The engine holds two of
// these in registers: one multiplies, the other is loaded. They can become the two A registers
// of each DSP, whose clock enables are separate.
typedef packed_t weights_t[PAIRS][CHAINS][CHAIN];

inline packed_t pack(int8_t w1, int8_t w0) {
#pragma HLS inline
    return packed_t(int32_t(w1) * (1 << PACK_SHIFT) + w0);
}

// The weights of outputs 2 * pair and 2 * pair + 1, each for every activation.
inline void load_pair(weights_t weights, ap_uint<6> pair, const Vector8& even,
                      const Vector8& odd) {
#pragma HLS inline
LOAD_WEIGHT:
    for (unsigned i = 0; i < LANES; ++i) {
#pragma HLS unroll
        weights[pair][i / CHAIN][i % CHAIN] = pack(odd.lane[i], even.lane[i]);
    }
}

inline void copy_weights(weights_t to, const weights_t from) {
#pragma HLS inline
COPY_PAIR:
    for (unsigned p = 0; p < PAIRS; ++p) {
#pragma HLS unroll
    COPY_CHAIN:
        for (unsigned c = 0; c < CHAINS; ++c) {
#pragma HLS unroll
        COPY_PLACE:
            for (unsigned i = 0; i < CHAIN; ++i) {
#pragma HLS unroll
                to[p][c][i] = from[p][c][i];
            }
        }
    }
}

// One cascade of eight DSPs.
inline cascade_t cascade(const packed_t weights[CHAIN], const port_t activations[CHAIN]) {
#pragma HLS inline
    cascade_t sum = 0;
PLACE:
    for (unsigned i = 0; i < CHAIN; ++i) {
#pragma HLS unroll
// Keeps the additions in the order of the cascade instead of a balanced tree in fabric.
#pragma HLS expression_balance off
        sum += cascade_t(weights[i]) * activations[i];
    }
    return sum;
}

// The sum of w0 * a: the low 18 bits, with their sign.
inline int32_t low_sum(cascade_t sum) {
#pragma HLS inline
    return ap_int<PACK_SHIFT>(sum).to_int();
}

// The sum of w1 * a: a negative low sum has borrowed one from it.
inline int32_t high_sum(cascade_t sum) {
#pragma HLS inline
    const bool borrowed = (sum >> (PACK_SHIFT - 1)) & 1;
    return int32_t(sum >> PACK_SHIFT) + borrowed;
}

// For each output the sum of weight * activation. Sums need 21 bits.
inline Vector32 multiply(const weights_t weights, const Vector8& activations) {
#pragma HLS inline
    port_t ports[CHAINS][CHAIN];
#pragma HLS array_partition variable=ports complete dim=0
SPREAD:
    for (unsigned i = 0; i < LANES; ++i) {
#pragma HLS unroll
        ports[i / CHAIN][i % CHAIN] = activations.lane[i];
    }
    Vector32 sums;
PAIR:
    for (unsigned p = 0; p < PAIRS; ++p) {
#pragma HLS unroll
        int32_t low = 0;
        int32_t high = 0;
    CHAIN_ENDS:
        for (unsigned c = 0; c < CHAINS; ++c) {
#pragma HLS unroll
            const cascade_t sum = cascade(weights[p][c], ports[c]);
            low += low_sum(sum);
            high += high_sum(sum);
        }
        sums.lane[2 * p] = low;
        sums.lane[2 * p + 1] = high;
    }
    return sums;
}

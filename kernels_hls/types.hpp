// SPDX-License-Identifier: Apache-2.0
// Vectors, beats and integer types that the kernels share.
#pragma once

#include <cstdint>

#if defined(__GNUC__) && !defined(__SYNTHESIS__)
// Labels name the loops in the reports of Vitis HLS; a plain compiler finds them unused.
#pragma GCC diagnostic ignored "-Wunused-label"
#endif

#include "ap_int.h"
#include "hwgen_config.hpp"

// A memory port is 128 bits wide: 16 bytes of a beat.
typedef ap_uint<128> word_t;
const unsigned WORD_BYTES = 16;

// One int8 vector; also one beat of the weight stream, which is exactly as wide.
struct Vector8 {
    int8_t lane[LANES];
};

// One vector of the residual stream or of the output.
struct Vector16 {
    int16_t lane[LANES];
};

// One row of the accumulator.
struct Vector32 {
    int32_t lane[LANES];
};

// Row counts and vector addresses are 16-bit fields; a sum of two needs one bit more.
typedef ap_uint<16> rows_t;
typedef ap_uint<17> address_t;

// Sums including the bias: the contract keeps their magnitude below 2^26, which makes the
// requantisation one 27 x 18 multiplier.
typedef ap_int<27> accumulator_t;
typedef ap_uint<16> multiplier_t;
typedef ap_uint<6> shift_t;

// A rational factor multiplier / 2^shift.
struct Ratio {
    multiplier_t multiplier;
    shift_t shift;
};

// Operands of one DSP48E2 of the array. Native integers of the same value range make C simulation
// many times faster; tests/test_array.cpp runs with both and finds them equal. Nothing else may
// use these types: only a multiply-add that cannot overflow the narrow ones is the same in both.
#if defined(__SYNTHESIS__) || defined(HWGEN_EXACT_TYPES)
typedef ap_int<27> packed_t;   // two weights
typedef ap_int<18> port_t;     // one activation
typedef ap_int<48> cascade_t;  // the sum of a chain
#else
typedef int32_t packed_t;
typedef int32_t port_t;
typedef int64_t cascade_t;
#endif

// SPDX-License-Identifier: Apache-2.0
// GELU as an integer polynomial, after HeatViT (HPCA 2023, equations 5 and 6).
#pragma once

#include "fixed_point.hpp"

// delta in Q.14 and -a/2 * delta in Q.17.
struct GeluConstants {
    ap_uint<16> one;
    ap_uint<16> slope;
};

// Where the polynomial saturates: 1.769 * sqrt(2) in Q5.10.
const int GELU_CLIP = 2562;

// GELU of x in Q5.10, |x| <= 32767; the result is Q5.12. A delta of at most 1.0 keeps it in 18
// bits; 22 hold it for any constants.
inline ap_int<22> gelu(ap_int<16> x, GeluConstants constants) {
#pragma HLS inline
    const bool negative = x < 0;
    const ap_uint<15> magnitude = negative ? ap_int<17>(-x) : ap_int<17>(x);
    const ap_uint<12> t = magnitude < GELU_CLIP ? GELU_CLIP - magnitude.to_int() : 0;
    // In fabric, so that 64 lanes leave the DSPs to the array.
    const ap_uint<24> t_squared = t * t;
#pragma HLS bind_op variable=t_squared op=mul impl=fabric
    const ap_uint<17> square = t_squared >> 6;
    const ap_uint<16> drop = ap_uint<33>(square * constants.slope) >> 17;
    const ap_int<17> erf = ap_int<18>(constants.one) - drop;
    const ap_int<18> factor = (1 << 14) + (negative ? ap_int<18>(-erf) : ap_int<18>(erf));
    const ap_int<35> product = x * factor;
    return (product + (1 << 12)) >> 13;
}

inline ap_int<16> gelu_int8(ap_int<16> x, GeluConstants constants, Ratio output) {
#pragma HLS inline
    return requantise<INT8_LIMIT>(gelu(x, constants), output.multiplier, output.shift);
}

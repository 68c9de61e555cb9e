// SPDX-License-Identifier: Apache-2.0
// Reciprocal and inverse square root: piecewise quadratic polynomials on a 16-bit mantissa.
#pragma once

#include "hwgen_tables.hpp"
#include "types.hpp"

// multiplier * 2^-shift.
struct Root {
    ap_uint<16> multiplier;
    ap_uint<7> shift;
};

// A segment's polynomial at offset x of 0..1023. Coefficients carry four bits below the result's
// last place: c0 is at most 2^20, c1 lies in (-2^15, 0), c2 in (0, 2^11).
inline ap_uint<16> evaluate(ap_int<22> c0, ap_int<16> c1, ap_int<12> c2, ap_uint<10> x) {
#pragma HLS inline
    const ap_uint<10> square = ap_uint<20>(x * x) >> 10;
    const ap_int<16> linear = ap_int<27>(c1 * x) >> 10;
    const ap_int<12> quadratic = ap_int<23>(c2 * square) >> 10;
    const ap_int<18> result = ap_int<23>(c0 + linear + quadratic + 8) >> 4;
    return result > 65535 ? ap_int<18>(65535) : result;
}

inline ap_uint<16> evaluate_reciprocal(ap_uint<16> mantissa) {
#pragma HLS inline
    const ap_uint<6> segment = ap_uint<6>(mantissa >> 10) - RECIPROCAL_FIRST;
    return evaluate(RECIPROCAL_C0[segment], RECIPROCAL_C1[segment], RECIPROCAL_C2[segment],
                    mantissa & 1023);
}

inline ap_uint<16> evaluate_inverse_sqrt(ap_uint<16> mantissa) {
#pragma HLS inline
    const ap_uint<6> segment = ap_uint<6>(mantissa >> 10) - INVERSE_SQRT_FIRST;
    return evaluate(INVERSE_SQRT_C0[segment], INVERSE_SQRT_C1[segment], INVERSE_SQRT_C2[segment],
                    mantissa & 1023);
}

// Position of the highest set bit plus one; zero for zero.
inline ap_uint<7> bit_length(ap_uint<64> value) {
#pragma HLS inline
    ap_uint<7> length = 0;
BISECT:
    for (int step = 32; step > 0; step >>= 1) {
#pragma HLS unroll
        const ap_uint<64> above = value >> step;
        if (above != 0) {
            length += step;
            value = above;
        }
    }
    return length + ap_uint<1>(value[0]);
}

// The top bits of value, moved so that `excess` bits fall off (or zeros enter, if negative).
inline ap_uint<16> mantissa_of(ap_uint<64> value, ap_int<8> excess) {
#pragma HLS inline
    if (excess > 0) return value >> ap_uint<6>(excess);
    return value << ap_uint<6>(-excess);
}

// 1 / value for a value of 1 to 2^32 - 1.
inline Root reciprocal(ap_uint<32> value) {
#pragma HLS inline
    const ap_uint<7> length = bit_length(value);
    Root root;
    root.multiplier = evaluate_reciprocal(mantissa_of(value, ap_int<8>(length) - 16));
    root.shift = length + 15;
    return root;
}

// 1 / sqrt(value) for a value of 1 to 2^63 - 1. The mantissa keeps an even exponent.
inline Root inverse_sqrt(ap_uint<63> value) {
#pragma HLS inline
    const ap_int<8> excess = (ap_int<8>(bit_length(value)) - 15) & ~1;
    Root root;
    root.multiplier = evaluate_inverse_sqrt(mantissa_of(value, excess));
    root.shift = (excess >> 1) + 23;
    return root;
}

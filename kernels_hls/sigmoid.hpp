// SPDX-License-Identifier: Apache-2.0
// The logistic function in four straight pieces: PLAN, of Amin, Curtis and Hayes-Gill (IEE Proc.
// 1997). Its slopes are powers of two, so it takes shifts and additions only.
#pragma once

#include "types.hpp"

const int SIGMOID_ONE = 512;  // Q.9

// Of x in Q3.4; 0 to 512 in Q.9, exact.
inline ap_uint<10> sigmoid(int8_t x) {
#pragma HLS inline
    const bool negative = x < 0;
    const ap_uint<8> magnitude = negative ? -x : int(x);
    ap_uint<10> result = SIGMOID_ONE;
    if (magnitude < 16) {
        result = 8 * magnitude + 256;
    } else if (magnitude < 38) {
        result = 4 * magnitude + 320;
    } else if (magnitude < 80) {
        result = magnitude + 432;
    }
    return negative ? ap_uint<10>(SIGMOID_ONE - result) : result;
}

// SPDX-License-Identifier: Apache-2.0
// Rounding shifts, saturation and requantisation: the arithmetic that every unit shares.
#pragma once

#include "types.hpp"

const int INT8_LIMIT = 127;
const int INT16_LIMIT = 32767;

// Products shifted here have at most 43 bits, so any larger shift also gives zero.
const int MAX_SHIFT = 47;

// value / 2^shift rounded to nearest, ties upwards, for a shift of 1 to MAX_SHIFT. Shifting by one
// less, then adding one and halving, equals (value + 2^(shift-1)) >> shift and needs no wider
// adder and no second shifter for the constant.
inline ap_int<48> round_shift(ap_int<48> value, shift_t shift) {
#pragma HLS inline
    const shift_t before = shift - 1;
    const ap_int<48> doubled = value >> before;
    return (doubled + 1) >> 1;
}

// value clamped to [-limit, limit].
template <int LIMIT, int W>
inline ap_int<16> saturate(const ap_int<W>& value) {
#pragma HLS inline
    if (value > LIMIT) return LIMIT;
    if (value < -LIMIT) return -LIMIT;
    return value;
}

// saturate(round_shift(accumulator * multiplier, shift)): 27 x 17 bits, one DSP48E2.
template <int LIMIT>
inline ap_int<16> requantise(accumulator_t accumulator, multiplier_t multiplier, shift_t shift) {
#pragma HLS inline
    const ap_int<43> product = accumulator * multiplier;
    return saturate<LIMIT>(round_shift(product, shift));
}

// root * 2^-root_shift times an instruction's ratio, as a ratio of 16 bits again: what
// normalisation and attention compute once a row.
inline Ratio scale_ratio(ap_uint<16> root, ap_uint<7> root_shift, Ratio ratio) {
#pragma HLS inline
    const ap_uint<32> product = root * ratio.multiplier;
    const ap_int<9> shift = ap_int<9>(root_shift) + ratio.shift - 16;
    Ratio result;
    result.multiplier = (ap_uint<33>(product) + (1 << 15)) >> 16;
    if (shift < 1) {
        result.shift = 1;
    } else if (shift > MAX_SHIFT) {
        result.shift = MAX_SHIFT;
    } else {
        result.shift = shift;
    }
    return result;
}

// SPDX-License-Identifier: Apache-2.0
// What a finished row of the accumulator goes through: bias, requantisation, GELU, residual.
#pragma once

#include "fixed_point.hpp"
#include "gelu.hpp"

// Parameters of one output channel, 8 bytes of the weight stream: bias (int32), multiplier
// (uint16), shift (uint8), a zero byte.
struct Channel {
    int32_t bias;
    Ratio ratio;
};

const unsigned CHANNEL_BYTES = 8;
const unsigned PARAMETER_BEATS = 8;  // for LANES channels

// The channel whose bytes start at lane `first` of a beat.
inline Channel unpack_channel(const Vector8& beat, unsigned first) {
#pragma HLS inline
    uint64_t bits = 0;
BYTE:
    for (unsigned i = 0; i < CHANNEL_BYTES; ++i) {
#pragma HLS unroll
        bits |= uint64_t(uint8_t(beat.lane[first + i])) << (8 * i);
    }
    Channel channel;
    channel.bias = int32_t(bits);
    channel.ratio.multiplier = uint16_t(bits >> 32);
    channel.ratio.shift = uint8_t(bits >> 48);
    return channel;
}

// Beat `index` of a slice's parameters holds LANES / 8 channels.
inline void load_channels(Channel channels[LANES], ap_uint<3> index, const Vector8& beat) {
#pragma HLS inline
LOAD_CHANNEL:
    for (unsigned i = 0; i < LANES / CHANNEL_BYTES; ++i) {
#pragma HLS unroll
        channels[index * (LANES / CHANNEL_BYTES) + i] = unpack_channel(beat, CHANNEL_BYTES * i);
    }
}

// The same ratio for all channels and no bias, as attention wants it.
inline void set_channels(Channel channels[LANES], Ratio ratio) {
#pragma HLS inline
SET_CHANNEL:
    for (unsigned i = 0; i < LANES; ++i) {
#pragma HLS unroll
        channels[i].bias = 0;
        channels[i].ratio = ratio;
    }
}

struct Epilogue {
    bool narrow;     // the result is int8
    bool by_row;     // each row has its own ratio
    bool gelu;       // on the int16 result, which then becomes int8
    bool residual;   // add the residual operand to the int16 result
    GeluConstants gelu_constants;
    Ratio gelu_output;
};

inline int16_t finish_lane(const Epilogue& epilogue, int32_t sum, const Channel& channel,
                           const Ratio& row_ratio, int16_t residual) {
#pragma HLS inline
    const accumulator_t accumulator = sum + channel.bias;
    const Ratio ratio = epilogue.by_row ? row_ratio : channel.ratio;
    const ap_int<16> wide = requantise<INT16_LIMIT>(accumulator, ratio.multiplier, ratio.shift);
    if (epilogue.gelu) return gelu_int8(wide, epilogue.gelu_constants, epilogue.gelu_output);
    if (epilogue.narrow) return saturate<INT8_LIMIT>(wide);
    if (epilogue.residual) return saturate<INT16_LIMIT>(ap_int<17>(wide + ap_int<16>(residual)));
    return wide;
}

inline Vector16 finish_row(const Epilogue& epilogue, const Vector32& sums,
                           const Channel channels[LANES], const Ratio& row_ratio,
                           const Vector16& residual) {
#pragma HLS inline
    Vector16 result;
LANE:
    for (unsigned i = 0; i < LANES; ++i) {
#pragma HLS unroll
        result.lane[i] =
            finish_lane(epilogue, sums.lane[i], channels[i], row_ratio, residual.lane[i]);
    }
    return result;
}

// SPDX-License-Identifier: Apache-2.0
// Everything that touches DDR: fetch, the only reader, and store, the only writer.
#pragma once

#include "hls_stream.h"
#include "legal.hpp"

// An instruction on its way to execute, or the reason why there is none.
struct Fetched {
    instruction_t bits;
    ap_uint<32> beats;  // that follow in the stream of beats
    ap_uint<8> error;   // ErrorCode; not ERROR_NONE ends the program
    bool last;          // END, or an error that fetch found
    ap_uint<32> output_vectors;  // of the output region
};

// Where the vectors of one result go, in order: row r of slice s is output vector
// address + s * stride + r.
struct StoreCommand {
    ap_uint<16> address;
    ap_uint<16> stride;
    ap_uint<16> slices;
    ap_uint<16> rows;
    bool last;  // nothing to store; the run is over
};

const unsigned VECTOR_WORDS = LANES / 8;  // of an int16 vector
const unsigned MAX_STORE_WORDS = MAX_ROWS * VECTOR_WORDS;

// The parts of a beat that ports P, P + 1, ... own, 1,024 bytes apart in a page.
template <unsigned P>
inline void read_ports(Vector8&, uint64_t) {
#pragma HLS inline
}

template <unsigned P, typename... Rest>
inline void read_ports(Vector8& beat, uint64_t address, const word_t* gmem, Rest... rest) {
#pragma HLS inline
    const word_t word = gmem[address + P * PAGE_BEATS];
HALF:
    for (unsigned half = 0; half < 2; ++half) {
#pragma HLS unroll
        const uint64_t bits = ap_uint<64>(word >> (64 * half)).to_uint64();
    BYTE:
        for (unsigned i = 0; i < 8; ++i) {
#pragma HLS unroll
            beat.lane[P * WORD_BYTES + 8 * half + i] = int8_t(bits >> (8 * i));
        }
    }
    read_ports<P + 1>(beat, address, rest...);
}

// Beats first .. first + count - 1 of the region whose first word is `region`.
//
// Whole pages are read, each as one burst a port of fixed length, and what was not asked for is
// dropped. An outer loop pipelined over such bursts keeps several of them in flight; inner loops of
// varying length would wait for the memory's latency at each page.
template <typename... Memory>
inline void send_beats(hls::stream<Vector8>& beats, uint64_t region, ap_uint<32> first,
                       ap_uint<32> count, Memory... gmem) {
#pragma HLS inline off
    const ap_uint<33> end = ap_uint<33>(first) + count;
    const ap_uint<33> pages = (end + PAGE_BEATS - 1) / PAGE_BEATS;
PAGE:
    for (ap_uint<33> page = first / PAGE_BEATS; page < pages; ++page) {
#pragma HLS loop_tripcount min=1 max=1024
#pragma HLS pipeline II=PAGE_BEATS
        const uint64_t address = region + page.to_uint64() * (PAGE_BEATS * PORTS);
        const ap_uint<33> start = page * PAGE_BEATS;
    BEAT:
        for (unsigned i = 0; i < PAGE_BEATS; ++i) {
#pragma HLS unroll
            Vector8 beat;
            read_ports<0>(beat, address + i, gmem...);
            if (start + i >= first && start + i < end) beats.write(beat);
        }
    }
}

// The 64 bytes at word address `address`.
inline instruction_t read_instruction(const word_t* gmem, uint64_t address) {
#pragma HLS inline
    const unsigned words = INSTRUCTION_BYTES / WORD_BYTES;
    instruction_t bits;
WORD:
    for (unsigned i = 0; i < words; ++i) {
#pragma HLS pipeline II=1
        bits.range(128 * i + 127, 128 * i) = gmem[address + i];
    }
    return bits;
}

// A stretch of one region.
struct Stretch {
    bool input;  // the input region, not the weights
    ap_uint<32> first;
    ap_uint<40> count;
};

// What an instruction takes from DDR.
inline Stretch stretch_of(const instruction_t& bits) {
#pragma HLS inline
    Stretch stretch = {false, 0, 0};
    if (opcode_of(bits) == OPCODE_LOAD) {
        const Load op(bits);
        stretch.input = op.region == REGION_INPUT;
        stretch.first = op.offset;
        stretch.count = op.vectors;
        if (op.destination_buffer == BUFFER_RESIDUAL) stretch.count *= 2;
    } else if (opcode_of(bits) == OPCODE_MATMUL) {
        const Matmul op(bits);
        stretch.first = op.offset;
        // LANES is a power of two: a shift.
        const ap_uint<24> slice_beats = 8 + op.reduction_slices * ap_uint<7>(LANES);
        stretch.count = op.output_slices * slice_beats;
    }
    return stretch;
}

// What can be known of an instruction before it runs: enough to fetch for it safely.
inline Error fetch_error(const instruction_t& bits, const Stretch& stretch,
                         ap_uint<32> weight_beats, ap_uint<32> input_beats) {
#pragma HLS inline
    const ap_uint<8> opcode = opcode_of(bits);
    if (opcode > OPCODE_TOKEN_SELECT) return ERROR_UNKNOWN_OPCODE;
    if (opcode == OPCODE_LOAD && !legal(Load(bits))) return ERROR_OUT_OF_RANGE;
    if (stretch.first + stretch.count > (stretch.input ? input_beats : weight_beats))
        return ERROR_OUT_OF_RANGE;
    return ERROR_NONE;
}

inline Error header_error(const instruction_t& header) {
#pragma HLS inline
    if (header.range(31, 0) != PROGRAM_MAGIC || header.range(63, 32) != PROGRAM_VERSION)
        return ERROR_BAD_HEADER;
    if (header.range(95, 64) != ENGINE_DIGEST) return ERROR_WRONG_ENGINE;
    return ERROR_NONE;
}

// Walks the program: each instruction goes to `instructions`, what it takes from DDR to `beats`,
// as far ahead of execute as the streams are deep. program, weights and input are byte addresses,
// multiples of 16.
template <typename... Memory>
inline void fetch(hls::stream<Fetched>& instructions, hls::stream<Vector8>& beats,
                  ap_uint<64> program, ap_uint<64> weights, ap_uint<64> input,
                  const word_t* gmem0, Memory... gmem) {
#pragma HLS inline off
    const uint64_t program_word = program.to_uint64() / WORD_BYTES;
    const uint64_t weights_word = weights.to_uint64() / WORD_BYTES;
    const uint64_t input_word = input.to_uint64() / WORD_BYTES;
    const instruction_t header = read_instruction(gmem0, program_word);
    const ap_uint<32> count = header.range(127, 96);
    const ap_uint<32> weight_beats = header.range(159, 128);
    const ap_uint<32> input_beats = header.range(191, 160);
    const ap_uint<32> output_vectors = header.range(223, 192);
    Error error = header_error(header);
    bool last = error != ERROR_NONE;
    if (last) instructions.write({0, 0, ap_uint<8>(error), true, 0});
INSTRUCTION:
    for (ap_uint<33> index = 0; !last; ++index) {
#pragma HLS loop_tripcount min=1 max=256
        // No END in the program, unless there is another instruction.
        Fetched fetched = {0, 0, ap_uint<8>(ERROR_OUT_OF_RANGE), true, output_vectors};
        if (index < count) {
            const uint64_t word = program_word + (index.to_uint64() + 1) *
                                                     (INSTRUCTION_BYTES / WORD_BYTES);
            fetched.bits = read_instruction(gmem0, word);
            const Stretch stretch = stretch_of(fetched.bits);
            error = fetch_error(fetched.bits, stretch, weight_beats, input_beats);
            fetched.error = error;
            fetched.last = error != ERROR_NONE || opcode_of(fetched.bits) == OPCODE_END;
            fetched.beats = fetched.last ? ap_uint<40>(0) : stretch.count;
            instructions.write(fetched);
            if (fetched.beats != 0)
                send_beats(beats, stretch.input ? input_word : weights_word, stretch.first,
                           fetched.beats, gmem0, gmem...);
        } else {
            instructions.write(fetched);
        }
        last = fetched.last;
    }
}

// The first eight values as a word.
inline word_t pack_word(const Vector16& vector) {
#pragma HLS inline
    uint64_t halves[2] = {0, 0};
VALUE:
    for (unsigned i = 0; i < 8; ++i) {
#pragma HLS unroll
        halves[i / 4] |= uint64_t(uint16_t(vector.lane[i])) << (16 * (i % 4));
    }
    return (word_t(halves[1]) << 64) | word_t(halves[0]);
}

// One slice of a result: rows vectors to consecutive addresses, in bursts.
inline void store_slice(word_t* output, uint64_t address, rows_t rows,
                        hls::stream<Vector16>& results) {
#pragma HLS inline off
    const ap_uint<20> trips = rows * ap_uint<4>(VECTOR_WORDS);
    Vector16 vector;
STORE_WORD:
    for (ap_uint<20> trip = 0; trip < trips; ++trip) {
#pragma HLS loop_tripcount min=VECTOR_WORDS max=MAX_STORE_WORDS
#pragma HLS pipeline II=1
        if (trip % VECTOR_WORDS == 0) vector = results.read();
        output[address + trip.to_uint64()] = pack_word(vector);
    NEXT_WORD:
        for (unsigned i = 0; i + 8 < LANES; ++i) {
#pragma HLS unroll
            vector.lane[i] = vector.lane[i + 8];
        }
    }
}

inline void store(word_t* output, hls::stream<StoreCommand>& commands,
                  hls::stream<Vector16>& results) {
#pragma HLS inline off
    StoreCommand command = commands.read();
COMMAND:
    while (!command.last) {
#pragma HLS loop_tripcount min=1 max=2
    SLICE:
        for (ap_uint<17> slice = 0; slice < command.slices; ++slice) {
#pragma HLS loop_tripcount min=1 max=16
            const ap_uint<33> vector = command.address + ap_uint<16>(slice) * command.stride;
            store_slice(output, vector.to_uint64() * VECTOR_WORDS, command.rows, results);
        }
        command = commands.read();
    }
}

// SPDX-License-Identifier: Apache-2.0
// The overlay engine: fetch runs ahead of execute, store behind it.
#pragma once

#include "sequencer.hpp"

// Runs the program at byte address `program` of the memory that each gmem pointer sees from its
// first byte. Weights and input are byte addresses too; all are multiples of 16. `output` is the
// first word of the output region. error_code is an ErrorCode, 0 for success.
inline void engine(const word_t* gmem0,
#if HWGEN_PORTS > 1
                   const word_t* gmem1,
#endif
#if HWGEN_PORTS > 2
                   const word_t* gmem2, const word_t* gmem3,
#endif
                   word_t* output, ap_uint<64> program, ap_uint<64> weights, ap_uint<64> input,
                   ap_uint<32>& error_code) {
#pragma HLS dataflow
    hls::stream<Fetched> instructions("instructions");
    hls::stream<Vector8> beats("beats");
    hls::stream<StoreCommand> commands("commands");
    hls::stream<Vector16> results("results");
#pragma HLS stream variable=instructions depth=4
#pragma HLS stream variable=beats depth=PREFETCH_DEPTH
#pragma HLS bind_storage variable=beats type=fifo impl=bram
#pragma HLS stream variable=commands depth=4
#pragma HLS stream variable=results depth=64
    fetch(instructions, beats, program, weights, input, gmem0
#if HWGEN_PORTS > 1
          , gmem1
#endif
#if HWGEN_PORTS > 2
          , gmem2, gmem3
#endif
    );
    execute(instructions, beats, commands, results, error_code);
    store(output, commands, results);
}

// SPDX-License-Identifier: Apache-2.0
// Eight DSP slices in cascade: the dot products of eight activations with the weights of two
// columns.
//
// What slice p sees comes p cycles later than what slice 0 sees of the same row or load, since its
// partial sum comes p cycles later; the caller skews all inputs so. The sums of a row are there
// `CHAIN_LENGTH + 2` cycles after its first activation.

module mac_chain
  import mac_pkg::*;
#(
    parameter bit PRIMITIVE = 1'b0  // see dsp48e2_mac
) (
    input  logic                                             clk,
    input  logic        [CHAIN_LENGTH-1:0][ELEMENT_BITS-1:0] weights,
    input  logic        [CHAIN_LENGTH-1:0]                   load_low,
    input  logic        [CHAIN_LENGTH-1:0]                   load_high,
    input  logic        [CHAIN_LENGTH-1:0]                   swap,
    input  logic        [CHAIN_LENGTH-1:0][ELEMENT_BITS-1:0] activations,
    output logic signed [   LANE_BITS-1:0]                   sum_low,
    output logic signed [   LANE_BITS-1:0]                   sum_high
);
  // verilator inline_module

  logic [CHAIN_LENGTH:0][DSP_BITS-1:0] cascade;

  assign cascade[0] = '0;

  for (genvar p = 0; p < CHAIN_LENGTH; p++) begin : g_slice
    dsp48e2_mac #(
        .PRIMITIVE(PRIMITIVE),
        .HEAD     (p == 0),
        .TAIL     (p == CHAIN_LENGTH - 1)
    ) slice (
        .clk,
        .weight    (weights[p]),
        .load_low  (load_low[p]),
        .load_high (load_high[p]),
        .swap      (swap[p]),
        .activation(activations[p]),
        .sum_in    (cascade[p]),
        .sum       (cascade[p+1])
    );
  end

  // The low lane holds sum_low + 2^17, which is never negative: inverting the top bit takes 2^17
  // away again, and the bits above are sum_high as it is.
  logic [LANE_BITS-1:0] low_with_offset;

  // Copies of the sign of sum_high, which nothing reads.
  // verilator lint_off UNUSEDSIGNAL
  logic [DSP_BITS-2*LANE_BITS-1:0] sign;
  // verilator lint_on UNUSEDSIGNAL

  assign {sign, sum_high, low_with_offset} = cascade[CHAIN_LENGTH];
  assign sum_low = {~low_with_offset[LANE_BITS-1], low_with_offset[LANE_BITS-2:0]};

endmodule

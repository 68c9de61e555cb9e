// SPDX-License-Identifier: Apache-2.0
// Two chains on the same inputs: behavioural slices and instantiated DSP48E2.

module mac_chain_models
  import mac_pkg::*;
(
    input  logic                                             clk,
    input  logic        [CHAIN_LENGTH-1:0][ELEMENT_BITS-1:0] weights,
    input  logic        [CHAIN_LENGTH-1:0]                   load_low,
    input  logic        [CHAIN_LENGTH-1:0]                   load_high,
    input  logic        [CHAIN_LENGTH-1:0]                   swap,
    input  logic        [CHAIN_LENGTH-1:0][ELEMENT_BITS-1:0] activations,
    output logic signed [             1:0][   LANE_BITS-1:0] sum_low,      // behavioural, primitive
    output logic signed [             1:0][   LANE_BITS-1:0] sum_high
);

  for (genvar i = 0; i < 2; i++) begin : g_model
    mac_chain #(
        .PRIMITIVE(i == 1)
    ) chain (
        .clk,
        .weights,
        .load_low,
        .load_high,
        .swap,
        .activations,
        .sum_low (sum_low[i]),
        .sum_high(sum_high[i])
    );
  end

endmodule

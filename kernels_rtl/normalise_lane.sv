// SPDX-License-Identifier: Apache-2.0
// One value of the residual stream, normalised to int8. docs/numerics.md, section 3.
// Latency 4 cycles (latency_pkg::NORMALISE). One DSP48E2, the subtraction in its pre-adder.

module normalise_lane (
    input  logic               clk,
    input  logic signed [15:0] x,
    input  logic signed [21:0] mean,        // Q.6
    input  logic        [15:0] multiplier,
    input  logic        [ 5:0] shift,
    output logic signed [ 7:0] result
);

  localparam int MEAN_FRACTION = 6;

  requantise #(
      .OUTPUT_BITS(8)
  ) to_int8 (
      .clk,
      .accumulator((27'(x) <<< MEAN_FRACTION) - 27'(mean)),
      .multiplier,
      .shift,
      .result
  );

endmodule

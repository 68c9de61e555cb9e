// SPDX-License-Identifier: Apache-2.0
// GELU lanes side by side, so that trying all inputs takes few cycles.

module gelu_lanes #(
    parameter int LANES = 16
) (
    input  logic                   clk,
    input  logic [LANES-1:0][15:0] values,
    input  logic [     15:0]       one,
    input  logic [     15:0]       slope,
    input  logic [     15:0]       multiplier,
    input  logic [      5:0]       shift,
    output logic [LANES-1:0][ 7:0] results
);

  for (genvar i = 0; i < LANES; i++) begin : g_lane
    gelu_lane lane (
        .clk,
        .x(values[i]),
        .one,
        .slope,
        .multiplier,
        .shift,
        .result(results[i])
    );
  end

endmodule

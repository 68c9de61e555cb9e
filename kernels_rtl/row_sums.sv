// SPDX-License-Identifier: Apache-2.0
// Sums of rows, lane by lane: what the mean of several rows is made of. One vector a cycle.
// Latency 2 cycles (latency_pkg::ROW_SUMS).

module row_sums #(
    parameter int LANES = 64
) (
    input logic                   clk,
    input logic                   valid,
    input logic                   first,  // this vector starts new sums
    input logic                   add,    // without it the vector counts as zeros
    input logic [LANES-1:0][15:0] values, // signed

    output logic [LANES-1:0][26:0] sums  // signed, of up to 2,048 vectors
);

  logic valid_1, first_1;

  always_ff @(posedge clk) begin
    valid_1 <= valid;
    first_1 <= first;
  end

  for (genvar i = 0; i < LANES; i++) begin : g_lane
    logic [15:0] addend;
    logic [26:0] sum;

    always_ff @(posedge clk) begin
      if (!add) addend <= '0;
      else addend <= values[i];
      if (valid_1) sum <= 27'(signed'(addend)) + (first_1 ? '0 : sum);
    end
    assign sums[i] = sum;
  end

endmodule

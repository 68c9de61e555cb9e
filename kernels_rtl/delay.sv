// SPDX-License-Identifier: Apache-2.0
// A word as it was CYCLES (1 or more) cycles ago. Without a reset, so that it becomes shift
// registers in LUTs; valid flags in it settle while valid is held low.

module delay #(
    parameter int WIDTH  = 1,
    parameter int CYCLES = 1
) (
    input  logic             clk,
    input  logic [WIDTH-1:0] now,
    output logic [WIDTH-1:0] later
);

  logic [WIDTH-1:0] stages[CYCLES];

  always_ff @(posedge clk) begin
    stages[0] <= now;
    for (int i = 1; i < CYCLES; i++) stages[i] <= stages[i-1];
  end

  assign later = stages[CYCLES-1];

endmodule

// SPDX-License-Identifier: Apache-2.0
// Reciprocals and inverse square roots side by side, so that trying all mantissas takes few cycles.

module root_lanes #(
    parameter int LANES = 4
) (
    input  logic                   clk,
    input  logic [LANES-1:0][63:0] values,
    output logic [LANES-1:0][15:0] reciprocals,
    output logic [LANES-1:0][ 7:0] reciprocal_shifts,
    output logic [LANES-1:0][15:0] inverse_roots,
    output logic [LANES-1:0][ 7:0] inverse_root_shifts
);

  for (genvar i = 0; i < LANES; i++) begin : g_lane
    assign reciprocal_shifts[i][7:6]   = '0;
    assign inverse_root_shifts[i][7:6] = '0;

    reciprocal of_low_half (
        .clk,
        .value(values[i][31:0]),
        .multiplier(reciprocals[i]),
        .shift(reciprocal_shifts[i][5:0])
    );

    inverse_sqrt of_all (
        .clk,
        .value(values[i]),
        .multiplier(inverse_roots[i]),
        .shift(inverse_root_shifts[i][5:0])
    );
  end

endmodule

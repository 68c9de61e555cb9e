// SPDX-License-Identifier: Apache-2.0
// 1 / value as multiplier * 2^-shift. docs/numerics.md, section 3.
// Latency 9 cycles (latency_pkg::ROOT).

module reciprocal (
    input  logic        clk,
    input  logic [31:0] value,       // 1 or more
    output logic [15:0] multiplier,
    output logic [ 5:0] shift        // 15 + bit length of value: 16 to 47
);

  localparam logic [5:0] LARGEST_SHIFT = 6'd47;  // of a value whose top bit is set

  logic [15:0] mantissa;
  logic [4:0] steps;

  leading_shift #(.STEP(1)) normalise (.*);

  piecewise #(.INVERSE_SQRT(0)) evaluate (
      .clk,
      .mantissa,
      .result(multiplier)
  );

  delay #(
      .WIDTH (6),
      .CYCLES(latency_pkg::PIECEWISE)
  ) delay_shift (
      .clk,
      .now  (LARGEST_SHIFT - 6'(steps)),
      .later(shift)
  );

endmodule

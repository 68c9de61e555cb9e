// SPDX-License-Identifier: Apache-2.0
// 1 / sqrt(value) as multiplier * 2^-shift. docs/numerics.md, section 3.
// The mantissa moves by two bits at a time: its exponent stays even, so that the root is a shift.
// Latency 9 cycles (latency_pkg::ROOT).

module inverse_sqrt (
    input  logic        clk,
    input  logic [63:0] value,       // 1 to 2^63 - 1
    output logic [15:0] multiplier,
    output logic [ 5:0] shift        // 16 to 47
);

  localparam logic [5:0] LARGEST_SHIFT = 6'd47;  // of a value with one of the top two bits set

  logic [15:0] mantissa;
  logic [4:0] steps;

  leading_shift #(.STEP(2)) normalise (.*);

  piecewise #(.INVERSE_SQRT(1)) evaluate (
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

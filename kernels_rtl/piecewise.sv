// SPDX-License-Identifier: Apache-2.0
// A reciprocal or inverse square root of a normalised 16-bit mantissa: a quadratic on each segment
// of 1,024 mantissas. docs/numerics.md, section 3.
// Latency 6 cycles (latency_pkg::PIECEWISE). Three DSP48E2; each coefficient bit is one LUT6.

module piecewise
  import hwgen_tables_pkg::*;
#(
    parameter bit INVERSE_SQRT = 0  // otherwise the reciprocal
) (
    input  logic        clk,
    input  logic [15:0] mantissa,  // top bit set; for the inverse square root one of the top two
    output logic [15:0] result
);

  localparam int X_BITS = SEGMENT_BITS;
  localparam logic [20:0] HALF = 21'd1 << (GUARD_BITS - 1);

  logic [5:0] segment;
  assign segment = mantissa[15:SEGMENT_BITS];

  coefficients_t coefficients;
  logic        [X_BITS-1:0] x, square;
  logic        [2*X_BITS-1:0] square_product;
  logic signed [26:0] linear_product;
  logic        [20:0] c0, base, base_rounded, sum, quadratic_product;
  logic        [10:0] c2_2, c2;

  always_ff @(posedge clk) begin
    // 1: look up
    coefficients <= INVERSE_SQRT ? inverse_sqrt_coefficients(segment)
                                 : reciprocal_coefficients(segment);
    x <= mantissa[X_BITS-1:0];
    // 2: multiply
    square_product <= x * x;
    linear_product <= coefficients.c1 * signed'({1'b0, x});
    c0 <= coefficients.c0;
    c2_2 <= coefficients.c2;
    // 3: c0 + c1 x, and the operands of the second product
    base <= c0 + 21'(linear_product >>> X_BITS);
    square <= X_BITS'(square_product >> X_BITS);
    c2 <= c2_2;
    // 4: multiply
    quadratic_product <= c2 * square;
    base_rounded <= base + HALF;
    // 5: add; with the guard bits the sum is at most 2^20 + HALF
    sum <= base_rounded + (quadratic_product >> X_BITS);
    // 6: drop the guard bits; 2^16 becomes the largest 16-bit number
    result <= sum[20] ? '1 : 16'(sum >> GUARD_BITS);
  end

endmodule

// SPDX-License-Identifier: Apache-2.0
// GELU of a Q5.10 integer, requantised to int8: HeatViT's polynomial. docs/numerics.md, section 3.
// The four constants belong to the instruction and stay while its values are in flight.
// Latency 11 cycles (latency_pkg::GELU). Four DSP48E2.

module gelu_lane (
    input  logic               clk,
    input  logic signed [15:0] x,           // Q5.10, not -32768
    input  logic        [15:0] one,         // delta in Q.14
    input  logic        [15:0] slope,       // -a/2 * delta in Q.17
    input  logic        [15:0] multiplier,  // of the requantisation to int8
    input  logic        [ 5:0] shift,
    output logic signed [ 7:0] result
);

  // Where the polynomial saturates: 1.769 * sqrt(2) in Q5.10.
  localparam logic signed [16:0] CLIP = 17'sd2562;
  localparam logic signed [17:0] HALF_ONE = 18'sd1 <<< 14;  // 1/2 in the factor's Q.15
  localparam int ERF_SHIFT = 17;
  localparam int SQUARE_SHIFT = 6;
  localparam int RESULT_SHIFT = 13;
  localparam logic signed [33:0] ROUND = 34'sd1 <<< (RESULT_SHIFT - 1);

  // 1: CLIP - |x|. One adder does both signs: -x is ~x + 1.
  logic negative;
  logic signed [16:0] distance;
  assign negative = x[15];

  always_ff @(posedge clk) begin
    distance <= CLIP + (negative ? 17'(x) : ~17'(x)) + 17'(!negative);
  end

  // 2 to 4: t = max(distance, 0), which its square's register takes with its reset; t * t.
  logic [11:0] t;
  logic [23:0] t_squared;
  logic [17:0] square;

  always_ff @(posedge clk) begin
    if (distance < 0) t <= '0;
    else t <= 12'(distance);
    t_squared <= t * t;
    square <= 18'(t_squared >> SQUARE_SHIFT);
  end

  // 5: what erf lacks to delta.
  logic [33:0] drop_product;
  logic [16:0] drop;
  always_ff @(posedge clk) drop_product <= square * slope;
  assign drop = 17'(drop_product >> ERF_SHIFT);

  // 6: 1/2 + sign(x) * (one - drop) / 2. For either sign one of the terms is negated, so the
  // carry-in is always 1.
  logic negative_5;
  logic signed [17:0] signed_one, signed_drop, factor;

  delay #(
      .WIDTH (1),
      .CYCLES(5)
  ) delay_sign (
      .clk,
      .now  (negative),
      .later(negative_5)
  );

  assign signed_one = negative_5 ? ~18'(one) : 18'(one);
  assign signed_drop = negative_5 ? 18'(drop) : ~18'(drop);
  always_ff @(posedge clk) factor <= HALF_ONE + signed_one + signed_drop + 18'sd1;

  // 7: x times the factor. The requantisation's first register takes the rounded product, which
  // the DSP's own adder makes.
  logic signed [15:0] x_6;
  logic signed [33:0] product;

  delay #(
      .WIDTH (16),
      .CYCLES(6)
  ) delay_x (
      .clk,
      .now  (x),
      .later(x_6)
  );

  always_ff @(posedge clk) product <= x_6 * factor;

  requantise #(
      .OUTPUT_BITS(8)
  ) to_int8 (
      .clk,
      .accumulator(27'((product + ROUND) >>> RESULT_SHIFT)),
      .multiplier,
      .shift,
      .result
  );

endmodule

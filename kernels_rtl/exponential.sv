// SPDX-License-Identifier: Apache-2.0
// round(127 * 2^-x) for x in Q.14: with x = k + f, 2^-f = exp(p) for p = -f ln 2, which is
// 0.3585 (p + 1.353)^2 + 0.344; the integer part k is a shift. docs/numerics.md, section 3.
// Latency 9 cycles (latency_pkg::EXPONENTIAL). Three DSP48E2.

module exponential (
    input  logic        clk,
    input  logic [23:0] x,
    output logic [ 6:0] result
);

  localparam int FRACTION = 14;
  localparam logic [13:0] LN2 = 14'd11357;       // Q.14
  localparam logic [14:0] OFFSET = 15'd22168;    // 1.353 in Q.14
  localparam logic [14:0] SLOPE = 15'd23495;     // 0.3585 in Q.16
  localparam int SLOPE_FRACTION = 16;
  localparam logic [14:0] CONSTANT = 15'd5636;   // 0.344 in Q.14
  localparam logic [9:0] LARGEST_WHOLE = 10'd15; // beyond it the result is zero
  localparam int PEAK_BITS = 7;                  // the peak is 2^7 - 1

  logic [9:0] whole;
  logic [3:0] k, k_then;
  logic [27:0] ln2_product;
  logic [14:0] t, power;
  logic [29:0] t_squared, slope_product;
  logic [14:0] square;
  logic [21:0] scaled;
  logic [13:0] f;

  assign whole = 10'(x >> FRACTION);
  assign k = whole > LARGEST_WHOLE ? 4'(LARGEST_WHOLE) : 4'(whole);

  delay #(
      .WIDTH (4),
      .CYCLES(8)
  ) delay_k (
      .clk,
      .now  (k),
      .later(k_then)
  );

  logic [8:0] doubled;  // twice the result, before rounding
  assign doubled = 9'(scaled >> (5'(k_then) + 5'(FRACTION - 1)));

  always_ff @(posedge clk) begin
    f <= FRACTION'(x);
    ln2_product <= f * LN2;
    t <= OFFSET - 15'(ln2_product >> FRACTION);
    t_squared <= t * t;
    square <= 15'(t_squared >> FRACTION);
    slope_product <= square * SLOPE;
    power <= 15'(slope_product >> SLOPE_FRACTION) + CONSTANT;
    scaled <= (22'(power) << PEAK_BITS) - 22'(power);
    result <= 7'((doubled + 9'd1) >> 1);
  end

endmodule

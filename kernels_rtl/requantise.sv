// SPDX-License-Identifier: Apache-2.0
// One lane of requantisation: saturate((accumulator * multiplier + 2^(shift-1)) >> shift).
// docs/numerics.md, section 2. Latency 4 cycles, one result a cycle.
//
// The product is 27 x 17 bits signed, which one DSP48E2 holds with its M register in use.

module requantise #(
    parameter int OUTPUT_BITS = 8  // saturates to +-(2^(OUTPUT_BITS-1) - 1)
) (
    input  logic                          clk,
    input  logic signed [           26:0] accumulator,
    input  logic        [           15:0] multiplier,
    input  logic        [            5:0] shift,        // 1 to 47
    output logic signed [OUTPUT_BITS-1:0] result
);

  localparam int PRODUCT_BITS = 44;
  // The last bit of a shift goes with the rounding, so that half a unit is still a bit before it.
  localparam int HALVES_BITS = OUTPUT_BITS + 1;
  // What may be left before a shift by up to 3 and by up to 15, if the result is to fit.
  localparam int FINE_BITS = HALVES_BITS + 3;
  localparam int COARSE_BITS = HALVES_BITS + 15;
  localparam logic signed [OUTPUT_BITS-1:0] LIMIT = {1'b0, {(OUTPUT_BITS - 1) {1'b1}}};

  // 1 and 2: multiply.
  logic signed [26:0] accumulator_q;
  logic signed [16:0] multiplier_q;
  logic signed [PRODUCT_BITS-1:0] product;
  logic [5:0] shift_q, half_shift;

  always_ff @(posedge clk) begin
    accumulator_q <= accumulator;
    multiplier_q <= {1'b0, multiplier};
    shift_q <= shift;
    product <= accumulator_q * multiplier_q;
    half_shift <= shift_q - 6'd1;
  end

  // 3: shift by multiples of 16, of 4 and of 1. After each of them the bits beyond what the rest
  // can still bring into the result only tell whether it fits, which keeps the shifter small.
  logic signed [PRODUCT_BITS-1:0] sixteens;
  logic signed [COARSE_BITS-1:0] coarse, fours;
  logic signed [FINE_BITS-1:0] fine, ones;
  logic signed [HALVES_BITS-1:0] halves;
  logic fits_sixteens, fits_fours, fits_ones, negative;

  assign sixteens = product >>> {half_shift[5:4], 4'd0};
  assign coarse = COARSE_BITS'(sixteens);
  assign fours = coarse >>> {half_shift[3:2], 2'd0};
  assign fine = FINE_BITS'(fours);
  assign ones = fine >>> half_shift[1:0];

  always_ff @(posedge clk) begin
    halves <= HALVES_BITS'(ones);
    fits_sixteens <= sixteens == PRODUCT_BITS'(coarse);
    fits_fours <= fours == COARSE_BITS'(fine);
    fits_ones <= ones == FINE_BITS'(HALVES_BITS'(ones));
    negative <= product < 0;
  end

  // 4: round and saturate. Of what fits, one value rounds to beyond either limit; to see it before
  // the addition saves a comparison behind it.
  logic fits, beyond;

  assign fits = fits_sixteens && fits_fours && fits_ones;
  assign beyond = !fits || halves == (negative ? {1'b1, {OUTPUT_BITS{1'b0}}}
                                               : {1'b0, {OUTPUT_BITS{1'b1}}});

  always_ff @(posedge clk) begin
    if (beyond) result <= negative ? -LIMIT : LIMIT;
    else result <= OUTPUT_BITS'(halves >>> 1) + OUTPUT_BITS'(halves[0]);
  end

endmodule

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

  localparam logic signed [43:0] LIMIT = (44'sd1 <<< (OUTPUT_BITS - 1)) - 44'sd1;

  logic signed [26:0] accumulator_q;
  logic signed [16:0] multiplier_q;
  logic        [ 5:0] shift_q, shift_product;
  logic signed [43:0] product, half_units, rounded;

  // Half of the divisor is added after shifting by shift - 1: the same as before, one bit narrower.
  assign half_units = product >>> (shift_product - 6'd1);
  assign rounded = (half_units + 44'sd1) >>> 1;

  logic signed [43:0] rounded_q;

  always_ff @(posedge clk) begin
    accumulator_q <= accumulator;
    multiplier_q  <= {1'b0, multiplier};
    shift_q       <= shift;
    product       <= accumulator_q * multiplier_q;
    shift_product <= shift_q;
    rounded_q     <= rounded;
    if (rounded_q > LIMIT) result <= LIMIT[OUTPUT_BITS-1:0];
    else if (rounded_q < -LIMIT) result <= -LIMIT[OUTPUT_BITS-1:0];
    else result <= rounded_q[OUTPUT_BITS-1:0];
  end

endmodule

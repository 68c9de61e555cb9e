// SPDX-License-Identifier: Apache-2.0
// root * 2^-root_shift times an instruction's ratio, as a ratio of 16 bits again: what normalisation
// and attention compute once a row. Latency 3 cycles (latency_pkg::SCALE_RATIO).

module scale_ratio (
    input  logic        clk,
    input  logic [15:0] root,
    input  logic [ 5:0] root_shift,
    input  logic [15:0] ratio_multiplier,
    input  logic [ 5:0] ratio_shift,
    output logic [15:0] multiplier,
    output logic [ 5:0] shift             // 1 to MAX_SHIFT
);

  localparam int MULTIPLIER_BITS = 16;
  // Products that are shifted have at most 43 bits, so any larger shift also gives zero.
  localparam logic signed [7:0] MAX_SHIFT = 8'sd47;
  localparam logic [31:0] HALF = 32'd1 << (MULTIPLIER_BITS - 1);

  logic [15:0] root_1, ratio_multiplier_1;
  logic [31:0] product;
  logic signed [7:0] shift_1, shift_2;

  always_ff @(posedge clk) begin
    root_1 <= root;
    ratio_multiplier_1 <= ratio_multiplier;
    shift_1 <= 8'(root_shift) + 8'(ratio_shift);

    product <= root_1 * ratio_multiplier_1;
    shift_2 <= shift_1 - 8'(MULTIPLIER_BITS);

    // The rounding cannot carry out: the product is at most (2^16 - 1)^2.
    multiplier <= 16'((product + HALF) >> MULTIPLIER_BITS);
    if (shift_2 < 8'sd1) shift <= 6'd1;
    else if (shift_2 > MAX_SHIFT) shift <= 6'(MAX_SHIFT);
    else shift <= 6'(shift_2);
  end

endmodule

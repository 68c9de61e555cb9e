// SPDX-License-Identifier: Apache-2.0
// A row's mean and the ratio that normalises it, from its sum and sum of squares. docs/numerics.md,
// section 3, Normalisation. The instruction's constants stay while its rows are in flight.
// Latency 18 cycles (latency_pkg::ROW_NORMALISATION). 13 DSP48E2: 4 for the mean, 5 for the
// variance, 3 for the inverse square root, 1 for the ratio.

module row_normalisation
  import latency_pkg::*;
#(
    parameter int ROW_BITS = 10
) (
    input logic                       clk,
    input logic                       row_valid,
    input logic        [ROW_BITS-1:0] row,
    input logic signed [        31:0] total,
    input logic        [        45:0] squares,

    input logic [15:0] columns,
    input logic [31:0] mean_multiplier,       // 2^32 / columns
    input logic [63:0] epsilon,               // variance guard; the variance with it is below 2^63
    input logic [15:0] normalise_multiplier,
    input logic [ 5:0] normalise_shift,

    output logic                       result_valid,
    output logic        [ROW_BITS-1:0] result_row,
    output logic signed [        21:0] mean,          // Q.6
    output logic        [        15:0] multiplier,
    output logic        [         5:0] shift
);

  localparam int MEAN_SHIFT = 26;
  localparam logic signed [64:0] MEAN_ROUND = 65'sd1 <<< (MEAN_SHIFT - 1);
  localparam int MEAN_LATENCY = 5;
  localparam int HALF = 16;           // wide factors are cut into parts of this width
  localparam int SQUARES_HALF = 23;

  delay #(
      .WIDTH (1 + ROW_BITS),
      .CYCLES(ROW_NORMALISATION)
  ) delay_row (
      .clk,
      .now  ({row_valid, row}),
      .later({result_valid, result_row})
  );

  // 1: operand registers. A part below the top one gets a zero as its sign.
  logic signed [15:0] total_high;
  logic signed [16:0] total_low, columns_1, mean_multiplier_high, mean_multiplier_low;
  logic signed [23:0] squares_high, squares_low;

  always_ff @(posedge clk) begin
    {total_high, total_low} <= {total[31:HALF], 1'b0, total[HALF-1:0]};
    {mean_multiplier_high, mean_multiplier_low} <= {
      1'b0, mean_multiplier[31:HALF], 1'b0, mean_multiplier[HALF-1:0]
    };
    columns_1 <= {1'b0, columns};
    {squares_high, squares_low} <= {
      1'b0, squares[45:SQUARES_HALF], 1'b0, squares[SQUARES_HALF-1:0]
    };
  end

  // Mean. 2: products; 3 and 4: their sum; 5: rounding.
  logic signed [32:0] mean_high;
  logic signed [33:0] mean_middle_a, mean_middle_b;
  logic [31:0] mean_low;
  logic signed [64:0] mean_outer, mean_product;
  logic signed [34:0] mean_middle;
  logic signed [21:0] mean_now;

  always_ff @(posedge clk) begin
    mean_high <= total_high * mean_multiplier_high;
    mean_middle_a <= total_high * mean_multiplier_low;
    mean_middle_b <= total_low * mean_multiplier_high;
    mean_low <= total_low * mean_multiplier_low;

    mean_outer <= {mean_high, mean_low};
    mean_middle <= mean_middle_a + mean_middle_b;

    mean_product <= mean_outer + (65'(mean_middle) <<< HALF);

    mean_now <= 22'((mean_product + MEAN_ROUND) >>> MEAN_SHIFT);
  end

  delay #(
      .WIDTH (22),
      .CYCLES(ROW_NORMALISATION - MEAN_LATENCY)
  ) delay_mean (
      .clk,
      .now  (mean_now),
      .later(mean)
  );

  // Variance. 2: products; 3: columns * squares and total^2; 4: their difference; 5: the guard;
  // 6: at least 1.
  logic signed [40:0] spread_high, spread_low;
  logic signed [31:0] square_high;
  logic signed [32:0] square_middle;
  logic [31:0] square_low;
  logic signed [63:0] scaled_squares, squared_total, spread, guarded;
  logic [63:0] variance;

  always_ff @(posedge clk) begin
    spread_high <= columns_1 * squares_high;
    spread_low <= columns_1 * squares_low;
    square_high <= total_high * total_high;
    square_middle <= total_high * total_low;
    square_low <= total_low * total_low;

    scaled_squares <= (64'(spread_high) <<< SQUARES_HALF) + 64'(spread_low);
    squared_total <= {square_high, square_low} + (64'(square_middle) <<< (HALF + 1));

    spread <= scaled_squares - squared_total;

    guarded <= spread + signed'(epsilon);

    variance <= guarded < 64'sd1 ? 64'd1 : guarded;
  end

  logic [15:0] root;
  logic [ 5:0] root_shift;

  inverse_sqrt invert (
      .clk,
      .value(variance),
      .multiplier(root),
      .shift(root_shift)
  );

  scale_ratio scale (
      .clk,
      .root,
      .root_shift,
      .ratio_multiplier(normalise_multiplier),
      .ratio_shift(normalise_shift),
      .multiplier,
      .shift
  );

endmodule

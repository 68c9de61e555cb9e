// SPDX-License-Identifier: Apache-2.0
// What one column of a finished row of the accumulators goes through: bias, requantisation, then
// GELU, or an addition to the residual stream, or neither. docs/program.md, section 4.
// Latency 16 cycles (latency_pkg::EPILOGUE) on every path, so that rows of two instructions may
// follow each other; the flags come when they are needed, from one set of registers for all lanes.
// Five DSP48E2, four of them for GELU. The bias fits the pre-adder of the first.

module epilogue_lane (
    input logic clk,

    // With the row.
    input logic signed [26:0] sum,
    input logic signed [26:0] bias,
    input logic        [15:0] multiplier,
    input logic        [ 5:0] shift,
    input logic               by_row,          // no bias, and the row's ratio for all columns
    input logic        [15:0] row_multiplier,
    input logic        [ 5:0] row_shift,

    // latency_pkg::RESIDUAL_AT cycles after the row.
    input logic               add_residual,
    input logic signed [15:0] residual,
    // One cycle later.
    input logic               narrow,        // the result is int8
    // One cycle before the result.
    input logic               gelu,

    // Constant while rows with GELU are in flight.
    input logic [15:0] gelu_one,
    input logic [15:0] gelu_slope,
    input logic [15:0] gelu_multiplier,
    input logic [ 5:0] gelu_shift,

    output logic signed [15:0] result
);

  import latency_pkg::*;

  localparam logic signed [16:0] INT8_LIMIT = 17'sd127;
  localparam logic signed [16:0] INT16_LIMIT = 17'sd32767;
  localparam int PLAIN = 2;  // cycles of the residual addition and its saturation

  // The compiler bounds the sum with its bias; the parts alone may wrap around.
  logic signed [15:0] wide;

  requantise #(
      .OUTPUT_BITS(16)
  ) requantise_sum (
      .clk,
      .accumulator(sum + (by_row ? '0 : bias)),
      .multiplier(by_row ? row_multiplier : multiplier),
      .shift(by_row ? row_shift : shift),
      .result(wide)
  );

  logic signed [16:0] total, limit;
  logic signed [15:0] plain, plain_delayed;
  logic signed [ 7:0] activated;

  assign limit = narrow ? INT8_LIMIT : INT16_LIMIT;

  always_ff @(posedge clk) begin
    total <= 17'(wide) + (add_residual ? 17'(residual) : '0);
    if (total > limit) plain <= 16'(limit);
    else if (total < -limit) plain <= 16'(-limit);
    else plain <= 16'(total);
  end

  delay #(
      .WIDTH (16),
      .CYCLES(GELU - PLAIN)
  ) delay_plain (
      .clk,
      .now  (plain),
      .later(plain_delayed)
  );

  gelu_lane activate (
      .clk,
      .x(wide),
      .one(gelu_one),
      .slope(gelu_slope),
      .multiplier(gelu_multiplier),
      .shift(gelu_shift),
      .result(activated)
  );

  always_ff @(posedge clk) result <= gelu ? 16'(activated) : plain_delayed;

endmodule

// SPDX-License-Identifier: Apache-2.0
// Sum and sum of squares of rows of the residual stream, gathered while the slices of a matrix pass
// by. One vector a cycle; a row's result comes with its last slice.
// Latency 4 + $clog2(LANES) cycles (latency_pkg::row_statistics). One DSP48E2 a lane.

module row_statistics #(
    parameter int LANES    = 64,
    parameter int MAX_ROWS = 1024,
    parameter int ROW_BITS = $clog2(MAX_ROWS)
) (
    input logic                   clk,
    input logic                   vector_valid,
    input logic [   ROW_BITS-1:0] vector_row,
    input logic                   first,         // slice of the row
    input logic                   last,
    input logic [LANES-1:0][15:0] values,        // in [-32767, 32767]

    output logic                       result_valid,
    output logic        [ROW_BITS-1:0] result_row,
    output logic signed [        31:0] total,         // of up to 65,535 columns
    output logic        [        45:0] squares
);

  localparam int TREE = latency_pkg::adder_tree(LANES);
  localparam int SQUARE_BITS = 31;  // a sign that stays zero, and 32767^2

  // Registers before and behind the multipliers, then the trees.
  logic [LANES-1:0][15:0] values_1, values_2;
  logic [LANES-1:0][SQUARE_BITS-1:0] square;

  for (genvar i = 0; i < LANES; i++) begin : g_lane
    always_ff @(posedge clk) begin
      values_1[i] <= values[i];
      values_2[i] <= values_1[i];
      square[i]   <= signed'(values_1[i]) * signed'(values_1[i]);
    end
  end

  logic signed [16+TREE-1:0] vector_total;
  logic signed [SQUARE_BITS+TREE-1:0] vector_squares;

  adder_tree #(
      .COUNT(LANES),
      .WIDTH(16)
  ) sum_values (
      .clk,
      .terms(values_2),
      .total(vector_total)
  );
  adder_tree #(
      .COUNT(LANES),
      .WIDTH(SQUARE_BITS)
  ) sum_squares (
      .clk,
      .terms(square),
      .total(vector_squares)
  );

  logic part_valid, part_first, part_last;
  logic [ROW_BITS-1:0] part_row;

  delay #(
      .WIDTH (3 + ROW_BITS),
      .CYCLES(2 + TREE)
  ) delay_control (
      .clk,
      .now  ({vector_valid, first, last, vector_row}),
      .later({part_valid, part_first, part_last, part_row})
  );

  logic total_valid, total_last, squares_valid;
  logic [ROW_BITS-1:0] squares_row;

  row_accumulator #(
      .WIDTH(32),
      .MAX_ROWS(MAX_ROWS)
  ) accumulate_values (
      .clk,
      .part_valid,
      .part_row,
      .first(part_first),
      .part(32'(vector_total)),
      .total_valid,
      .total_row(result_row),
      .total(total)
  );
  row_accumulator #(
      .WIDTH(46),
      .MAX_ROWS(MAX_ROWS)
  ) accumulate_squares (
      .clk,
      .part_valid,
      .part_row,
      .first(part_first),
      .part(46'(vector_squares)),
      .total_valid(squares_valid),
      .total_row(squares_row),
      .total(squares)
  );
  delay #(
      .CYCLES(latency_pkg::ROW_ACCUMULATOR)
  ) delay_last (
      .clk,
      .now  (part_last),
      .later(total_last)
  );

  assign result_valid = total_valid && total_last;

  // The second accumulator keeps step with the first.
  logic unused;
  assign unused = &{1'b0, squares_valid, squares_row};

endmodule

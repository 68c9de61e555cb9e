// SPDX-License-Identifier: Apache-2.0
// Row statistics and the normaliser that reads them, as an engine joins them. The residual buffer,
// which gives a vector some cycles after its row is known, is the bench's.

module layer_norm_path #(
    parameter int LANES    = 16,
    parameter int MAX_ROWS = 64,
    parameter int ROW_BITS = $clog2(MAX_ROWS)
) (
    input logic clk,

    input logic                   vector_valid,
    input logic [   ROW_BITS-1:0] vector_row,
    input logic                   first,
    input logic                   last,
    input logic [LANES-1:0][15:0] values,

    input logic [15:0] columns,
    input logic [31:0] mean_multiplier,
    input logic [63:0] epsilon,
    input logic [15:0] normalise_multiplier,
    input logic [ 5:0] normalise_shift,

    output logic                       statistics_valid,
    output logic        [ROW_BITS-1:0] statistics_row,
    output logic signed [        31:0] total,
    output logic        [        45:0] squares,

    input  logic [   ROW_BITS-1:0] read_row,
    input  logic [LANES-1:0][15:0] read_values,  // latency_pkg::ROW_LEAD cycles later
    output logic [LANES-1:0][ 7:0] results
);

  row_statistics #(
      .LANES(LANES),
      .MAX_ROWS(MAX_ROWS)
  ) statistics (
      .clk,
      .vector_valid,
      .vector_row,
      .first,
      .last,
      .values,
      .result_valid(statistics_valid),
      .result_row(statistics_row),
      .total,
      .squares
  );

  normaliser #(
      .LANES(LANES),
      .MAX_ROWS(MAX_ROWS)
  ) normalise (
      .clk,
      .statistics_valid,
      .statistics_row,
      .total,
      .squares,
      .columns,
      .mean_multiplier,
      .epsilon,
      .normalise_multiplier,
      .normalise_shift,
      .vector_row(read_row),
      .values(read_values),
      .results
  );

endmodule

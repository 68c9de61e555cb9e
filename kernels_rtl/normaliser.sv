// SPDX-License-Identifier: Apache-2.0
// The first half of LayerNorm. Statistics of rows come in as their last slices pass; mean and ratio
// of each row stay in a memory, from which vectors on their way to the array are normalised.
// From statistics to memory 19 cycles (latency_pkg::ROW_NORMALISATION and the write); from a vector
// to its result 4 (latency_pkg::NORMALISE).

module normaliser
  import latency_pkg::*;
#(
    parameter int LANES    = 64,
    parameter int MAX_ROWS = 1024,
    parameter int ROW_BITS = $clog2(MAX_ROWS)
) (
    input logic clk,

    // Rows from row_statistics and the constants of the instruction that will read them.
    input logic                       statistics_valid,
    input logic        [ROW_BITS-1:0] statistics_row,
    input logic signed [        31:0] total,
    input logic        [        45:0] squares,
    input logic        [        15:0] columns,
    input logic        [        31:0] mean_multiplier,
    input logic        [        63:0] epsilon,
    input logic        [        15:0] normalise_multiplier,
    input logic        [         5:0] normalise_shift,

    // The row of a vector comes ROW_LEAD cycles before its values.
    input  logic [   ROW_BITS-1:0] vector_row,
    input  logic [LANES-1:0][15:0] values,
    output logic [LANES-1:0][ 7:0] results
);

  typedef struct packed {
    logic signed [21:0] mean;
    logic [15:0] multiplier;
    logic [5:0] shift;
  } row_t;

  logic write;
  logic [ROW_BITS-1:0] write_row;
  row_t write_entry, entry, row;

  row_normalisation #(
      .ROW_BITS(ROW_BITS)
  ) row_unit (
      .clk,
      .row_valid(statistics_valid),
      .row(statistics_row),
      .total,
      .squares,
      .columns,
      .mean_multiplier,
      .epsilon,
      .normalise_multiplier,
      .normalise_shift,
      .result_valid(write),
      .result_row(write_row),
      .mean(write_entry.mean),
      .multiplier(write_entry.multiplier),
      .shift(write_entry.shift)
  );

  row_memory #(
      .WIDTH($bits(row_t)),
      .MAX_ROWS(MAX_ROWS)
  ) rows (
      .clk,
      .write,
      .write_row,
      .write_entry,
      .read_row(vector_row),
      .entry
  );

  always_ff @(posedge clk) row <= entry;

  for (genvar i = 0; i < LANES; i++) begin : g_lane
    normalise_lane lane (
        .clk,
        .x(values[i]),
        .mean(row.mean),
        .multiplier(row.multiplier),
        .shift(row.shift),
        .result(results[i])
    );
  end

endmodule

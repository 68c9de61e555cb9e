// SPDX-License-Identifier: Apache-2.0
// Softmax of rows with the division deferred. docs/numerics.md, section 3; docs/program.md,
// ATTENTION. Scores pass twice, slice by slice: on their way into the score buffer, for the largest
// of each row, and on their way to the array, where they become exponentials. With a row's last
// slice comes its ratio, output / sum, for the epilogue of the product with V.
// Latency of exponentials 2 cycles (latency_pkg::SOFTMAX), of ratios 16 + $clog2(LANES)
// (latency_pkg::row_ratio). Two heads may overlap if the top bit of the row tells them apart.

module softmax_row
  import latency_pkg::*;
#(
    parameter int LANES    = 64,
    parameter int MAX_ROWS = 1024,
    parameter int ROW_BITS = $clog2(MAX_ROWS),
    parameter int KEY_BITS = $clog2(LANES + 1)
) (
    input logic clk,
    input logic reset,

    // The instruction's table of exponentials, and its output ratio, which stays.
    input  logic        fill,
    input  logic [15:0] exponent_multiplier,
    output logic        ready,
    input  logic [15:0] output_multiplier,
    input  logic [ 5:0] output_shift,

    // Scores as they come from the epilogue.
    input logic                  score_valid,
    input logic [  ROW_BITS-1:0] score_row,
    input logic                  score_first,  // slice of the row
    input logic [  KEY_BITS-1:0] score_keys,   // lanes that are keys, 1 to LANES
    input logic [LANES-1:0][7:0] new_scores,

    // Scores on their way to the array. The row comes ROW_LEAD cycles before all the rest.
    input  logic [  ROW_BITS-1:0] vector_row,
    input  logic                  vector_valid,
    input  logic                  first,
    input  logic                  last,
    input  logic [  KEY_BITS-1:0] keys,
    input  logic [LANES-1:0][7:0] scores,
    output logic [LANES-1:0][7:0] exponentials,

    output logic                ratio_valid,
    output logic [ROW_BITS-1:0] ratio_row,
    output logic [        15:0] multiplier,
    output logic [         5:0] shift
);

  localparam int TREE = adder_tree(LANES);
  localparam int TERM_BITS = 8;  // exponentials are 0 to 127
  localparam int SUM_BITS = 23;  // at most 127 * 65535

  // Peaks.
  logic peak_valid;
  logic [ROW_BITS-1:0] peak_row;
  logic [7:0] new_peak, peak_entry, peak;

  row_maximum #(
      .LANES(LANES),
      .MAX_ROWS(MAX_ROWS)
  ) maximum (
      .clk,
      .vector_valid(score_valid),
      .vector_row(score_row),
      .first(score_first),
      .keys(score_keys),
      .scores(new_scores),
      .peak_valid,
      .peak_row,
      .peak(new_peak)
  );

  row_memory #(
      .WIDTH(8),
      .MAX_ROWS(MAX_ROWS)
  ) peaks (
      .clk,
      .write(peak_valid),
      .write_row(peak_row),
      .write_entry(new_peak),
      .read_row(vector_row),
      .entry(peak_entry)
  );

  always_ff @(posedge clk) peak <= peak_entry;

  // Exponentials of differences.
  logic [LANES-1:0] enable;
  logic [LANES-1:0][7:0] differences;
  logic [LANES-1:0][6:0] entries;

  for (genvar i = 0; i < LANES; i++) begin : g_lane
    always_ff @(posedge clk) begin
      enable[i] <= i < int'(keys);
      differences[i] <= peak - scores[i];
    end
    assign exponentials[i] = {1'b0, entries[i]};
  end

  exponential_table #(
      .LANES(LANES)
  ) lookup (
      .clk,
      .reset,
      .fill,
      .multiplier(exponent_multiplier),
      .ready,
      .enable,
      .differences,
      .entries
  );

  // Sums.
  logic part_valid, part_first, part_last, sum_valid, sum_last;
  logic [ROW_BITS-1:0] part_row, sum_row;
  logic signed [TERM_BITS+TREE-1:0] part;
  logic [SUM_BITS-1:0] sum;

  adder_tree #(
      .COUNT(LANES),
      .WIDTH(TERM_BITS)
  ) add_lanes (
      .clk,
      .terms(exponentials),
      .total(part)
  );

  delay #(
      .WIDTH (3),
      .CYCLES(SOFTMAX + TREE)
  ) delay_flags (
      .clk,
      .now  ({vector_valid, first, last}),
      .later({part_valid, part_first, part_last})
  );
  delay #(
      .WIDTH (ROW_BITS),
      .CYCLES(ROW_LEAD + SOFTMAX + TREE)
  ) delay_row (
      .clk,
      .now  (vector_row),
      .later(part_row)
  );

  row_accumulator #(
      .WIDTH(SUM_BITS),
      .MAX_ROWS(MAX_ROWS)
  ) accumulate (
      .clk,
      .part_valid,
      .part_row,
      .first(part_first),
      .part(SUM_BITS'(part)),
      .total_valid(sum_valid),
      .total_row(sum_row),
      .total(sum)
  );

  delay #(
      .CYCLES(ROW_ACCUMULATOR)
  ) delay_last (
      .clk,
      .now  (part_last),
      .later(sum_last)
  );

  // Ratios.
  logic [15:0] root;
  logic [ 5:0] root_shift;

  reciprocal invert (
      .clk,
      .value(32'(sum)),
      .multiplier(root),
      .shift(root_shift)
  );

  scale_ratio scale (
      .clk,
      .root,
      .root_shift,
      .ratio_multiplier(output_multiplier),
      .ratio_shift(output_shift),
      .multiplier,
      .shift
  );

  delay #(
      .WIDTH (1 + ROW_BITS),
      .CYCLES(ROOT + SCALE_RATIO)
  ) delay_ratio (
      .clk,
      .now  ({sum_valid && sum_last, sum_row}),
      .later({ratio_valid, ratio_row})
  );

endmodule

// SPDX-License-Identifier: Apache-2.0
// The largest score of each row, gathered while slices of scores pass by.
// Latency 3 + $clog2(LANES) cycles (latency_pkg::row_maximum).

module row_maximum #(
    parameter int LANES    = 64,
    parameter int MAX_ROWS = 1024,
    parameter int ROW_BITS = $clog2(MAX_ROWS),
    parameter int KEY_BITS = $clog2(LANES + 1)
) (
    input logic                  clk,
    input logic                  vector_valid,
    input logic [  ROW_BITS-1:0] vector_row,
    input logic                  first,         // slice of the row
    input logic [  KEY_BITS-1:0] keys,          // lanes that are keys, 1 to LANES
    input logic [LANES-1:0][7:0] scores,

    output logic                       peak_valid,
    output logic        [ROW_BITS-1:0] peak_row,
    output logic signed [         7:0] peak         // of all slices so far
);

  localparam int LEVELS = $clog2(LANES);
  localparam logic [7:0] BELOW_ALL = 8'h80;  // -128 is no score

  logic [LANES-1:0][7:0] masked;

  for (genvar i = 0; i < LANES; i++) begin : g_lane
    always_ff @(posedge clk) masked[i] <= i < int'(keys) ? scores[i] : BELOW_ALL;
  end

  for (genvar level = 0; level < LEVELS; level++) begin : g_level
    localparam int NODES = LANES >> (level + 1);
    logic [2*NODES-1:0][7:0] candidates;
    logic [NODES-1:0][7:0] winners;

    if (level == 0) begin : g_leaf
      assign candidates = masked;
    end else begin : g_inner
      assign candidates = g_level[level-1].winners;
    end

    for (genvar i = 0; i < NODES; i++) begin : g_node
      always_ff @(posedge clk) begin
        winners[i] <= signed'(candidates[2*i]) > signed'(candidates[2*i+1]) ? candidates[2*i]
                                                                            : candidates[2*i+1];
      end
    end
  end

  logic part_valid, part_first;
  logic [ROW_BITS-1:0] part_row;

  delay #(
      .WIDTH (2 + ROW_BITS),
      .CYCLES(1 + LEVELS)
  ) delay_control (
      .clk,
      .now  ({vector_valid, first, vector_row}),
      .later({part_valid, part_first, part_row})
  );

  row_accumulator #(
      .WIDTH(8),
      .MAXIMUM(1),
      .MAX_ROWS(MAX_ROWS)
  ) accumulate (
      .clk,
      .part_valid,
      .part_row,
      .first(part_first),
      .part(g_level[LEVELS-1].winners[0]),
      .total_valid(peak_valid),
      .total_row(peak_row),
      .total(peak)
  );

endmodule

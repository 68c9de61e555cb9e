// SPDX-License-Identifier: Apache-2.0
// Combines parts of rows that come one slice after the other: the running sum, or maximum, of each
// row. Latency 2 cycles (latency_pkg::ROW_ACCUMULATOR). The same row may come again 3 cycles later;
// the array's passes, at least one tile load apart, are further from each other.

module row_accumulator #(
    parameter int WIDTH    = 32,
    parameter bit MAXIMUM  = 0,                // of signed parts; otherwise the sum
    parameter int MAX_ROWS = 1024,
    parameter int ROW_BITS = $clog2(MAX_ROWS)
) (
    input logic                clk,
    input logic                part_valid,
    input logic [ROW_BITS-1:0] part_row,
    input logic                first,       // starts the row, whatever came before
    input logic [   WIDTH-1:0] part,

    output logic                total_valid,
    output logic [ROW_BITS-1:0] total_row,
    output logic [   WIDTH-1:0] total         // with all parts so far
);

  logic valid_1, first_1, larger;
  logic [ROW_BITS-1:0] row_1;
  logic [WIDTH-1:0] part_1, so_far;

  row_memory #(
      .WIDTH(WIDTH),
      .MAX_ROWS(MAX_ROWS)
  ) memory (
      .clk,
      .write(total_valid),
      .write_row(total_row),
      .write_entry(total),
      .read_row(part_row),
      .entry(so_far)
  );

  assign larger = signed'(part_1) > signed'(so_far);

  always_ff @(posedge clk) begin
    valid_1 <= part_valid;
    row_1   <= part_row;
    first_1 <= first;
    part_1  <= part;

    total_valid <= valid_1;
    total_row   <= row_1;
    if (MAXIMUM) total <= first_1 || larger ? part_1 : so_far;
    else total <= part_1 + (first_1 ? '0 : so_far);
  end

endmodule

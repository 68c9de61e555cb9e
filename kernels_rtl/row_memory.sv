// SPDX-License-Identifier: Apache-2.0
// One entry a row: written at a clock edge, read with one cycle of latency. A row read in the cycle
// in which it is written gives its old entry in simulation and neither in hardware: don't.

module row_memory #(
    parameter int WIDTH    = 32,
    parameter int MAX_ROWS = 1024,
    parameter int ROW_BITS = $clog2(MAX_ROWS)
) (
    input  logic                clk,
    input  logic                write,
    input  logic [ROW_BITS-1:0] write_row,
    input  logic [   WIDTH-1:0] write_entry,
    input  logic [ROW_BITS-1:0] read_row,
    output logic [   WIDTH-1:0] entry
);

  (* ram_style = "block" *)
  logic [WIDTH-1:0] entries[MAX_ROWS];

  always_ff @(posedge clk) begin
    if (write) entries[write_row] <= write_entry;
    entry <= entries[read_row];
  end

endmodule

// SPDX-License-Identifier: Apache-2.0
// A small first-in first-out queue in LUT memory; the head can be seen before it is taken.
module fifo #(
    parameter int WIDTH = 8,
    parameter int DEPTH = 4   // a power of two
) (
    input  logic             clk,
    input  logic             reset,
    input  logic             push_valid,
    output logic             push_ready,
    input  logic [WIDTH-1:0] push,
    output logic             head_valid,
    output logic [WIDTH-1:0] head,
    input  logic             pop
);

  localparam int BITS = $clog2(DEPTH);

  (* ram_style = "distributed" *)
  logic [WIDTH-1:0] entries[DEPTH];
  logic [BITS:0] written, taken;
  logic full, pushing, taking;

  assign pushing = push_valid && push_ready;
  assign taking = pop && head_valid;
  assign push_ready = !full;
  assign head_valid = written != taken;
  assign head = entries[taken[BITS-1:0]];

  always_ff @(posedge clk) begin
    if (pushing) entries[written[BITS-1:0]] <= push;
    if (reset) begin
      written <= '0;
      taken   <= '0;
      full    <= 1'b0;
    end else begin
      if (pushing) written <= written + 1'b1;
      if (taking) taken <= taken + 1'b1;
      // A register: whether a queue takes more is asked at the end of long paths.
      if (taking) full <= 1'b0;
      else if (pushing) full <= written - taken == (BITS + 1)'(DEPTH - 1);
    end
  end

endmodule

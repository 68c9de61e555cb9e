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

  // Full: the same place, one round ahead.
  assign push_ready = written != {!taken[BITS], taken[BITS-1:0]};
  assign head_valid = written != taken;
  assign head = entries[taken[BITS-1:0]];

  always_ff @(posedge clk) begin
    if (push_valid && push_ready) entries[written[BITS-1:0]] <= push;
    if (reset) begin
      written <= '0;
      taken   <= '0;
    end else begin
      if (push_valid && push_ready) written <= written + 1'b1;
      if (pop && head_valid) taken <= taken + 1'b1;
    end
  end

endmodule

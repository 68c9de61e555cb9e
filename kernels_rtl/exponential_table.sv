// SPDX-License-Identifier: Apache-2.0
// The exponential of every difference max - score, 0 to 254, for one score scale; a copy in LUT
// memory for each lane, so that all lanes read in the same cycle. docs/numerics.md, section 3.
// `fill` starts 255 writes, one a cycle; `ready` follows when the last is done.
// Latency of a read: 1 cycle.

module exponential_table #(
    parameter int LANES = 64
) (
    input  logic clk,
    input  logic reset,
    input  logic fill,        // takes the multiplier; ends a fill that still runs
    input  logic [15:0] multiplier,  // score scale * log2(e), Q2.14
    output logic ready,

    input  logic [LANES-1:0]      enable,       // an entry that is not enabled reads as zero
    input  logic [LANES-1:0][7:0] differences,
    output logic [LANES-1:0][6:0] entries
);

  localparam logic [7:0] MAX_DIFFERENCE = 8'd254;

  // Arguments, one a cycle.
  logic filling;
  logic [7:0] difference;
  logic [15:0] step;
  logic [23:0] x;

  always_ff @(posedge clk) begin
    if (reset) begin
      filling <= 1'b0;
    end else if (fill) begin
      filling <= 1'b1;
      difference <= '0;
      step <= multiplier;
      x <= '0;
    end else if (filling) begin
      filling <= difference != MAX_DIFFERENCE;
      difference <= difference + 8'd1;
      x <= x + 24'(step);
    end
  end

  // Their exponentials, written to all copies.
  logic write;
  logic [7:0] write_difference;
  logic [6:0] write_entry;

  exponential evaluate (
      .clk,
      .x,
      .result(write_entry)
  );

  delay #(
      .WIDTH (9),
      .CYCLES(latency_pkg::EXPONENTIAL)
  ) delay_write (
      .clk,
      .now  ({filling, difference}),
      .later({write, write_difference})
  );

  always_ff @(posedge clk) begin
    if (reset || fill) ready <= 1'b0;
    else if (write && write_difference == MAX_DIFFERENCE) ready <= 1'b1;
  end

  for (genvar i = 0; i < LANES; i++) begin : g_copy
    (* ram_style = "distributed" *)
    logic [6:0] copy[256];

    always_ff @(posedge clk) begin
      if (write) copy[write_difference] <= write_entry;
      if (!enable[i]) entries[i] <= '0;
      else entries[i] <= copy[differences[i]];
    end
  end

endmodule

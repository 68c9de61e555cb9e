// SPDX-License-Identifier: Apache-2.0
// The four kinds of storage that other modules take for granted, side by side for one bench.
module storage #(
    parameter int LANES = 16,  // bytes of a word
    parameter int DEPTH = 16,
    parameter int CYCLES = 5,
    localparam int WIDTH = 8 * LANES,
    localparam int PLACE_BITS = $clog2(DEPTH)
) (
    input logic clk,
    input logic reset,

    input  logic             push_valid,
    output logic             push_ready,
    input  logic [WIDTH-1:0] push,
    output logic             head_valid,
    output logic [WIDTH-1:0] head,
    input  logic             pop,

    input  logic [WIDTH-1:0] now,
    output logic [WIDTH-1:0] later,

    input  logic                  write,
    input  logic [PLACE_BITS-1:0] write_address,
    input  logic [     WIDTH-1:0] write_vector,
    input  logic [PLACE_BITS-1:0] read_address,
    input  logic [PLACE_BITS-1:0] tile_address,
    output logic [     WIDTH-1:0] row_entry,
    output logic [     WIDTH-1:0] buffer_vector,
    output logic [     WIDTH-1:0] work_vector,
    output logic [     WIDTH-1:0] tile_vector
);

  fifo #(
      .WIDTH(WIDTH),
      .DEPTH(DEPTH)
  ) fifo (
      .clk,
      .reset,
      .push_valid,
      .push_ready,
      .push,
      .head_valid,
      .head,
      .pop
  );

  delay #(
      .WIDTH (WIDTH),
      .CYCLES(CYCLES)
  ) delay (
      .clk,
      .now,
      .later
  );

  row_memory #(
      .WIDTH(WIDTH),
      .MAX_ROWS(DEPTH)
  ) row_memory (
      .clk,
      .write,
      .write_row(write_address),
      .write_entry(write_vector),
      .read_row(read_address),
      .entry(row_entry)
  );

  vector_buffer #(
      .WIDTH(WIDTH),
      .DEPTH(DEPTH)
  ) vector_buffer (
      .clk,
      .write,
      .write_address,
      .write_vector,
      .read_address,
      .read_vector(buffer_vector)
  );

  work_buffer #(
      .WIDTH(WIDTH),
      .DEPTH(DEPTH)
  ) work_buffer (
      .clk,
      .row_address(read_address),
      .row_vector(work_vector),
      .write,
      .write_address,
      .write_vector,
      .tile_address,
      .tile_vector
  );

endmodule

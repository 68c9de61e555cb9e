// SPDX-License-Identifier: Apache-2.0
// The way of keys, values and weights to the array: filler, square and loader with the buffers that
// the filler reads. A bench fills the buffers and plays sequencer, weight stream and array.
module tile_path
  import engine_pkg::*;
#(
    parameter int LANES = 16,
    parameter int DEPTH = 128,
    localparam int INDEX_BITS = $clog2(LANES),
    localparam int ADDRESS_BITS = $clog2(DEPTH)
) (
    input logic clk,
    input logic reset,

    input logic                    work_write,
    input logic                    value_write,
    input logic [ADDRESS_BITS-1:0] write_address,
    input logic [LANES-1:0][7:0]   write_vector,
    input logic                    work_settled,
    input logic                    value_settled,

    input  logic [ADDRESS_BITS-1:0] row_address,
    output logic [LANES-1:0][7:0]   row_vector,

    input  logic        fill_valid,
    output logic        fill_ready,
    input  fill_t       fill,
    input  logic        load_valid,
    output logic        load_ready,
    input  load_order_t load,
    output logic        idle,
    output logic [ 1:0] full,

    input  logic                  beat_valid,
    output logic                  beat_ready,
    input  logic [LANES-1:0][7:0] beat,
    input  logic                  beats_plenty,

    output logic                  array_load,
    output logic [INDEX_BITS-1:0] array_channel,
    output logic [LANES-1:0][7:0] array_weights,
    output logic                  tile_ready,
    input  logic                  tile_taken,
    input  logic                  swap_soon,
    output logic                  channel_load,
    output logic [           2:0] channel_index,
    output logic [LANES-1:0][7:0] channel_beat,
    input  logic                  channel_swap,

    output logic                   loaded_work,
    output logic                   loaded_residual,
    output logic [           15:0] loaded_address,
    output logic [LANES-1:0][15:0] loaded_vector
);

  /* verilator lint_off UNUSEDSIGNAL */  // the buffers are small
  logic [15:0] fill_address;
  /* verilator lint_on UNUSEDSIGNAL */
  logic [LANES-1:0][7:0] work_tile, value_tile;

  work_buffer #(
      .WIDTH(8 * LANES),
      .DEPTH(DEPTH)
  ) work (
      .clk,
      .row_address,
      .row_vector,
      .write(work_write),
      .write_address,
      .write_vector,
      .tile_address(fill_address[ADDRESS_BITS-1:0]),
      .tile_vector(work_tile)
  );

  vector_buffer #(
      .WIDTH(8 * LANES),
      .DEPTH(DEPTH)
  ) value (
      .clk,
      .write(value_write),
      .write_address,
      .write_vector,
      .read_address(fill_address[ADDRESS_BITS-1:0]),
      .read_vector(value_tile)
  );

  logic square_write, square_write_half, square_half, square_across;
  logic [INDEX_BITS-1:0] square_write_index, square_index;
  logic [LANES-1:0][7:0] square_write_vector, square_vector;
  logic release_valid, release_half;

  tile_filler #(
      .LANES(LANES)
  ) filler (
      .clk,
      .reset,
      .fill_valid,
      .fill_ready,
      .fill,
      .work_settled,
      .value_settled,
      .work_blocked(work_write),
      .address(fill_address),
      .work_vector(work_tile),
      .value_vector(value_tile),
      .write(square_write),
      .write_half(square_write_half),
      .write_index(square_write_index),
      .write_vector(square_write_vector),
      .full,
      .release_valid,
      .release_half
  );

  tile_square #(
      .LANES(LANES)
  ) square (
      .clk,
      .write(square_write),
      .write_half(square_write_half),
      .write_index(square_write_index),
      .write_vector(square_write_vector),
      .read_half(square_half),
      .read_index(square_index),
      .across(square_across),
      .read_vector(square_vector)
  );

  tile_loader #(
      .LANES(LANES)
  ) loader (
      .clk,
      .reset,
      .load_valid,
      .load_ready,
      .load,
      .idle,
      .beat_valid,
      .beat_ready,
      .beat,
      .beats_plenty,
      .square_full(full),
      .square_half,
      .square_index,
      .square_across,
      .square_vector,
      .release_valid,
      .release_half,
      .array_load,
      .array_channel,
      .array_weights,
      .tile_ready,
      .tile_taken,
      .swap_soon,
      .channel_load,
      .channel_index,
      .channel_beat,
      .channel_swap,
      .work_write(loaded_work),
      .residual_write(loaded_residual),
      .write_address(loaded_address),
      .write_vector(loaded_vector)
  );

endmodule

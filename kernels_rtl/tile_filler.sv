// SPDX-License-Identifier: Apache-2.0
// Brings tiles of keys and values into the square, one ahead of the loader. A tile takes LANES
// cycles, and those in which the work buffer is being written.
module tile_filler
  import engine_pkg::*;
#(
    parameter int LANES = 64,
    localparam int INDEX_BITS = $clog2(LANES)
) (
    input logic clk,
    input logic reset,

    input  logic  fill_valid,
    output logic  fill_ready,
    input  fill_t fill,

    // Whether all that was issued towards the buffers has arrived there; tiles that come `again` do
    // not ask.
    input logic work_settled,
    input logic value_settled,
    input logic work_blocked,   // its second port writes in this cycle

    output logic [          15:0] address,       // of both buffers
    input  logic [LANES-1:0][7:0] work_vector,   // two cycles later
    input  logic [LANES-1:0][7:0] value_vector,

    output logic                  write,
    output logic                  write_half,
    output logic [INDEX_BITS-1:0] write_index,
    output logic [LANES-1:0][7:0] write_vector,

    // Halves of the square that hold a tile, and the loader's word that it has read one.
    output logic [1:0] full,
    input  logic       release_valid,
    input  logic       release_half
);

  typedef struct packed {
    logic active;
    logic last;
    logic half;
    logic from_value;
    logic exists;
    logic [INDEX_BITS-1:0] index;
  } step_t;

  logic                  busy;
  logic                  half;
  logic [INDEX_BITS-1:0] index;
  /* verilator lint_off UNUSEDSIGNAL */  // whether to wait is over
  fill_t                 tile;
  /* verilator lint_on UNUSEDSIGNAL */
  step_t                 step, step_stored;
  step_t                 step_read;

  logic settled, go;
  assign settled = fill.from_value ? value_settled : work_settled;
  assign fill_ready = !busy && !full[half] && (settled || fill.again);
  assign go = busy && (tile.from_value || !work_blocked);
  assign address = tile.address + 16'(index);

  always_comb begin
    step = '{
        active: go,
        last: index == INDEX_BITS'(LANES - 1),
        half: half,
        from_value: tile.from_value,
        exists: 8'(index) < tile.rows,
        index: index
    };
  end

  always_ff @(posedge clk) begin
    step_stored <= step;
    step_read <= step_stored;
    write_half <= step_read.half;
    write_index <= step_read.index;
    write_vector <= step_read.from_value ? value_vector : work_vector;
    if (!step_read.exists) write_vector <= '0;
    if (reset) begin
      busy <= 1'b0;
      half <= 1'b0;
      full <= 2'b00;
      step_stored.active <= 1'b0;
      step_read.active <= 1'b0;
      write <= 1'b0;
    end else begin
      write <= step_read.active;
      if (fill_valid && fill_ready) begin
        busy  <= 1'b1;
        tile  <= fill;
        index <= '0;
      end
      if (go) begin
        index <= index + 1'b1;
        if (step.last) begin
          busy <= 1'b0;
          half <= !half;
        end
      end
      if (release_valid) full[release_half] <= 1'b0;
      // When the loader's first read reaches the banks, the last vector has just been written.
      if (step_read.active && step_read.last) full[step_read.half] <= 1'b1;
    end
  end

endmodule

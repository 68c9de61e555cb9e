// SPDX-License-Identifier: Apache-2.0
// The work buffer: rows for the array on one port, writes and key tiles on the other. Both answer a
// read two cycles after its address. A write takes precedence on its port.
module work_buffer #(
    parameter int WIDTH = 512,
    parameter int DEPTH = 1024
) (
    input  logic                     clk,
    input  logic [$clog2(DEPTH)-1:0] row_address,
    output logic [        WIDTH-1:0] row_vector,
    input  logic                     write,
    input  logic [$clog2(DEPTH)-1:0] write_address,
    input  logic [        WIDTH-1:0] write_vector,
    input  logic [$clog2(DEPTH)-1:0] tile_address,
    output logic [        WIDTH-1:0] tile_vector
);

  (* ram_style = "block" *)
  logic [WIDTH-1:0] vectors[DEPTH];
  logic [WIDTH-1:0] row_stored, tile_stored;
  logic [$clog2(DEPTH)-1:0] second_address;

  assign second_address = write ? write_address : tile_address;

  always_ff @(posedge clk) begin
    row_stored <= vectors[row_address];
    row_vector <= row_stored;
  end

  always_ff @(posedge clk) begin
    if (write) vectors[second_address] <= write_vector;
    else tile_stored <= vectors[second_address];
    tile_vector <= tile_stored;
  end

endmodule

// SPDX-License-Identifier: Apache-2.0
// A buffer of vectors with one port to write and one to read; data come two cycles after the address.
// A vector read in the cycle in which it is written is undefined in hardware: nobody does.
module vector_buffer #(
    parameter int WIDTH = 512,
    parameter int DEPTH = 1024
) (
    input  logic                     clk,
    input  logic                     write,
    input  logic [$clog2(DEPTH)-1:0] write_address,
    input  logic [        WIDTH-1:0] write_vector,
    input  logic [$clog2(DEPTH)-1:0] read_address,
    output logic [        WIDTH-1:0] read_vector
);

  (* ram_style = "block" *)
  logic [WIDTH-1:0] vectors[DEPTH];
  logic [WIDTH-1:0] stored;

  always_ff @(posedge clk) begin
    if (write) vectors[write_address] <= write_vector;
    stored <= vectors[read_address];
    read_vector <= stored;
  end

endmodule

// SPDX-License-Identifier: Apache-2.0
// Two tiles of keys or values between their buffer and the array. A tile is written vector by vector
// and read as it was written (keys: a key is the weights of one score column) or across (values: the
// weights of one output column are one element of each value).
//
// Element d of vector j lies in bank (d + j) mod LANES at address j: both a vector and a column then
// touch each bank once. What a vector needs before and after is a rotation.
// Latency of a read: 3 cycles.
module tile_square #(
    parameter int LANES = 64,
    localparam int INDEX_BITS = $clog2(LANES)
) (
    input  logic                  clk,
    input  logic                  write,
    input  logic                  write_half,
    input  logic [INDEX_BITS-1:0] write_index,
    input  logic [LANES-1:0][7:0] write_vector,
    input  logic                  read_half,
    input  logic [INDEX_BITS-1:0] read_index,
    input  logic                  across,
    output logic [LANES-1:0][7:0] read_vector
);

  // Byte i of the result is byte (i + by) mod LANES of the input; with `up`, byte i - by.
  function automatic logic [LANES-1:0][7:0] rotate(
      input logic [LANES-1:0][7:0] bytes, input logic [INDEX_BITS-1:0] by, input bit up);
    logic [LANES-1:0][7:0] result;
    int down;
    result = bytes;
    for (int stage = 0; stage < INDEX_BITS; stage++) begin
      down = up ? 8 * LANES - (8 << stage) : 8 << stage;
      if (by[stage]) result = (result >> down) | (result << (8 * LANES - down));
    end
    return result;
  endfunction

  logic                  rotated_write;
  logic [INDEX_BITS:0]   rotated_address;
  logic [LANES-1:0][7:0] rotated;

  always_ff @(posedge clk) begin
    rotated_write   <= write;
    rotated_address <= {write_half, write_index};
    rotated         <= rotate(write_vector, write_index, 1'b1);
  end

  logic                  half_then, across_then;
  logic [INDEX_BITS-1:0] index_then, index_last;
  logic [LANES-1:0][7:0] banks;

  for (genvar b = 0; b < LANES; b++) begin : g_bank
    (* ram_style = "distributed" *)
    logic [7:0] bytes[2*LANES];
    logic [INDEX_BITS-1:0] entry;

    assign entry = across_then ? INDEX_BITS'(b) - index_then : index_then;

    always_ff @(posedge clk) begin
      if (rotated_write) bytes[rotated_address] <= rotated[b];
      banks[b] <= bytes[{half_then, entry}];
    end
  end

  always_ff @(posedge clk) begin
    half_then   <= read_half;
    across_then <= across;
    index_then  <= read_index;
    index_last  <= index_then;
    read_vector <= rotate(banks, index_last, 1'b0);
  end

endmodule

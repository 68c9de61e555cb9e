// SPDX-License-Identifier: Apache-2.0
// What mac_array does, in C++ (mac_array_twin.cpp), for simulations of whole networks: each row
// is multiplied in the cycle it comes in and its sums wait until the array would have them ready.
// Equal to the array in every cycle in which sums are valid; tests show it.

module mac_array_twin
  import mac_pkg::*;
#(
    parameter  int LANES    = 64,
    localparam int SUM_BITS = sum_bits(LANES)
) (
    input  logic                               clk,
    input  logic                               row_valid,
    input  logic [LANES-1:0][ELEMENT_BITS-1:0] row,
    input  logic                               swap,
    input  logic                               load,
    input  logic [        $clog2(LANES)-1:0]   load_channel,
    input  logic [LANES-1:0][ELEMENT_BITS-1:0] load_weights,
    output logic [LANES-1:0][    SUM_BITS-1:0] sums
);

  localparam int LATENCY = latency(LANES);

  import "DPI-C" function chandle mac_array_twin_create(
    input int lanes,
    input int sum_bits
  );
  import "DPI-C" function void mac_array_twin_destroy(input chandle array);
  import "DPI-C" function void mac_array_twin_swap(input chandle array);
  import "DPI-C" function void mac_array_twin_load(
    input chandle                      array,
    input int                          channel,
    input bit [LANES*ELEMENT_BITS-1:0] weights
  );
  import "DPI-C" function void mac_array_twin_multiply(
    input  chandle                      array,
    input  bit [LANES*ELEMENT_BITS-1:0] row,
    output bit [    LANES*SUM_BITS-1:0] sums
  );

  // A ring: the slot of this cycle was last written LATENCY cycles ago.
  bit [LANES*SUM_BITS-1:0] ring[LATENCY];
  int                      slot;
  chandle                  array;

  initial begin
    array = mac_array_twin_create(LANES, SUM_BITS);
    slot  = 0;
  end

  final mac_array_twin_destroy(array);

  assign sums = ring[slot];

  always_ff @(posedge clk) begin
    // In this order: a row sees the swap of its cycle, a swap does not see the load of its cycle.
    if (swap) mac_array_twin_swap(array);
    if (row_valid) mac_array_twin_multiply(array, row, ring[slot]);
    if (load) mac_array_twin_load(array, int'(load_channel), load_weights);
    slot <= slot == LATENCY - 1 ? 0 : slot + 1;
  end

endmodule

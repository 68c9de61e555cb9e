// SPDX-License-Identifier: Apache-2.0
// Sizes of the matrix array that its modules share.

package mac_pkg;

  localparam int ELEMENT_BITS = 8;  // activations and weights
  localparam int CHAIN_LENGTH = 8;  // DSP slices in one cascade
  localparam int LANE_BITS = 18;  // one of the two sums that a cascade carries
  localparam int DSP_BITS = 48;  // P, PCIN and PCOUT of a DSP48E2

  // The low sum is signed. Adding half of its range once, at the head of the cascade, keeps it from
  // ever borrowing from the high one: the lanes then part by wiring alone.
  localparam logic [DSP_BITS-1:0] LANE_OFFSET = DSP_BITS'(1) << (LANE_BITS - 1);

  // Stages of the adder tree that joins the chains of one column.
  function automatic int tree_stages(int lanes);
    return $clog2(lanes / CHAIN_LENGTH);
  endfunction

  // Width of a sum of `lanes` products.
  function automatic int sum_bits(int lanes);
    return LANE_BITS + tree_stages(lanes);
  endfunction

  // Cycles from a row at the inputs of the array to its sums at the outputs: input register; B, M
  // and P of the first slice of a chain; P of each further slice; the tree.
  function automatic int latency(int lanes);
    return 1 + 3 + (CHAIN_LENGTH - 1) + tree_stages(lanes);
  endfunction

endpackage

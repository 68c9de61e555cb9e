// SPDX-License-Identifier: Apache-2.0
// Two columns of the array, an even and an odd channel, with LANES weights each: chains of DSP
// slices and, for each column, the tree that adds what the chains found.
//
// Lane l is slice l mod 8 of chain l / 8. Its weights and activations arrive 1 + l mod 8 cycles
// after the load and swap strobes of their cycle, as `skew` delivers them. The strobes are
// registered and skewed here, beside the slices that they enable: one register of each drives
// slice p of all chains. Sums come `latency(LANES)` cycles after the strobes of their row's cycle.

(* keep_hierarchy *)
module column_pair
  import mac_pkg::*;
#(
    parameter  int LANES     = 64,              // 16, 32 or 64
    parameter  bit PRIMITIVE = 1'b0,            // see dsp48e2_mac
    localparam int SUM_BITS  = sum_bits(LANES)
) (
    input  logic                               clk,
    input  logic                               load_even,
    input  logic                               load_odd,
    input  logic                               swap,
    input  logic [LANES-1:0][ELEMENT_BITS-1:0] weights,
    input  logic [LANES-1:0][ELEMENT_BITS-1:0] activations,
    output logic [      1:0][    SUM_BITS-1:0] sums         // odd, even
);
  // Simulators compile the pair once, not once for each place.
  // verilator no_inline_module

  localparam int CHAINS = LANES / CHAIN_LENGTH;

  logic [CHAIN_LENGTH-1:0] load_low, load_high, swap_skewed;

  always_ff @(posedge clk) begin
    load_low    <= {load_low[CHAIN_LENGTH-2:0], load_even};
    load_high   <= {load_high[CHAIN_LENGTH-2:0], load_odd};
    swap_skewed <= {swap_skewed[CHAIN_LENGTH-2:0], swap};
  end

  logic [CHAINS-1:0][LANE_BITS-1:0] low, high;

  for (genvar c = 0; c < CHAINS; c++) begin : g_chain
    mac_chain #(
        .PRIMITIVE(PRIMITIVE)
    ) chain (
        .clk,
        .weights    (weights[c*CHAIN_LENGTH+:CHAIN_LENGTH]),
        .load_low,
        .load_high,
        .swap       (swap_skewed),
        .activations(activations[c*CHAIN_LENGTH+:CHAIN_LENGTH]),
        .sum_low    (low[c]),
        .sum_high   (high[c])
    );
  end

  adder_tree #(
      .COUNT(CHAINS),
      .WIDTH(LANE_BITS)
  ) tree_even (
      .clk,
      .terms(low),
      .total(sums[0])
  );

  adder_tree #(
      .COUNT(CHAINS),
      .WIDTH(LANE_BITS)
  ) tree_odd (
      .clk,
      .terms(high),
      .total(sums[1])
  );

endmodule

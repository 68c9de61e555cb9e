// SPDX-License-Identifier: Apache-2.0
// The sum of COUNT signed terms, one register a level.
// Latency $clog2(COUNT) cycles (latency_pkg::adder_tree).

module adder_tree #(
    parameter  int COUNT  = 64,                  // a power of two
    parameter  int WIDTH  = 16,
    localparam int LEVELS = $clog2(COUNT),
    localparam int TOTAL  = WIDTH + LEVELS
) (
    input  logic                         clk,
    input  logic        [COUNT-1:0][WIDTH-1:0] terms,
    output logic signed [TOTAL-1:0]      total
);

  for (genvar level = 0; level < LEVELS; level++) begin : g_level
    localparam int NODES = COUNT >> (level + 1);
    localparam int BITS = WIDTH + level + 1;  // each level adds one bit
    logic [NODES-1:0][BITS-1:0] sums;

    for (genvar i = 0; i < NODES; i++) begin : g_node
      if (level == 0) begin : g_leaf
        always_ff @(posedge clk) begin
          sums[i] <= BITS'(signed'(terms[2*i])) + BITS'(signed'(terms[2*i+1]));
        end
      end else begin : g_inner
        always_ff @(posedge clk) begin
          sums[i] <= BITS'(signed'(g_level[level-1].sums[2*i]))
                   + BITS'(signed'(g_level[level-1].sums[2*i+1]));
        end
      end
    end
  end

  assign total = g_level[LEVELS-1].sums[0];

endmodule

// SPDX-License-Identifier: Apache-2.0
// Delays lane l of a beat by 1 + l mod 8 cycles, to when slice l mod 8 of a chain needs it.
//
// Each lane ends in a register of its own, since it drives a DSP slice in every column pair.

module skew
  import mac_pkg::*;
#(
    parameter int LANES = 64
) (
    input  logic                               clk,
    input  logic [LANES-1:0][ELEMENT_BITS-1:0] beat,
    output logic [LANES-1:0][ELEMENT_BITS-1:0] skewed
);

  for (genvar l = 0; l < LANES; l++) begin : g_lane
    localparam int DELAY = 1 + l % CHAIN_LENGTH;

    (* srl_style = "srl_reg" *)
    logic [DELAY-1:0][ELEMENT_BITS-1:0] line;

    always_ff @(posedge clk) line <= (DELAY * ELEMENT_BITS)'({line, beat[l]});

    assign skewed[l] = line[DELAY-1];
  end

endmodule

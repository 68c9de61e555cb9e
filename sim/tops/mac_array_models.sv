// SPDX-License-Identifier: Apache-2.0
// The array and its twin in C++ on the same inputs.

module mac_array_models
  import mac_pkg::*;
#(
    parameter  int LANES    = 64,
    localparam int SUM_BITS = sum_bits(LANES)
) (
    input  logic                               clk,
    input  logic                               rst,
    input  logic                               row_valid,
    input  logic [LANES-1:0][ELEMENT_BITS-1:0] row,
    input  logic                               swap,
    input  logic                               load,
    input  logic [        $clog2(LANES)-1:0]   load_channel,
    input  logic [LANES-1:0][ELEMENT_BITS-1:0] load_weights,
    output logic                               sums_valid,
    output logic [LANES-1:0][    SUM_BITS-1:0] sums,
    output logic                               twin_differs  // in this cycle
);

  logic                           twin_valid;
  logic [LANES-1:0][SUM_BITS-1:0] twin_sums;

  mac_array #(
      .LANES(LANES)
  ) array (
      .clk,
      .rst,
      .row_valid,
      .row,
      .swap,
      .load,
      .load_channel,
      .load_weights,
      .sums_valid,
      .sums
  );

  mac_array #(
      .LANES(LANES),
      .TWIN (1'b1)
  ) twin (
      .clk,
      .rst,
      .row_valid,
      .row,
      .swap,
      .load,
      .load_channel,
      .load_weights,
      .sums_valid(twin_valid),
      .sums      (twin_sums)
  );

  assign twin_differs = twin_valid != sums_valid || (sums_valid && twin_sums != sums);

endmodule

// SPDX-License-Identifier: Apache-2.0
// The matrix array: LANES lanes of activations by LANES columns of weights, one row of a matrix in
// and its LANES partial sums out every cycle.
//
//     sums[c] = sum over l of row[l] * weight[c][l]         LATENCY cycles after row and row_valid
//
// Weights are stationary. A tile is loaded one channel a cycle, `load_weights` being all the
// weights of column `load_channel`, into registers that no row sees; `swap` makes what has been
// loaded the tile in use. Nothing ever has to wait, and the order of things is that of the cycles
// in which they are presented:
//
//   - a row uses the tile made live by the last swap in its own cycle or before;
//   - a swap takes what was loaded in the cycles before its own; a load in the cycle of a swap
//     belongs to the next tile;
//   - a swap needs no row with it, and rows need not be consecutive;
//   - channels not loaded since the last swap keep their weights.
//
// So a tile of LANES loads may follow another without a gap, and a row may come with the swap:
//
//   cycle        0     1    ...   63    64    65   ...  127   128
//   load         t0    t0   ...   t0    t1    t1   ...   t1    t2
//   swap                                *                      *
//   row uses                            t0    t0   ...   t0    t1
//
// Slice p of a cascade sees a row p cycles after slice 0. Loads and swaps are delayed like rows, so
// that every slice sees all three in this order.
//
// Weights are in [-127, 127], activations in [-128, 127]. Reset clears the valid pipeline alone.

module mac_array
  import mac_pkg::*;
#(
    parameter  int LANES     = 64,              // 16, 32 or 64
    parameter  bit PRIMITIVE = 1'b0,            // see dsp48e2_mac
    parameter  bit TWIN      = 1'b0,            // 1: in C++, fast, equal in every cycle; simulation
    localparam int LATENCY   = latency(LANES),  // 12, 13 or 14
    localparam int SUM_BITS  = sum_bits(LANES)  // 19, 20 or 21
) (
    input  logic                               clk,
    input  logic                               rst,
    // Rows
    input  logic                               row_valid,
    input  logic [LANES-1:0][ELEMENT_BITS-1:0] row,
    // Tiles
    input  logic                               swap,
    input  logic                               load,
    input  logic [        $clog2(LANES)-1:0]   load_channel,
    input  logic [LANES-1:0][ELEMENT_BITS-1:0] load_weights,
    // Partial sums, undefined unless valid
    output logic                               sums_valid,
    output logic [LANES-1:0][    SUM_BITS-1:0] sums
);

  logic [LATENCY-1:0] valid_line;

  always_ff @(posedge clk) begin
    if (rst) valid_line <= '0;
    else valid_line <= {valid_line[LATENCY-2:0], row_valid};
  end

  assign sums_valid = valid_line[LATENCY-1];

  if (TWIN) begin : g_twin

    mac_array_twin #(
        .LANES(LANES)
    ) twin (
        .clk,
        .row_valid,
        .row,
        .swap,
        .load,
        .load_channel,
        .load_weights,
        .sums
    );

  end else begin : g_slices

    localparam int PAIRS = LANES / 2;

    logic [LANES-1:0][ELEMENT_BITS-1:0] activations, weights;

    skew #(
        .LANES(LANES)
    ) skew_row (
        .clk,
        .beat  (row),
        .skewed(activations)
    );

    skew #(
        .LANES(LANES)
    ) skew_weights (
        .clk,
        .beat  (load_weights),
        .skewed(weights)
    );

    logic [LANES-1:0] load_column;

    assign load_column = LANES'(load) << load_channel;

    for (genvar j = 0; j < PAIRS; j++) begin : g_pair
      column_pair #(
          .LANES    (LANES),
          .PRIMITIVE(PRIMITIVE)
      ) pair (
          .clk,
          .load_even(load_column[2*j]),
          .load_odd (load_column[2*j+1]),
          .swap,
          .weights,
          .activations,
          .sums     (sums[2*j+:2])
      );
    end

  end

endmodule

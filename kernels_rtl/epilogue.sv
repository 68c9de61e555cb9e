// SPDX-License-Identifier: Apache-2.0
// The epilogue of whole rows: LANES lanes, and two sets of channel parameters, one in use while the
// next one loads. docs/program.md, section 4 (MATMUL).
// Latency 16 cycles (latency_pkg::EPILOGUE), one row a cycle, with or without gaps.

module epilogue
  import latency_pkg::*;
#(
    parameter int LANES = 64
) (
    input logic clk,

    // Channel parameters: eight beats of LANES / 8 channels each, in any order and with any gaps.
    // Rows that enter in the cycle after `swap` use those loaded before.
    input logic                  load,
    input logic [           2:0] load_index,
    input logic [LANES-1:0][7:0] load_beat,
    input logic                  swap,

    // A row of the accumulators and its instruction's flags.
    input logic                          row_valid,
    input logic        [LANES-1:0][26:0] sums,
    input logic                          by_row,          // no bias, and one ratio for the row
    input logic        [15:0]            row_multiplier,
    input logic        [ 5:0]            row_shift,
    input logic                          narrow,          // results are int8
    input logic                          gelu,
    input logic                          add_residual,

    // The residual operand, RESIDUAL_AT cycles after its row.
    input logic [LANES-1:0][15:0] residual,

    // Constant while rows with GELU are in flight.
    input logic [15:0] gelu_one,
    input logic [15:0] gelu_slope,
    input logic [15:0] gelu_multiplier,
    input logic [ 5:0] gelu_shift,

    output logic                   result_valid,
    output logic [LANES-1:0][15:0] results
);

  localparam int CHANNELS_PER_BEAT = LANES / 8;

  // Eight bytes of the weight stream, the last field in the lowest ones. 27 bits of the bias
  // matter: the sum with it is below 2^26.
  typedef struct packed {
    logic [9:0] unused;
    logic [5:0] shift;
    logic [15:0] multiplier;
    logic [4:0] bias_sign;
    logic [26:0] bias;
  } stream_channel_t;

  typedef struct packed {
    logic [5:0] shift;
    logic [15:0] multiplier;
    logic [26:0] bias;
  } channel_t;

  // Flags, each until the stage that needs it.
  logic add_residual_then, narrow_then, gelu_then;

  delay #(
      .CYCLES(RESIDUAL_AT)
  ) delay_add_residual (
      .clk,
      .now  (add_residual),
      .later(add_residual_then)
  );
  delay #(
      .CYCLES(RESIDUAL_AT + 1)
  ) delay_narrow (
      .clk,
      .now  (narrow),
      .later(narrow_then)
  );
  delay #(
      .CYCLES(EPILOGUE - 1)
  ) delay_gelu (
      .clk,
      .now  (gelu),
      .later(gelu_then)
  );
  delay #(
      .CYCLES(EPILOGUE)
  ) delay_valid (
      .clk,
      .now  (row_valid),
      .later(result_valid)
  );

  for (genvar i = 0; i < LANES; i++) begin : g_lane
    localparam logic [2:0] BEAT = 3'(i / CHANNELS_PER_BEAT);
    localparam int FIRST_BYTE = 8 * (i % CHANNELS_PER_BEAT);

    /* verilator lint_off UNUSEDSIGNAL */
    stream_channel_t loaded;  // with the bytes and bits that no lane needs
    /* verilator lint_on UNUSEDSIGNAL */
    channel_t next, channel;

    assign loaded = load_beat[FIRST_BYTE+:8];

    always_ff @(posedge clk) begin
      if (load && load_index == BEAT) begin
        next <= '{shift: loaded.shift, multiplier: loaded.multiplier, bias: loaded.bias};
      end
      if (swap) channel <= next;
    end

    epilogue_lane lane (
        .clk,
        .sum(sums[i]),
        .bias(channel.bias),
        .multiplier(channel.multiplier),
        .shift(channel.shift),
        .by_row,
        .row_multiplier,
        .row_shift,
        .add_residual(add_residual_then),
        .residual(residual[i]),
        .narrow(narrow_then),
        .gelu(gelu_then),
        .gelu_one,
        .gelu_slope,
        .gelu_multiplier,
        .gelu_shift,
        .result(results[i])
    );
  end

endmodule

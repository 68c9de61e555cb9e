// SPDX-License-Identifier: Apache-2.0
// Takes everything that comes through the weight stream, and tiles of keys and values from the
// square, in the order of the program: weight tiles and channel parameters to the array and the
// epilogue, vectors of the LOAD instruction to their buffer.
module tile_loader
  import engine_pkg::*;
#(
    parameter int LANES = 64,
    localparam int INDEX_BITS = $clog2(LANES)
) (
    input logic clk,
    input logic reset,

    input  logic  load_valid,
    output logic  load_ready,
    input  load_order_t load,
    output logic  idle,

    input  logic                  beat_valid,
    output logic                  beat_ready,
    input  logic [LANES-1:0][7:0] beat,
    input  logic                  beats_plenty,  // the next EARLY beats come without a pause

    // The square.
    input  logic [           1:0] square_full,
    output logic                  square_half,
    output logic [INDEX_BITS-1:0] square_index,
    output logic                  square_across,
    input  logic [LANES-1:0][7:0] square_vector,  // three cycles later
    output logic                  release_valid,
    output logic                  release_half,

    // The array's shadow tile. tile_ready stays until tile_taken. Then the tile is whole, or will be
    // when its first row gets to the array, EARLY cycles later at the earliest. The next one waits
    // for the swap, of which it hears SWAP_AHEAD cycles before.
    output logic                  array_load,
    output logic [INDEX_BITS-1:0] array_channel,
    output logic [LANES-1:0][7:0] array_weights,
    output logic                  tile_ready,
    input  logic                  tile_taken,
    input  logic                  swap_soon,

    // The epilogue's next channel parameters, which wait for the swap of the ones before.
    output logic                  channel_load,
    output logic [           2:0] channel_index,
    output logic [LANES-1:0][7:0] channel_beat,
    input  logic                  channel_swap,

    // Vectors of the LOAD instruction.
    output logic                   work_write,
    output logic                   residual_write,
    output logic [           15:0] write_address,
    output logic [LANES-1:0][15:0] write_vector    // the work buffer takes the low bytes
);

  localparam int SQUARE_LATENCY = 3;
  // From tile_ready to the swap: the issuer takes two cycles, the row ARRAY_AT.
  localparam int EARLY = ARRAY_AT + 2;
  // Steps that may be left: one from the stream is in the array a cycle later.
  localparam logic [39:0] EARLY_TILE = 40'(EARLY);
  localparam logic [39:0] EARLY_SQUARE = 40'(EARLY - SQUARE_LATENCY);

  /* verilator lint_off UNUSEDSIGNAL */  // its counts have moved to the registers below
  load_order_t current;
  /* verilator lint_on UNUSEDSIGNAL */
  logic busy;
  logic [39:0] steps_left;
  logic last_step;
  logic from_beats;  // busy with the stream
  logic parameter_step;  // the beats of channel parameters, which come first
  logic [2:0] parameter_index;
  logic [INDEX_BITS-1:0] channel;
  logic [15:0] address;
  logic second_half;  // of a 16-bit vector
  logic shadow_free, channels_free;
  logic near_end, announced;  // few steps are left; tile_ready has been set for this tile
  logic announce;

  logic step, begin_load, staging_ready, staged_valid, transfer;
  assign beat_ready = from_beats && (!parameter_step || staging_ready);
  assign step = from_beats ? beat_valid && beat_ready : busy;
  assign idle = !busy && !load_valid;
  assign begin_load = load_valid && load_ready;

  always_ff @(posedge clk) begin
    if (begin_load) begin
      current <= load;
      steps_left <= load.beats;
      last_step <= load.beats == 40'd1;
      near_end <= 1'b0;
      announced <= 1'b0;
      parameter_step <= load.kind == LOAD_TILE && load.parameters;
      parameter_index <= '0;
      channel <= '0;
      address <= load.address;
      second_half <= 1'b0;
    end else if (step) begin
      steps_left <= steps_left - 1'b1;
      last_step <= steps_left == 40'd2;
      near_end <= steps_left <= (current.kind == LOAD_TILE ? EARLY_TILE : EARLY_SQUARE) + 40'd1;
      if (announce) announced <= 1'b1;
      if (parameter_step) begin
        parameter_index <= parameter_index + 1'b1;
        parameter_step <= parameter_index != 3'd7;
      end else begin
        channel <= channel + 1'b1;
      end
      second_half <= !second_half;
      if (current.kind == LOAD_WORK || second_half) address <= address + 1'b1;
    end
  end

  // A tile can be used when what is left of it is sure to come in time.
  always_comb begin
    unique case (current.kind)
      LOAD_TILE: announce = step && !parameter_step && ((near_end && beats_plenty) || last_step);
      LOAD_SQUARE: announce = step && near_end;
      default: announce = 1'b0;
    endcase
    if (announced) announce = 1'b0;
  end

  // A tile may be loaded when the one before is live; keys and values when they are in the square.
  logic needs_shadow, may_start;
  assign needs_shadow = load.kind == LOAD_TILE || load.kind == LOAD_SQUARE;
  assign may_start = (!needs_shadow || shadow_free)
      && (load.kind != LOAD_SQUARE || square_full[square_half]);
  assign load_ready = !busy && may_start;

  assign square_index = channel;
  assign square_across = current.transposed;
  assign release_half = square_half;
  assign release_valid = step && current.kind == LOAD_SQUARE && last_step;

  // Channel parameters wait here until those before them are live, so that the tile behind them can
  // load meanwhile. It cannot be used before they have left, or its rows could overtake them.
  logic [2:0] transfer_index;
  logic parameters_wait, promised;
  logic [LANES-1:0][7:0] staged;
  assign transfer = staged_valid && (channels_free || transfer_index != '0);
  assign parameters_wait = staged_valid && !channels_free && transfer_index == '0;

  fifo #(
      .WIDTH(8 * LANES),
      .DEPTH(8)
  ) staging (
      .clk,
      .reset,
      .push_valid(from_beats && beat_valid && parameter_step),
      .push_ready(staging_ready),
      .push(beat),
      .head_valid(staged_valid),
      .head(staged),
      .pop(transfer)
  );

  // Steps of the square on their way.
  logic [SQUARE_LATENCY-1:0] square_step;
  logic [SQUARE_LATENCY-1:0][INDEX_BITS-1:0] square_channel;

  logic [LANES-1:0][7:0] low_half;  // first beat of a 16-bit vector

  always_ff @(posedge clk) begin
    square_step <= {square_step[SQUARE_LATENCY-2:0], step && current.kind == LOAD_SQUARE};
    square_channel <= {square_channel[SQUARE_LATENCY-2:0], square_index};

    array_load <= square_step[SQUARE_LATENCY-1] || (step && current.kind == LOAD_TILE
        && !parameter_step);
    if (square_step[SQUARE_LATENCY-1]) begin
      array_channel <= square_channel[SQUARE_LATENCY-1];
      array_weights <= square_vector;
    end else begin
      array_channel <= channel;
      array_weights <= beat;
    end

    channel_load  <= transfer;
    channel_index <= transfer_index;
    channel_beat  <= staged;

    work_write <= step && current.kind == LOAD_WORK;
    residual_write <= step && current.kind == LOAD_RESIDUAL && second_half;
    if (step) low_half <= beat;
    for (int i = 0; i < LANES; i++) begin
      if (current.kind == LOAD_WORK) begin
        write_vector[i] <= {8'b0, beat[i][7] ^ current.offset_binary, beat[i][6:0]};
      end else begin
        // Elements come low byte first, the first half of them in the first beat.
        write_vector[i] <= i < LANES / 2 ? {low_half[(2*i+1)%LANES], low_half[(2*i)%LANES]}
            : {beat[(2*i+1)%LANES], beat[(2*i)%LANES]};
      end
    end
    write_address <= address;

    if (reset) begin
      busy <= 1'b0;
      from_beats <= 1'b0;
      tile_ready <= 1'b0;
      announced <= 1'b0;
      promised <= 1'b0;
      shadow_free <= 1'b1;
      channels_free <= 1'b1;
      transfer_index <= '0;
      square_half <= 1'b0;
      square_step <= '0;
      array_load <= 1'b0;
      channel_load <= 1'b0;
      work_write <= 1'b0;
      residual_write <= 1'b0;
    end else begin
      if (swap_soon) shadow_free <= 1'b1;
      if (channel_swap) channels_free <= 1'b1;
      if (transfer) begin
        transfer_index <= transfer_index + 1'b1;
        channels_free  <= 1'b0;
      end
      if (tile_taken) tile_ready <= 1'b0;
      if (begin_load) begin
        busy <= 1'b1;
        from_beats <= load.kind != LOAD_SQUARE;
        if (needs_shadow) shadow_free <= 1'b0;
      end
      if (step && last_step) begin
        busy <= 1'b0;
        from_beats <= 1'b0;
        if (current.kind == LOAD_SQUARE) square_half <= !square_half;
      end
      if (announce && parameters_wait) promised <= 1'b1;
      else if (!parameters_wait) promised <= 1'b0;
      if ((announce || promised) && !parameters_wait) tile_ready <= 1'b1;
    end
  end

endmodule

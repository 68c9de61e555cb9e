// SPDX-License-Identifier: Apache-2.0
// A deep first-in first-out queue in block RAM. Who writes knows that there is room.
//
// The memory is many block RAMs: its read takes two cycles and never waits, so that no signal from
// the reader has to reach all of them at once. What it reads goes to a small queue behind it, and it
// reads no more than fits there. The head of that is a register.

module prefetch_fifo #(
    parameter int WIDTH = 128,
    parameter int DEPTH = 512
) (
    input  logic             clk,
    input  logic             reset,
    input  logic             write,
    input  logic [WIDTH-1:0] write_word,
    output logic             valid,
    input  logic             ready,
    output logic [WIDTH-1:0] word,
    output logic             plenty       // the next eight words come without a pause
);

  localparam int PLACE_BITS = $clog2(DEPTH);
  localparam logic [PLACE_BITS-1:0] LAST = PLACE_BITS'(DEPTH - 1);
  // A place is free again four cycles after the read that fills it, at the earliest.
  localparam int SMALL = 8;
  localparam int ROOM_BITS = $clog2(SMALL + 1);

  (* ram_style = "block" *)
  logic [WIDTH-1:0] memory[DEPTH];
  logic [PLACE_BITS-1:0] write_place, read_place;
  logic [PLACE_BITS:0] stored;
  logic read, latched, delivered;
  logic [ROOM_BITS-1:0] room;  // of the small queue: places neither filled nor promised
  logic [WIDTH-1:0] latch, delivery;

  // A word is counted the cycle after it was written, so it is never read while it is written.
  assign read = stored != '0 && room != '0;

  always_ff @(posedge clk) begin
    if (write) memory[write_place] <= write_word;
    latch    <= memory[read_place];
    delivery <= latch;
    if (reset) begin
      write_place <= '0;
      read_place  <= '0;
      stored      <= '0;
      latched     <= 1'b0;
      delivered   <= 1'b0;
    end else begin
      if (write) write_place <= write_place == LAST ? '0 : write_place + 1'b1;
      if (read) read_place <= read_place == LAST ? '0 : read_place + 1'b1;
      stored    <= stored + (PLACE_BITS + 1)'(write) - (PLACE_BITS + 1)'(read);
      latched   <= read;
      delivered <= latched;
    end
  end

  logic small_valid, take;
  logic [WIDTH-1:0] small_word;
  logic small_ready;  // always: room is promised before the read

  assign take = small_valid && (!valid || ready);

  fifo #(
      .WIDTH(WIDTH),
      .DEPTH(SMALL)
  ) small_queue (
      .clk,
      .reset,
      .push_valid(delivered),
      .push_ready(small_ready),
      .push      (delivery),
      .head_valid(small_valid),
      .head      (small_word),
      .pop       (take)
  );

  always_ff @(posedge clk) begin
    if (take) word <= small_word;
    if (reset) begin
      room  <= ROOM_BITS'(SMALL);
      valid <= 1'b0;
    end else begin
      room <= room + ROOM_BITS'(take) - ROOM_BITS'(read);
      if (take) valid <= 1'b1;
      else if (ready) valid <= 1'b0;
    end
  end

  // Also when what is stored was counted a cycle ago.
  always_ff @(posedge clk) plenty <= !reset && stored > (PLACE_BITS + 1)'(SMALL);

  logic unused;
  assign unused = small_ready;

endmodule

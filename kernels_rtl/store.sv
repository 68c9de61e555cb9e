// SPDX-License-Identifier: Apache-2.0
// The engine's only writer of DDR: vector v goes to the 2 * LANES bytes at output + 2 * LANES * v,
// as one burst, or two where it crosses 4 KB. One word a cycle, vectors without a gap.

module store #(
    parameter int LANES       = 64,
    parameter int OUTSTANDING = 16   // bursts without a response, at least 2
) (
    input  logic                   clk,
    input  logic                   reset,
    input  logic                   clear,           // forget the error; when idle
    input  logic                   stop,            // drop vectors, end the one being sent
    output logic                   idle,            // every vector taken is in memory
    output logic                   error,           // a response was SLVERR or DECERR
    input  logic [           63:0] output_address,  // a multiple of 16; held while not idle
    input  logic                   vector_valid,
    output logic                   vector_ready,
    input  logic [           31:0] vector_index,
    input  logic [LANES-1:0][15:0] vector,
    // AXI: 16-byte words, incrementing bursts, one ID
    output logic [           63:0] awaddr,
    output logic [            7:0] awlen,
    output logic                   awvalid,
    input  logic                   awready,
    output logic [          127:0] wdata,
    output logic [           15:0] wstrb,
    output logic                   wlast,
    output logic                   wvalid,
    input  logic                   wready,
    input  logic [            1:0] bresp,
    input  logic                   bvalid,
    output logic                   bready
);

  localparam int WORDS = LANES / 8;  // a power of two
  localparam int PLACE_BITS = $clog2(WORDS);
  localparam int WORD_COUNT_BITS = $clog2(WORDS + 1);
  localparam int BURST_COUNT_BITS = $clog2(OUTSTANDING + 1);
  typedef logic [WORD_COUNT_BITS-1:0] words_t;
  typedef logic [BURST_COUNT_BITS-1:0] bursts_t;

  // The vector that was taken last, and its address.
  logic next_valid, load;
  logic [LANES-1:0][15:0] next_vector;
  logic [63:0] next_address;

  assign vector_ready = !next_valid || load;

  always_ff @(posedge clk) begin
    if (vector_valid && vector_ready) begin
      next_vector  <= vector;
      next_address <= output_address + {32'd0, vector_index} * 64'(2 * LANES);
    end
    if (reset || stop) next_valid <= 1'b0;
    else next_valid <= (next_valid && !load) || vector_valid;
  end

  // The vector that is being sent: its address and its words each go when memory takes them. One
  // that crosses 4 KB does so in the last WORDS words before the boundary, after `place` of them
  // are left behind it.
  logic [PLACE_BITS-1:0] place;
  logic crosses, second_burst, word_sent;
  words_t words_left, left_at_split, second_words;
  logic [WORDS-1:0][127:0] words;
  bursts_t room;  // bursts that may still be begun

  assign place = next_address[4+:PLACE_BITS];
  assign crosses = &next_address[11:4+PLACE_BITS] && place != '0;
  assign word_sent = wvalid && wready;
  assign load = next_valid && (words_left == '0 || (words_left == words_t'(1) && wready)) &&
      (!awvalid || awready) && !second_burst && room[BURST_COUNT_BITS-1:1] != '0 && !stop;

  assign wvalid = words_left != '0;
  assign wdata = words[0];
  assign wlast = words_left == words_t'(1) || words_left == left_at_split;
  assign bready = 1'b1;

  always_ff @(posedge clk) begin
    if (load) begin
      words         <= next_vector;
      left_at_split <= crosses ? words_t'(place) + words_t'(1) : words_t'(1);
      second_words  <= words_t'(place);
      awaddr        <= next_address;
      // Coded less one: up to the boundary, or all.
      awlen         <= 8'(WORDS - 1) ^ (crosses ? 8'(place) : 8'd0);
      wstrb         <= '1;
    end else begin
      if (word_sent) words <= words >> 128;
      // What follows a stop is sent, since it was promised, and writes nothing.
      if (word_sent && stop) wstrb <= '0;
      if (awready && second_burst) begin
        awaddr <= {awaddr[63:12] + 52'd1, 12'd0};
        awlen  <= 8'(second_words) - 8'd1;
      end
    end
    if (reset) begin
      words_left   <= '0;
      awvalid      <= 1'b0;
      second_burst <= 1'b0;
      room         <= bursts_t'(OUTSTANDING);
    end else begin
      if (load) words_left <= words_t'(WORDS);
      else if (word_sent) words_left <= words_left - words_t'(1);
      if (load) awvalid <= 1'b1;
      else if (awready) awvalid <= second_burst;
      if (load) second_burst <= crosses;
      else if (awready) second_burst <= 1'b0;
      room <= room + bursts_t'(bvalid) -
          (!load ? bursts_t'(0) : crosses ? bursts_t'(2) : bursts_t'(1));
    end
    if (reset || clear) error <= 1'b0;
    else if (bvalid && bresp[1]) error <= 1'b1;
  end

  assign idle = !next_valid && room == bursts_t'(OUTSTANDING);

  logic unused;
  assign unused = bresp[0];

endmodule

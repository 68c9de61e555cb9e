// SPDX-License-Identifier: Apache-2.0
// DDR behind AXI ports, for simulation only: PORTS read ports and one write port before one memory
// (ddr_memory.cpp), with a latency, a limit of bursts under way, and a bandwidth that they share.
//
// Words cost tokens. MILLIBYTES tokens come each cycle, a word takes 16,000 and passes only when
// there are that many; what is left over is kept up to one word a port, so a pause is not made up
// for later. Ports take turns, word by word. The defaults are 12.8 GB/s at 300 MHz.
//
// +latency=N, +outstanding=N and +millibytes=N on the simulator's command line take the place of
// the parameters: one simulator serves every memory.
//
// The first word of a read comes LATENCY cycles after its address was taken, at the earliest; words
// of later bursts follow without a gap. A write is answered LATENCY cycles after its last word.
// Bursts are incrementing, of whole words, on one ID. Beyond the memory the answer is SLVERR.
// ddr_memory.cpp can make memory fail: while it is frozen, time stands still here, and nothing is
// taken or answered.
//
// A burst across 4 KB or a last word that is not where awlen has it ends the simulation.

module ddr_model #(
    parameter int PORTS       = 4,
    parameter int MEGABYTES   = 1,   // at least; a larger image makes it larger
    parameter int LATENCY     = 60,
    parameter int OUTSTANDING = 16,    // bursts a port, 64 at most
    parameter int MILLIBYTES  = 42667  // thousandths of a byte a cycle
) (
    input  logic                   clk,
    input  logic                   reset,
    input  logic [PORTS-1:0][63:0] araddr,
    input  logic [PORTS-1:0][ 7:0] arlen,
    input  logic [PORTS-1:0]       arvalid,
    output logic [PORTS-1:0]       arready,
    output bit   [PORTS-1:0][127:0] rdata,
    output logic [PORTS-1:0][ 1:0] rresp,
    output logic [PORTS-1:0]       rlast,
    output logic [PORTS-1:0]       rvalid,
    input  logic [PORTS-1:0]       rready,
    input  logic [            63:0] awaddr,
    input  logic [             7:0] awlen,
    input  logic                   awvalid,
    output logic                   awready,
    input  logic [           127:0] wdata,
    input  logic [            15:0] wstrb,
    input  logic                   wlast,
    input  logic                   wvalid,
    output logic                   wready,
    output logic [             1:0] bresp,
    output logic                   bvalid,
    input  logic                   bready,
    output logic [            63:0] words_moved  // since reset
);

  import "DPI-C" function chandle ddr_create(input int megabytes);
  import "DPI-C" function bit ddr_destroy(input chandle memory);
  import "DPI-C" function bit ddr_read(
    input  chandle     memory,
    input  int         port,
    input  longint     address,
    output bit [127:0] word
  );
  import "DPI-C" function bit ddr_write(
    input chandle     memory,
    input longint     address,
    input bit [127:0] word,
    input bit [ 15:0] strobe
  );
  import "DPI-C" function bit ddr_frozen();

  localparam int WORD = 16000;
  localparam int CHANNELS = PORTS + 1;  // the last one is the write port
  localparam int PLACES = 64;  // of a ring of bursts

  int latency, outstanding, millibytes;
  int most;  // tokens
  chandle memory;

  initial begin
    if (!$value$plusargs("latency=%d", latency)) latency = LATENCY;
    if (!$value$plusargs("outstanding=%d", outstanding)) outstanding = OUTSTANDING;
    if (!$value$plusargs("millibytes=%d", millibytes)) millibytes = MILLIBYTES;
    if (outstanding < 1 || outstanding > PLACES) $fatal(1, "%0d bursts under way", outstanding);
    most = CHANNELS * WORD + millibytes;
    memory = ddr_create(MEGABYTES);
    if (memory == null) $fatal(1, "the memory's file cannot be read");
  end

  final begin
    if (!ddr_destroy(memory)) $error("memory cannot be written to its file");
  end

  function automatic bit crosses(input logic [11:4] word, input logic [7:0] length);
    return 10'(word) + 10'(length) > 10'd255;
  endfunction

  // Bursts under way, in rings; `begun` and `ended` count them modulo twice the ring.
  localparam int PLACE_BITS = $clog2(PLACES);
  typedef logic [PLACE_BITS-1:0] place_t;
  bit frozen;
  longint now;
  longint read_address[PORTS][PLACES];
  longint read_due[PORTS][PLACES];
  logic [8:0] read_words[PORTS][PLACES];  // left
  logic [PORTS-1:0][PLACE_BITS:0] read_begun, read_ended;
  longint write_address[PLACES];
  logic [PLACE_BITS:0] write_begun, write_filled, write_ended;  // addresses, data, responses
  logic [8:0] write_words[PLACES];  // left
  longint write_due[PLACES];
  logic [PLACES-1:0] write_failed;

  // Who may move a word: those that have one due and a place to put it, while tokens last.
  logic [PORTS-1:0] read_wish, read_grant;
  logic write_grant, write_wish;
  int tokens, left;
  int turn, next_turn;  // after the last that moved a word
  logic [PLACE_BITS:0] limit;
  assign limit = (PLACE_BITS + 1)'(outstanding);

  always_comb begin
    for (int port = 0; port < PORTS; ++port) begin
      arready[port] = !frozen && read_begun[port] - read_ended[port] != limit;
      read_wish[port] = read_begun[port] != read_ended[port] &&
          now >= read_due[port][place_t'(read_ended[port])] && (!rvalid[port] || rready[port]);
    end
    awready    = !frozen && write_begun - write_ended != limit;
    write_wish = write_begun != write_filled && wvalid;
    left        = tokens;
    read_grant  = '0;
    write_grant = 1'b0;
    next_turn   = turn;
    for (int channel = 0; channel < 2 * CHANNELS; ++channel) begin
      // From `turn` on, once around.
      if (channel >= turn && channel < turn + CHANNELS && left >= WORD) begin
        for (int port = 0; port < PORTS; ++port) begin
          if ((channel == port || channel == port + CHANNELS) && read_wish[port]) begin
            read_grant[port] = 1'b1;
            next_turn = port + 1;
            left -= WORD;
          end
        end
        if ((channel == PORTS || channel == PORTS + CHANNELS) && write_wish) begin
          write_grant = 1'b1;
          next_turn = 0;
          left -= WORD;
        end
      end
    end
    wready = write_grant;
    bvalid = write_ended != write_filled && now >= write_due[place_t'(write_ended)];
    bresp  = write_failed[place_t'(write_ended)] ? 2'b10 : 2'b00;
  end

  // Blocking assignments: this is a program that runs once a cycle, and nothing else writes these.
  /* verilator lint_off BLKSEQ */
  always_ff @(posedge clk) begin
    bit [127:0] word;
    bit good;
    place_t place;
    frozen <= ddr_frozen();
    if (!frozen) now <= now + 1;
    tokens <= frozen ? 0 : left + millibytes > most ? most : left + millibytes;
    turn   <= next_turn;
    words_moved <= words_moved + 64'($countones(read_grant)) + 64'(write_grant);
    for (int port = 0; port < PORTS; ++port) begin
      if (rready[port]) rvalid[port] <= 1'b0;
      if (read_grant[port]) begin
        place = place_t'(read_ended[port]);
        good = ddr_read(memory, port, read_address[port][place], word);
        rdata[port] <= word;
        rresp[port] <= good ? 2'b00 : 2'b10;
        rlast[port] <= read_words[port][place] == 9'd1;
        rvalid[port] <= 1'b1;
        read_address[port][place] <= read_address[port][place] + 64'd16;
        read_words[port][place] <= read_words[port][place] - 9'd1;
        if (read_words[port][place] == 9'd1) read_ended[port] <= read_ended[port] + 1'b1;
      end
      if (arvalid[port] && arready[port]) begin
        place = place_t'(read_begun[port]);
        read_address[port][place] <= araddr[port];
        read_words[port][place] <= 9'(arlen[port]) + 9'd1;
        read_due[port][place] <= now + 64'(latency - 1);
        read_begun[port] <= read_begun[port] + 1'b1;
        if (crosses(araddr[port][11:4], arlen[port])) $fatal(1, "a read burst crosses 4 KB");
      end
    end
    if (awvalid && awready) begin
      write_address[place_t'(write_begun)] <= awaddr;
      write_words[place_t'(write_begun)] <= 9'(awlen) + 9'd1;
      write_failed[place_t'(write_begun)] <= 1'b0;
      if (crosses(awaddr[11:4], awlen)) $fatal(1, "a write burst crosses 4 KB");
      write_begun <= write_begun + 1'b1;
    end
    if (write_grant) begin
      place = place_t'(write_filled);
      good = ddr_write(memory, write_address[place], wdata, wstrb);
      if (!good) write_failed[place] <= 1'b1;
      if (wlast != (write_words[place] == 9'd1)) $fatal(1, "wlast at the wrong word");
      write_address[place] <= write_address[place] + 64'd16;
      write_words[place] <= write_words[place] - 9'd1;
      write_due[place] <= now + 64'(latency);
      if (wlast) write_filled <= write_filled + 1'b1;
    end
    if (bvalid && bready) write_ended <= write_ended + 1'b1;
    if (reset) begin
      now          <= 0;
      tokens       <= 0;
      turn         <= 0;
      words_moved  <= '0;
      rvalid       <= '0;
      read_begun   <= '0;
      read_ended   <= '0;
      write_begun  <= '0;
      write_filled <= '0;
      write_ended  <= '0;
    end
  end
  /* verilator lint_on BLKSEQ */

endmodule

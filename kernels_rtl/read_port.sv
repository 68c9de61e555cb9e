// SPDX-License-Identifier: Apache-2.0
// One AXI read channel: requests of up to 64 words become bursts that do not cross 4 KB. All bursts
// have the same ID, so words come in the order of the requests; each carries its request's tag.
//
// Words are never held up (rready is constant): who asks has room for them.

module read_port #(
    parameter int OUTSTANDING = 4  // bursts under way
) (
    input  logic         clk,
    input  logic         reset,
    input  logic         request_valid,
    output logic         request_ready,
    input  logic [ 63:0] request_address,  // a multiple of 16
    input  logic [  6:0] request_words,    // 1 to 64
    input  logic         request_tag,
    output logic         word_valid,
    output logic [127:0] word,
    output logic         word_tag,
    output logic         word_error,       // SLVERR or DECERR came with the word
    output logic         busy,             // a word is still to come
    output logic [ 63:0] araddr,
    output logic [  7:0] arlen,
    output logic         arvalid,
    input  logic         arready,
    input  logic [127:0] rdata,
    input  logic [  1:0] rresp,
    input  logic         rlast,
    input  logic         rvalid,
    output logic         rready
);

  localparam int COUNT_BITS = $clog2(OUTSTANDING + 1);
  localparam int PLACE_BITS = $clog2(OUTSTANDING);

  // A request is cut where it crosses 4 KB, a cycle after it was taken; then its bursts follow.
  logic cut, active, crosses, two, tag, launch, finish;
  logic [63:0] address;
  logic [6:0] words;
  logic [8:0] last;  // word of the 4 KB behind the request's last; beyond 256 it crosses
  logic [7:0] length;
  logic [5:0] rest;  // words of the second burst
  logic [COUNT_BITS-1:0] outstanding;
  logic [OUTSTANDING-1:0] tags;  // of the bursts under way, the oldest in bit 0

  assign last = {1'b0, address[11:4]} + 9'(words);
  assign crosses = last[8] && last[5:0] != '0;
  assign launch = active && (!arvalid || arready) && outstanding != COUNT_BITS'(OUTSTANDING);
  assign finish = rvalid && rlast;
  assign request_ready = !cut && !active;
  assign busy = cut || active || outstanding != '0 || word_valid;
  assign rready = 1'b1;

  always_ff @(posedge clk) begin
    if (request_valid && request_ready) begin
      address <= request_address;
      words   <= request_words;
      tag     <= request_tag;
    end else if (launch) begin
      address <= {address[63:12] + 52'd1, 12'd0};
    end
    if (cut) begin
      two    <= crosses;
      rest   <= last[5:0];
      // Up to the boundary, fewer than 64 words; a burst's length is coded less one.
      length <= crosses ? {2'b0, ~address[9:4]} : 8'(words) - 8'd1;
    end else if (launch) begin
      two    <= 1'b0;
      length <= 8'(rest) - 8'd1;
    end
    if (launch) begin
      araddr <= address;
      arlen  <= length;
    end
    if (finish) tags <= tags >> 1;
    if (launch) tags[PLACE_BITS'(outstanding-COUNT_BITS'(finish))] <= tag;
    word     <= rdata;
    word_tag <= tags[0];
    if (reset) begin
      cut         <= 1'b0;
      active      <= 1'b0;
      arvalid     <= 1'b0;
      outstanding <= '0;
      word_valid  <= 1'b0;
      word_error  <= 1'b0;
    end else begin
      cut    <= request_valid && request_ready;
      active <= active ? !launch || two : cut;
      if (launch) arvalid <= 1'b1;
      else if (arready) arvalid <= 1'b0;
      outstanding <= outstanding + COUNT_BITS'(launch) - COUNT_BITS'(finish);
      word_valid  <= rvalid;
      word_error  <= rvalid && rresp[1];
    end
  end

  logic unused;
  assign unused = &{1'b0, rresp[0], last[7:6]};

endmodule

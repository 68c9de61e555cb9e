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

  logic active, tag, launch, finish;
  logic [63:0] address;
  logic [6:0] words, burst;
  logic [8:0] to_boundary;
  logic [COUNT_BITS-1:0] outstanding;
  logic [OUTSTANDING-1:0] tags;  // of the bursts under way, the oldest in bit 0

  assign to_boundary = 9'd256 - {1'b0, address[11:4]};
  assign burst = 9'(words) > to_boundary ? to_boundary[6:0] : words;
  assign launch = active && (!arvalid || arready) && outstanding != COUNT_BITS'(OUTSTANDING);
  assign finish = rvalid && rlast;
  assign request_ready = !active;
  assign busy = active || outstanding != '0 || word_valid;
  assign rready = 1'b1;

  always_ff @(posedge clk) begin
    if (request_valid && request_ready) begin
      address <= request_address;
      words   <= request_words;
      tag     <= request_tag;
    end else if (launch) begin
      address <= address + {53'd0, burst, 4'd0};
      words   <= words - burst;
    end
    if (launch) begin
      araddr <= address;
      arlen  <= 8'(burst) - 8'd1;
    end
    if (finish) tags <= tags >> 1;
    if (launch) tags[PLACE_BITS'(outstanding-COUNT_BITS'(finish))] <= tag;
    word     <= rdata;
    word_tag <= tags[0];
    if (reset) begin
      active      <= 1'b0;
      arvalid     <= 1'b0;
      outstanding <= '0;
      word_valid  <= 1'b0;
      word_error  <= 1'b0;
    end else begin
      if (!active) active <= request_valid;
      else if (launch) active <= burst != words;
      if (launch) arvalid <= 1'b1;
      else if (arready) arvalid <= 1'b0;
      outstanding <= outstanding + COUNT_BITS'(launch) - COUNT_BITS'(finish);
      word_valid  <= rvalid;
      word_error  <= rvalid && rresp[1];
    end
  end

  logic unused;
  assign unused = rresp[0];

endmodule

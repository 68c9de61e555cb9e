// SPDX-License-Identifier: Apache-2.0
// fetch and store on the model of DDR: how much of its bandwidth they use.

module fetch_memory #(
    parameter int LANES          = 64,
    parameter int PREFETCH_DEPTH = 1024,
    parameter int MILLIBYTES     = 42667
) (
    input  logic                clk,
    input  logic                reset,
    input  logic                start,
    output logic                idle,
    input  logic [        63:0] program_address,
    input  logic [        63:0] weights_address,
    input  logic [        63:0] input_address,
    output logic                instruction_valid,
    output logic [         7:0] instruction_error,
    output logic                beat_valid,
    input  logic                beat_ready,
    output logic [ 8*LANES-1:0] beat,
    input  logic [        63:0] output_address,
    input  logic                vector_valid,
    output logic                vector_ready,
    input  logic [        31:0] vector_index,
    input  logic [16*LANES-1:0] vector,
    output logic                store_idle,
    output logic                store_error,
    output logic [        63:0] words_moved
);

  localparam int PORTS = LANES / 16;

  logic [PORTS-1:0][63:0] araddr;
  logic [PORTS-1:0][7:0] arlen;
  logic [PORTS-1:0] arvalid, arready, rlast, rvalid, rready;
  logic [PORTS-1:0][127:0] rdata;
  logic [PORTS-1:0][1:0] rresp;
  logic [63:0] awaddr;
  logic [7:0] awlen;
  logic [127:0] wdata;
  logic [15:0] wstrb;
  logic [1:0] bresp;
  logic awvalid, awready, wlast, wvalid, wready, bvalid, bready;
  /* verilator lint_off UNUSEDSIGNAL */
  logic [511:0] instruction;
  logic [31:0] instruction_beats, output_vectors;
  logic instruction_last, beats_plenty;
  /* verilator lint_on UNUSEDSIGNAL */

  fetch #(
      .LANES         (LANES),
      .PREFETCH_DEPTH(PREFETCH_DEPTH)
  ) fetch (
      .stop             (1'b0),
      .gmem             ('0),
      .instruction_ready(1'b1),
      .*
  );

  store #(
      .LANES(LANES)
  ) store (
      .clear(start),
      .stop (1'b0),
      .idle (store_idle),
      .error(store_error),
      .*
  );

  ddr_model #(
      .PORTS     (PORTS),
      .MEGABYTES (4),
      .MILLIBYTES(MILLIBYTES)
  ) ddr_model (
      .*
  );

endmodule

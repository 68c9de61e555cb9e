// SPDX-License-Identifier: Apache-2.0
// fetch with the port names that AXI models of the bench look for. Ports beyond LANES / 16 are still.

module fetch_ports #(
    parameter int LANES          = 64,
    parameter int PREFETCH_DEPTH = 512
) (
    input  logic               clk,
    input  logic               reset,
    input  logic               start,
    input  logic               stop,
    output logic               idle,
    /* verilator lint_off UNUSEDSIGNAL */
    input  logic [3:0][  63:0] gmem,
    /* verilator lint_on UNUSEDSIGNAL */
    input  logic [       63:0] program_address,
    input  logic [       63:0] weights_address,
    input  logic [       63:0] input_address,
    output logic               instruction_valid,
    input  logic               instruction_ready,
    output logic [      511:0] instruction,
    output logic [       31:0] instruction_beats,
    output logic [        7:0] instruction_error,
    output logic               instruction_last,
    output logic [       31:0] output_vectors,
    output logic               beat_valid,
    input  logic               beat_ready,
    output logic               beats_plenty,
    output logic [8*LANES-1:0] beat,
    /* verilator lint_off UNUSEDSIGNAL */
    output logic [  3:0] m_axi_gmem0_arid,
    output logic [ 63:0] m_axi_gmem0_araddr,
    output logic [  7:0] m_axi_gmem0_arlen,
    output logic [  2:0] m_axi_gmem0_arsize,
    output logic [  1:0] m_axi_gmem0_arburst,
    output logic         m_axi_gmem0_arvalid,
    input  logic         m_axi_gmem0_arready,
    input  logic [  3:0] m_axi_gmem0_rid,
    input  logic [127:0] m_axi_gmem0_rdata,
    input  logic [  1:0] m_axi_gmem0_rresp,
    input  logic         m_axi_gmem0_rlast,
    input  logic         m_axi_gmem0_rvalid,
    output logic         m_axi_gmem0_rready,
    output logic [  3:0] m_axi_gmem1_arid,
    output logic [ 63:0] m_axi_gmem1_araddr,
    output logic [  7:0] m_axi_gmem1_arlen,
    output logic [  2:0] m_axi_gmem1_arsize,
    output logic [  1:0] m_axi_gmem1_arburst,
    output logic         m_axi_gmem1_arvalid,
    input  logic         m_axi_gmem1_arready,
    input  logic [  3:0] m_axi_gmem1_rid,
    input  logic [127:0] m_axi_gmem1_rdata,
    input  logic [  1:0] m_axi_gmem1_rresp,
    input  logic         m_axi_gmem1_rlast,
    input  logic         m_axi_gmem1_rvalid,
    output logic         m_axi_gmem1_rready,
    output logic [  3:0] m_axi_gmem2_arid,
    output logic [ 63:0] m_axi_gmem2_araddr,
    output logic [  7:0] m_axi_gmem2_arlen,
    output logic [  2:0] m_axi_gmem2_arsize,
    output logic [  1:0] m_axi_gmem2_arburst,
    output logic         m_axi_gmem2_arvalid,
    input  logic         m_axi_gmem2_arready,
    input  logic [  3:0] m_axi_gmem2_rid,
    input  logic [127:0] m_axi_gmem2_rdata,
    input  logic [  1:0] m_axi_gmem2_rresp,
    input  logic         m_axi_gmem2_rlast,
    input  logic         m_axi_gmem2_rvalid,
    output logic         m_axi_gmem2_rready,
    output logic [  3:0] m_axi_gmem3_arid,
    output logic [ 63:0] m_axi_gmem3_araddr,
    output logic [  7:0] m_axi_gmem3_arlen,
    output logic [  2:0] m_axi_gmem3_arsize,
    output logic [  1:0] m_axi_gmem3_arburst,
    output logic         m_axi_gmem3_arvalid,
    input  logic         m_axi_gmem3_arready,
    input  logic [  3:0] m_axi_gmem3_rid,
    input  logic [127:0] m_axi_gmem3_rdata,
    input  logic [  1:0] m_axi_gmem3_rresp,
    input  logic         m_axi_gmem3_rlast,
    input  logic         m_axi_gmem3_rvalid,
    output logic         m_axi_gmem3_rready
    /* verilator lint_on UNUSEDSIGNAL */
);

  localparam int PORTS = LANES / 16;

  logic [3:0][63:0] araddr;
  logic [3:0][7:0] arlen;
  logic [3:0] arvalid, rready;
  /* verilator lint_off UNUSEDSIGNAL */
  logic [3:0] arready, rlast, rvalid;
  logic [3:0][127:0] rdata;
  logic [3:0][1:0] rresp;
  /* verilator lint_on UNUSEDSIGNAL */

  assign {m_axi_gmem3_araddr, m_axi_gmem2_araddr, m_axi_gmem1_araddr, m_axi_gmem0_araddr} = araddr;
  assign {m_axi_gmem3_arlen, m_axi_gmem2_arlen, m_axi_gmem1_arlen, m_axi_gmem0_arlen} = arlen;
  assign {m_axi_gmem3_arvalid, m_axi_gmem2_arvalid, m_axi_gmem1_arvalid, m_axi_gmem0_arvalid} = arvalid;
  assign {m_axi_gmem3_rready, m_axi_gmem2_rready, m_axi_gmem1_rready, m_axi_gmem0_rready} = rready;
  assign arready = {m_axi_gmem3_arready, m_axi_gmem2_arready, m_axi_gmem1_arready, m_axi_gmem0_arready};
  assign rdata = {m_axi_gmem3_rdata, m_axi_gmem2_rdata, m_axi_gmem1_rdata, m_axi_gmem0_rdata};
  assign rresp = {m_axi_gmem3_rresp, m_axi_gmem2_rresp, m_axi_gmem1_rresp, m_axi_gmem0_rresp};
  assign rlast = {m_axi_gmem3_rlast, m_axi_gmem2_rlast, m_axi_gmem1_rlast, m_axi_gmem0_rlast};
  assign rvalid = {m_axi_gmem3_rvalid, m_axi_gmem2_rvalid, m_axi_gmem1_rvalid, m_axi_gmem0_rvalid};
  assign {m_axi_gmem3_arid, m_axi_gmem2_arid, m_axi_gmem1_arid, m_axi_gmem0_arid} = '0;
  assign {m_axi_gmem3_arsize, m_axi_gmem2_arsize, m_axi_gmem1_arsize, m_axi_gmem0_arsize} = {4{3'd4}};
  assign {m_axi_gmem3_arburst, m_axi_gmem2_arburst, m_axi_gmem1_arburst, m_axi_gmem0_arburst} = {4{2'b01}};

  if (PORTS < 4) begin : gen_still
    assign araddr[3:PORTS] = '0;
    assign arlen[3:PORTS] = '0;
    assign arvalid[3:PORTS] = '0;
    assign rready[3:PORTS] = '0;
  end

  fetch #(
      .LANES         (LANES),
      .PREFETCH_DEPTH(PREFETCH_DEPTH)
  ) fetch (
      .clk,
      .reset,
      .start,
      .stop,
      .idle,
      .gmem   (gmem[PORTS-1:0]),
      .program_address,
      .weights_address,
      .input_address,
      .instruction_valid,
      .instruction_ready,
      .instruction,
      .instruction_beats,
      .instruction_error,
      .instruction_last,
      .output_vectors,
      .beat_valid,
      .beat_ready,
      .beats_plenty,
      .beat,
      .araddr (araddr[PORTS-1:0]),
      .arlen  (arlen[PORTS-1:0]),
      .arvalid(arvalid[PORTS-1:0]),
      .arready(arready[PORTS-1:0]),
      .rdata  (rdata[PORTS-1:0]),
      .rresp  (rresp[PORTS-1:0]),
      .rlast  (rlast[PORTS-1:0]),
      .rvalid (rvalid[PORTS-1:0]),
      .rready (rready[PORTS-1:0])
  );

endmodule

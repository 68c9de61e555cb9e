// SPDX-License-Identifier: Apache-2.0
// store with the port names that AXI models of the bench look for.

module store_port #(
    parameter int LANES = 64
) (
    input  logic                clk,
    input  logic                reset,
    input  logic                clear,
    input  logic                stop,
    output logic                idle,
    output logic                error,
    input  logic [        63:0] output_address,
    input  logic                vector_valid,
    output logic                vector_ready,
    input  logic [        31:0] vector_index,
    input  logic [16*LANES-1:0] vector,
    output logic [         3:0] m_axi_gmem0_awid,
    output logic [        63:0] m_axi_gmem0_awaddr,
    output logic [         7:0] m_axi_gmem0_awlen,
    output logic [         2:0] m_axi_gmem0_awsize,
    output logic [         1:0] m_axi_gmem0_awburst,
    output logic                m_axi_gmem0_awvalid,
    input  logic                m_axi_gmem0_awready,
    output logic [       127:0] m_axi_gmem0_wdata,
    output logic [        15:0] m_axi_gmem0_wstrb,
    output logic                m_axi_gmem0_wlast,
    output logic                m_axi_gmem0_wvalid,
    input  logic                m_axi_gmem0_wready,
    /* verilator lint_off UNUSEDSIGNAL */
    input  logic [         3:0] m_axi_gmem0_bid,
    /* verilator lint_on UNUSEDSIGNAL */
    input  logic [         1:0] m_axi_gmem0_bresp,
    input  logic                m_axi_gmem0_bvalid,
    output logic                m_axi_gmem0_bready
);

  assign m_axi_gmem0_awid = '0;
  assign m_axi_gmem0_awsize = 3'd4;
  assign m_axi_gmem0_awburst = 2'b01;

  store #(
      .LANES(LANES)
  ) store (
      .clk,
      .reset,
      .clear,
      .stop,
      .idle,
      .error,
      .output_address,
      .vector_valid,
      .vector_ready,
      .vector_index,
      .vector,
      .awaddr (m_axi_gmem0_awaddr),
      .awlen  (m_axi_gmem0_awlen),
      .awvalid(m_axi_gmem0_awvalid),
      .awready(m_axi_gmem0_awready),
      .wdata  (m_axi_gmem0_wdata),
      .wstrb  (m_axi_gmem0_wstrb),
      .wlast  (m_axi_gmem0_wlast),
      .wvalid (m_axi_gmem0_wvalid),
      .wready (m_axi_gmem0_wready),
      .bresp  (m_axi_gmem0_bresp),
      .bvalid (m_axi_gmem0_bvalid),
      .bready (m_axi_gmem0_bready)
  );

endmodule

// SPDX-License-Identifier: Apache-2.0
// The UltraScale DSP48E2: all its ports and attributes, and a model of the settings that this
// project uses, written after AMD's UG579. Simulators and linters read this file. Synthesis tools
// see an empty module; those with a library of primitives, like Vivado, must not read it at all.
//
// Modelled: A, D, AD, B, M and P registers of depth 1, the pre-adder, the operands of the ALU and
// their sum. Other settings stop elaboration or simulation: no result is wrong unnoticed.

// The ports and attributes are the device's; the model uses a few of them.
// verilator lint_off UNUSEDSIGNAL
// verilator lint_off UNUSEDPARAM
// verilator lint_off UNDRIVEN

(* blackbox *)
module DSP48E2 #(
    parameter integer ACASCREG = 1,
    parameter integer ADREG = 1,
    parameter integer ALUMODEREG = 1,
    parameter AMULTSEL = "A",
    parameter integer AREG = 1,
    parameter AUTORESET_PATDET = "NO_RESET",
    parameter AUTORESET_PRIORITY = "RESET",
    parameter A_INPUT = "DIRECT",
    parameter integer BCASCREG = 1,
    parameter BMULTSEL = "B",
    parameter integer BREG = 1,
    parameter B_INPUT = "DIRECT",
    parameter integer CARRYINREG = 1,
    parameter integer CARRYINSELREG = 1,
    parameter integer CREG = 1,
    parameter integer DREG = 1,
    parameter integer INMODEREG = 1,
    parameter [3:0] IS_ALUMODE_INVERTED = 4'b0000,
    parameter [0:0] IS_CARRYIN_INVERTED = 1'b0,
    parameter [0:0] IS_CLK_INVERTED = 1'b0,
    parameter [4:0] IS_INMODE_INVERTED = 5'b00000,
    parameter [8:0] IS_OPMODE_INVERTED = 9'b000000000,
    parameter [0:0] IS_RSTALLCARRYIN_INVERTED = 1'b0,
    parameter [0:0] IS_RSTALUMODE_INVERTED = 1'b0,
    parameter [0:0] IS_RSTA_INVERTED = 1'b0,
    parameter [0:0] IS_RSTB_INVERTED = 1'b0,
    parameter [0:0] IS_RSTCTRL_INVERTED = 1'b0,
    parameter [0:0] IS_RSTC_INVERTED = 1'b0,
    parameter [0:0] IS_RSTD_INVERTED = 1'b0,
    parameter [0:0] IS_RSTINMODE_INVERTED = 1'b0,
    parameter [0:0] IS_RSTM_INVERTED = 1'b0,
    parameter [0:0] IS_RSTP_INVERTED = 1'b0,
    parameter [47:0] MASK = 48'h3FFFFFFFFFFF,
    parameter integer MREG = 1,
    parameter integer OPMODEREG = 1,
    parameter [47:0] PATTERN = 48'h000000000000,
    parameter PREADDINSEL = "A",
    parameter integer PREG = 1,
    parameter [47:0] RND = 48'h000000000000,
    parameter SEL_MASK = "MASK",
    parameter SEL_PATTERN = "PATTERN",
    parameter USE_MULT = "MULTIPLY",
    parameter USE_PATTERN_DETECT = "NO_PATDET",
    parameter USE_SIMD = "ONE48",
    parameter USE_WIDEXOR = "FALSE",
    parameter XORSIMD = "XOR24_48_96"
) (
    output logic [29:0] ACOUT,
    output logic [17:0] BCOUT,
    output logic        CARRYCASCOUT,
    output logic [ 3:0] CARRYOUT,
    output logic        MULTSIGNOUT,
    output logic        OVERFLOW,
    output logic [47:0] P,
    output logic        PATTERNBDETECT,
    output logic        PATTERNDETECT,
    output logic [47:0] PCOUT,
    output logic        UNDERFLOW,
    output logic [ 7:0] XOROUT,
    input  logic [29:0] A,
    input  logic [29:0] ACIN,
    input  logic [ 3:0] ALUMODE,
    input  logic [17:0] B,
    input  logic [17:0] BCIN,
    input  logic [47:0] C,
    input  logic        CARRYCASCIN,
    input  logic        CARRYIN,
    input  logic [ 2:0] CARRYINSEL,
    input  logic        CEA1,
    input  logic        CEA2,
    input  logic        CEAD,
    input  logic        CEALUMODE,
    input  logic        CEB1,
    input  logic        CEB2,
    input  logic        CEC,
    input  logic        CECARRYIN,
    input  logic        CECTRL,
    input  logic        CED,
    input  logic        CEINMODE,
    input  logic        CEM,
    input  logic        CEP,
    input  logic        CLK,
    input  logic [26:0] D,
    input  logic [ 4:0] INMODE,
    input  logic        MULTSIGNIN,
    input  logic [ 8:0] OPMODE,
    input  logic [47:0] PCIN,
    input  logic        RSTA,
    input  logic        RSTALLCARRYIN,
    input  logic        RSTALUMODE,
    input  logic        RSTB,
    input  logic        RSTC,
    input  logic        RSTCTRL,
    input  logic        RSTD,
    input  logic        RSTINMODE,
    input  logic        RSTM,
    input  logic        RSTP
);

`ifndef SYNTHESIS

  if (AREG != 1 || ACASCREG != 1 || DREG != 1 || ADREG != 1 || BREG != 1 || BCASCREG != 1 ||
      MREG != 1 || PREG != 1) begin : g_data_registers
    $error("only data registers of depth 1 are modelled");
  end
  if (ALUMODEREG != 0 || CARRYINREG != 0 || CARRYINSELREG != 0 || INMODEREG != 0 ||
      OPMODEREG != 0) begin : g_control_registers
    $error("control registers are not modelled");
  end
  if (A_INPUT != "DIRECT" || B_INPUT != "DIRECT" || BMULTSEL != "B" || PREADDINSEL != "A" ||
      USE_MULT != "MULTIPLY" || USE_SIMD != "ONE48" || USE_WIDEXOR != "FALSE") begin : g_use
    $error("this use of the slice is not modelled");
  end

  logic signed [29:0] a;
  logic signed [26:0] d, ad;
  logic signed [17:0] b;
  logic signed [44:0] m;
  logic signed [47:0] p;

  // Pre-adder: INMODE[1] holds A back, INMODE[2] lets D in, INMODE[3] subtracts.
  logic signed [26:0] preadd_a, preadd_d, preadd;
  assign preadd_a = INMODE[1] ? '0 : a[26:0];
  assign preadd_d = INMODE[2] ? d : '0;
  assign preadd   = INMODE[3] ? preadd_d - preadd_a : preadd_d + preadd_a;

  logic signed [26:0] multiplicand;
  assign multiplicand = AMULTSEL == "AD" ? ad : preadd_a;

  // Operands of the ALU. X and Y carry halves of the product; here X carries all of it.
  logic signed [47:0] w, x, z;
  logic               modelled;

  always_comb begin
    modelled = INMODE[0] == 1'b0 && INMODE[4] == 1'b0 && ALUMODE == 4'b0000 &&
               CARRYINSEL == 3'b000 && CARRYIN == 1'b0 &&
               {RSTA, RSTALLCARRYIN, RSTB, RSTD, RSTM, RSTP} == '0;
    w = '0;
    x = '0;
    z = '0;
    case (OPMODE[8:7])
      2'b00:   w = '0;
      2'b01:   w = p;
      2'b10:   w = RND;
      default: modelled = 1'b0;
    endcase
    case (OPMODE[6:4])
      3'b000:  z = '0;
      3'b001:  z = PCIN;
      3'b010:  z = p;
      default: modelled = 1'b0;
    endcase
    case (OPMODE[3:0])
      4'b00_00: x = '0;
      4'b01_01: x = 48'(m);
      default:  modelled = 1'b0;
    endcase
  end

  always_ff @(posedge CLK) begin
    if (!modelled) $fatal(1, "INMODE, OPMODE, ALUMODE, carry or reset outside the model");
    if (CEA2) a <= A;
    if (CED) d <= D;
    if (CEAD) ad <= preadd;
    if (CEB2) b <= B;
    if (CEM) m <= 45'(multiplicand) * 45'(b);
    if (CEP) p <= w + x + z;
  end

  assign P     = p;
  assign PCOUT = p;
  assign ACOUT = a;
  assign BCOUT = b;

`endif

endmodule

// verilator lint_on UNUSEDSIGNAL
// verilator lint_on UNUSEDPARAM
// verilator lint_on UNDRIVEN

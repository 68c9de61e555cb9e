// SPDX-License-Identifier: Apache-2.0
// One DSP48E2 that does two multiply-accumulates a cycle:
//
//     sum = addend + (weight_high * 2^18 + weight_low) * activation
//
// The pre-adder packs the two weights, so packing costs no fabric, and gives them two sets of
// registers: A and D take the next tile while AD holds the one in use.
//
//   weight --+-- A (<< 18) --+
//            |               +-- AD --+
//            +-- D ----------+        x-- M --+-- P -- sum
//   activation --- B -----------------+      addend
//
// An activation is in B one cycle after it was at the input, its product in M after two, its sum in
// P after three. `swap` comes with the first activation of the new tile. A weight loaded in the
// same cycle as `swap` belongs to the tile after it.
//
// Exact while eight products of each lane stay below 2^17: weights in [-127, 127], activations in
// [-128, 127] (docs/numerics.md, section 1).

module dsp48e2_mac
  import mac_pkg::*;
#(
    parameter bit PRIMITIVE = 1'b0,  // 0: behavioural model; 1: the primitive of the device
    parameter bit HEAD      = 1'b0,  // first slice of a chain: adds LANE_OFFSET, not sum_in
    parameter bit TAIL      = 1'b0   // last slice of a chain: sum goes to the fabric
) (
    input  logic                           clk,
    input  logic signed [ELEMENT_BITS-1:0] weight,
    input  logic                           load_low,    // weight becomes the next weight_low
    input  logic                           load_high,   // weight becomes the next weight_high
    input  logic                           swap,        // next weights become the weights in use
    input  logic signed [ELEMENT_BITS-1:0] activation,
    input  logic        [    DSP_BITS-1:0] sum_in,      // of the slice before
    output logic        [    DSP_BITS-1:0] sum
);

  localparam int AD_BITS = 27;
  localparam int M_BITS = 45;

  if (PRIMITIVE) begin : g_primitive

    localparam int A_BITS = 30;
    localparam int B_BITS = 18;

    localparam logic [4:0] INMODE_D_PLUS_A2 = 5'b00100;
    localparam logic [3:0] ALUMODE_ADD = 4'b0000;  // P = Z + W + X + Y
    localparam logic [3:0] XY_PRODUCT = 4'b01_01;
    localparam logic [8:0] OPMODE_HEAD = {2'b10, 3'b000, XY_PRODUCT};  // W = RND, Z = 0
    localparam logic [8:0] OPMODE_BODY = {2'b00, 3'b001, XY_PRODUCT};  // W = 0, Z = PCIN

    logic [DSP_BITS-1:0] p, pcout;

    // PCOUT reaches only the next slice, P only the fabric.
    assign sum = TAIL ? p : pcout;

    // Outputs that this configuration has no use for stay open.
    // verilator lint_off PINCONNECTEMPTY
    DSP48E2 #(
        .AMULTSEL     ("AD"),
        .PREADDINSEL  ("A"),
        .RND          (LANE_OFFSET),
        .AREG         (1),
        .ACASCREG     (1),
        .DREG         (1),
        .ADREG        (1),
        .BREG         (1),
        .BCASCREG     (1),
        .MREG         (1),
        .PREG         (1),
        .ALUMODEREG   (0),
        .CARRYINREG   (0),
        .CARRYINSELREG(0),
        .INMODEREG    (0),
        .OPMODEREG    (0)
    ) dsp (
        .CLK          (clk),
        // Data. C is unused; ones and an idle register cost the least power.
        .A            (A_BITS'(weight) << LANE_BITS),
        .B            (B_BITS'(activation)),
        .C            ('1),
        .D            (AD_BITS'(weight)),
        .PCIN         (sum_in),
        .P            (p),
        .PCOUT        (pcout),
        // Control
        .ALUMODE      (ALUMODE_ADD),
        .INMODE       (INMODE_D_PLUS_A2),
        .OPMODE       (HEAD ? OPMODE_HEAD : OPMODE_BODY),
        .CARRYIN      (1'b0),
        .CARRYINSEL   ('0),
        // Clock enables. With AREG and BREG of 1 the registers in use are A2 and B2.
        .CEA1         (1'b0),
        .CEA2         (load_high),
        .CEAD         (swap),
        .CEALUMODE    (1'b0),
        .CEB1         (1'b0),
        .CEB2         (1'b1),
        .CEC          (1'b0),
        .CECARRYIN    (1'b0),
        .CECTRL       (1'b0),
        .CED          (load_low),
        .CEINMODE     (1'b0),
        .CEM          (1'b1),
        .CEP          (1'b1),
        // No resets: nothing is read before it has been loaded.
        .RSTA         (1'b0),
        .RSTALLCARRYIN(1'b0),
        .RSTALUMODE   (1'b0),
        .RSTB         (1'b0),
        .RSTC         (1'b0),
        .RSTCTRL      (1'b0),
        .RSTD         (1'b0),
        .RSTINMODE    (1'b0),
        .RSTM         (1'b0),
        .RSTP         (1'b0),
        // Cascades other than P
        .ACIN         ('0),
        .BCIN         ('0),
        .CARRYCASCIN  (1'b0),
        .MULTSIGNIN   (1'b0),
        .ACOUT        (),
        .BCOUT        (),
        .CARRYCASCOUT (),
        .MULTSIGNOUT  (),
        // Carries, pattern detector, wide XOR
        .CARRYOUT     (),
        .OVERFLOW     (),
        .PATTERNBDETECT(),
        .PATTERNDETECT(),
        .UNDERFLOW    (),
        .XOROUT       ()
    );
    // verilator lint_on PINCONNECTEMPTY

  end else begin : g_behavioural

    // Named as in the device.
    logic signed [ELEMENT_BITS-1:0] a, d, b;
    logic signed [     AD_BITS-1:0] ad;
    logic signed [      M_BITS-1:0] m;
    logic        [    DSP_BITS-1:0] p;

    always_ff @(posedge clk) begin
      if (load_high) a <= weight;
      if (load_low) d <= weight;
      if (swap) ad <= (AD_BITS'(a) <<< LANE_BITS) + AD_BITS'(d);
      b <= activation;
      m <= M_BITS'(ad) * M_BITS'(b);
      p <= (HEAD ? LANE_OFFSET : sum_in) + DSP_BITS'(m);
    end

    assign sum = p;

    // PCOUT and P differ in the device only.
    logic unused;
    assign unused = TAIL;

  end

endmodule

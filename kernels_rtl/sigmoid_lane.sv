// SPDX-License-Identifier: Apache-2.0
// The logistic function in straight pieces (PLAN): shifts and additions, no product.
// docs/numerics.md, section 3.
// Latency 2 cycles (latency_pkg::SIGMOID).

module sigmoid_lane (
    input  logic              clk,
    input  logic signed [7:0] x,      // Q3.4
    output logic        [9:0] result  // Q.9, 0 to 512
);

  // A piece below zero is 512 minus that of -x, which again is an offset plus x times a slope.
  typedef enum logic [1:0] {
    FLAT,
    ONE,
    FOUR,
    EIGHT
  } slope_t;

  slope_t slope;
  logic [9:0] offset;
  logic signed [7:0] x_1;
  logic signed [9:0] term;

  always_comb begin
    unique case (slope)
      FLAT:  term = '0;
      ONE:   term = 10'(x_1);
      FOUR:  term = 10'(x_1) << 2;
      EIGHT: term = 10'(x_1) << 3;
    endcase
  end

  always_ff @(posedge clk) begin
    x_1 <= x;
    if (x >= 8'sd80) {slope, offset} <= {FLAT, 10'd512};
    else if (x >= 8'sd38) {slope, offset} <= {ONE, 10'd432};
    else if (x >= 8'sd16) {slope, offset} <= {FOUR, 10'd320};
    else if (x > -8'sd16) {slope, offset} <= {EIGHT, 10'd256};
    else if (x > -8'sd38) {slope, offset} <= {FOUR, 10'd192};
    else if (x > -8'sd80) {slope, offset} <= {ONE, 10'd80};
    else {slope, offset} <= {FLAT, 10'd0};

    result <= offset + term;
  end

endmodule

// SPDX-License-Identifier: Apache-2.0
// The logistic function in straight pieces (PLAN): shifts and additions, no product.
// docs/numerics.md, section 3.
// Latency 2 cycles (latency_pkg::SIGMOID).

module sigmoid_lane (
    input  logic              clk,
    input  logic signed [7:0] x,      // Q3.4
    output logic        [9:0] result  // Q.9, 0 to 512
);

  // A piece below zero is 512 minus that of -x, which again is x with a slope, plus an offset.
  logic signed [8:0] term;  // at most 4 * 37 in magnitude
  logic [9:0] offset;

  always_ff @(posedge clk) begin
    if (x >= 8'sd80) {term, offset} <= {9'sd0, 10'd512};
    else if (x >= 8'sd38) {term, offset} <= {9'(x), 10'd432};
    else if (x >= 8'sd16) {term, offset} <= {9'(x) << 2, 10'd320};
    else if (x > -8'sd16) {term, offset} <= {9'(x) << 3, 10'd256};
    else if (x > -8'sd38) {term, offset} <= {9'(x) << 2, 10'd192};
    else if (x > -8'sd80) {term, offset} <= {9'(x), 10'd80};
    else {term, offset} <= '0;

    result <= 10'(term) + offset;
  end

endmodule

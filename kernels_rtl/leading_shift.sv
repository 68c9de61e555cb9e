// SPDX-License-Identifier: Apache-2.0
// Shifts a positive number left, STEP bits at a time, until one of its top STEP bits is set; gives
// its top 16 bits and how many steps it took. Five bisections, one or two between registers.
// Latency 3 cycles (latency_pkg::LEADING_SHIFT).

module leading_shift #(
    parameter int STEP = 1  // 1 or 2; the number has 32 * STEP bits
) (
    input  logic               clk,
    input  logic [32*STEP-1:0] value,    // 1 or more
    output logic [       15:0] mantissa,
    output logic [        4:0] steps     // 0 to 31
);

  localparam int WIDTH = 32 * STEP;

  typedef struct packed {
    logic [WIDTH-1:0] value;
    logic [4:0] steps;
  } shifted_t;

  // Shifts by 2^level steps if no bit is lost, and notes that.
  function automatic shifted_t bisect(input shifted_t from, input int level);
    bisect = from;
    if (from.value >> (WIDTH - (STEP << level)) == '0) begin
      bisect.value = from.value << (STEP << level);
      bisect.steps[level] = 1'b1;
    end
  endfunction

  shifted_t coarse, finer, finest;

  always_ff @(posedge clk) begin
    coarse <= bisect('{value: value, steps: '0}, 4);
    finer  <= bisect(bisect(coarse, 3), 2);
    finest <= bisect(bisect(finer, 1), 0);
  end

  assign mantissa = 16'(finest.value >> (WIDTH - 16));
  assign steps = finest.steps;

endmodule

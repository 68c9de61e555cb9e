// SPDX-License-Identifier: Apache-2.0
// 1 / count as a multiplier of 16 bits, the highest of them set, and a shift: floor(2^shift / count)
// for shift = 15 + the bits of count - 1. docs/numerics.md, section 3 (mean). Restoring division, a
// bit a cycle.
// Latency 18 cycles from `start` to `done` (latency_pkg::MEAN_RATIO).

module mean_ratio (
    input  logic        clk,
    input  logic        start,       // takes the count; ends a division that still runs
    input  logic [15:0] count,       // 1 to 2,048; of 0 the ratio is anything
    output logic        done,        // one cycle
    output logic [15:0] multiplier,  // stays until the next start
    output logic [ 5:0] shift
);

  localparam int COUNT_BITS = 12;
  localparam int FRACTION = 15;

  // `steps` has a one at what is done in this cycle: the first power of two that is not below the
  // count, then 16 bits of the quotient. Ones are pushed out at the top.
  logic [16:0] steps;
  logic [COUNT_BITS-1:0] divisor, below;
  logic [COUNT_BITS:0] remainder;  // less than twice the divisor
  logic [COUNT_BITS:0] reached, power;
  logic [5:0] bits;

  always_comb begin
    // Powers of two up to the one that is not below the count; the last of them; its exponent.
    reached[0] = 1'b1;
    for (int i = 0; i < COUNT_BITS; i++) reached[i+1] = |(below >> i);
    power = reached & ~(reached >> 1);
    bits  = '0;
    for (int i = 0; i <= COUNT_BITS; i++) if (power[i]) bits |= 6'(i);
  end

  logic [COUNT_BITS+1:0] difference;  // negative: the divisor does not go into the remainder
  assign difference = {1'b0, remainder} - {2'b0, divisor};

  always_ff @(posedge clk) begin
    steps <= {steps[15:0], start};
    done <= steps[16];
    if (start) begin
      steps <= 17'd1;
      done <= 1'b0;
      divisor <= COUNT_BITS'(count);
      below <= COUNT_BITS'(count) - 1'b1;
    end
    if (steps[0]) begin
      remainder <= power;
      shift <= 6'(FRACTION) + bits;
    end else if (steps != '0) begin
      remainder <= (difference[COUNT_BITS+1] ? remainder : difference[COUNT_BITS:0]) << 1;
      multiplier <= {multiplier[14:0], !difference[COUNT_BITS+1]};
    end
  end

  logic unused;
  assign unused = &{1'b0, count[15:COUNT_BITS]};

endmodule

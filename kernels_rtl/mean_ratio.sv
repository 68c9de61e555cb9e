// SPDX-License-Identifier: Apache-2.0
// 1 / count as a multiplier of 16 bits, the highest of them set, and a shift: floor(2^shift / count)
// for shift = 15 + the bits of count - 1. docs/numerics.md, section 3 (mean). All of them stand in
// one block RAM: a division would hold up the mean of the rows that a selection drops.
// Latency 2 cycles from `start` to `done` (latency_pkg::MEAN_RATIO).

module mean_ratio (
    input  logic        clk,
    input  logic        start,
    input  logic [15:0] count,       // 1 to 2,048; of 0 the ratio is anything
    output logic        done,        // one cycle
    output logic [15:0] multiplier,  // stays until the next start
    output logic [ 5:0] shift
);

  localparam int MOST_ROWS = 2048;
  localparam int INDEX_BITS = $clog2(MOST_ROWS);
  localparam int FRACTION = 15;

  (* ram_style = "block" *)
  logic [15:0] multipliers[MOST_ROWS];  // by count - 1

  initial begin
    for (int i = 0; i < MOST_ROWS; i++) begin
      multipliers[i] = 16'((1 << (FRACTION + $clog2(i + 1))) / (i + 1));
    end
  end

  logic started;
  logic [INDEX_BITS-1:0] index;
  logic [INDEX_BITS:0] reached;  // the powers of two up to the first that is not below the count
  logic [5:0] bits;

  always_comb begin
    reached[0] = 1'b1;
    for (int i = 0; i < INDEX_BITS; i++) reached[i+1] = |(index >> i);
    bits = '0;
    for (int i = 0; i <= INDEX_BITS; i++) if (reached[i] && !(|(reached >> (i + 1)))) bits |= 6'(i);
  end

  always_ff @(posedge clk) begin
    started <= start;
    done <= started;
    index <= INDEX_BITS'(count) - 1'b1;
    if (started) begin
      multiplier <= multipliers[index];
      shift <= 6'(FRACTION) + bits;
    end
  end

  logic unused;
  assign unused = &{1'b0, count[15:INDEX_BITS]};

endmodule

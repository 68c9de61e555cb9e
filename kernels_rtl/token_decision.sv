// SPDX-License-Identifier: Apache-2.0
// Which rows of a matrix stay: HeatViT's decision from the scores of a token selector.
// docs/program.md, TOKEN_SELECT. One row a cycle, gaps allowed; the constants come with each row.
// Latency 13 cycles (latency_pkg::TOKEN_DECISION). No DSP48E2: an importance is five digits of
// base 4, each of which picks 0, 1, 2 or 3 times a difference; the heads are added digit by digit.

module token_decision
  import latency_pkg::*;
#(
    parameter int LANES    = 64,
    parameter int ROW_BITS = 16
) (
    input logic clk,

    input logic                  row_valid,
    input logic                  row_first,    // of a pass: the counters start again
    input logic [LANES-1:0][7:0] scores,       // Q3.4; differences, from LANES / 2 on importances
    input logic                  forced,       // stays or goes whatever the scores say
    input logic                  forced_keep,
    input logic [          15:0] threshold,    // Q.9
    input logic [           7:0] heads,
    input logic [  ROW_BITS-1:0] limit,        // rows that stay by their scores, at most

    output logic                decided_valid,
    output logic                kept,
    output logic [ROW_BITS-1:0] kept_index,     // rows of the pass that stayed before this one
    output logic [ROW_BITS-1:0] kept_count      // with this one; stays until the next pass
);

  localparam int MOST_HEADS = 16;
  localparam int TREE = adder_tree(MOST_HEADS);
  localparam int HEADS = LANES / 2 < MOST_HEADS ? LANES / 2 : MOST_HEADS;
  localparam int DIGITS = 5;
  localparam int DIFFERENCE = 11;  // bits: -512 to 512
  localparam int TERM = 13;        // three times that
  localparam int PART = TERM + TREE;
  localparam int SUM = 24;         // at most 16 * 512 * 512 in magnitude
  localparam logic [9:0] ONE = 10'd512;
  localparam int TERMS = 3;        // cycles from sigmoids to terms
  localparam int WEIGH = 2;        // cycles from the digits' sums to two of them

  // Nothing is informative at a threshold of 1, so larger ones are taken for it.
  logic [15:0] threshold_1;
  logic [7:0] heads_1;
  logic [9:0] threshold_2;
  logic [HEADS-1:0] used;

  always_ff @(posedge clk) begin
    threshold_1 <= threshold;
    threshold_2 <= threshold_1 > 16'(ONE) ? ONE : 10'(threshold_1);
    heads_1 <= heads;
    for (int i = 0; i < HEADS; i++) used[i] <= 8'(i) < heads_1;
  end

  // terms[d][i]: digit d of head i's importance, times its difference.
  logic [DIGITS-1:0][MOST_HEADS-1:0][TERM-1:0] terms;

  for (genvar i = 0; i < HEADS; i++) begin : g_head
    logic [9:0] keep, weight;

    sigmoid_lane sigmoid_keep (
        .clk,
        .x(scores[i]),
        .result(keep)
    );
    sigmoid_lane sigmoid_importance (
        .clk,
        .x(scores[LANES/2+i]),
        .result(weight)
    );

    logic [9:0] importance, importance_1;
    logic signed [DIFFERENCE-1:0] difference, difference_1;
    logic signed [TERM-1:0] triple;
    logic [DIGITS-1:0][TERM-1:0] picked;

    always_ff @(posedge clk) begin
      importance <= used[i] ? (weight == '0 ? 10'd1 : weight) : '0;
      difference <= DIFFERENCE'(keep) - DIFFERENCE'(threshold_2);

      importance_1 <= importance;
      difference_1 <= difference;
      triple <= TERM'(difference) + (TERM'(difference) << 1);

      for (int d = 0; d < DIGITS; d++) begin
        unique case (importance_1[2*d+:2])
          2'd0: picked[d] <= '0;
          2'd1: picked[d] <= TERM'(difference_1);
          2'd2: picked[d] <= TERM'(difference_1) << 1;
          2'd3: picked[d] <= triple;
        endcase
      end
    end

    for (genvar d = 0; d < DIGITS; d++) begin : g_digit
      assign terms[d][i] = picked[d];
    end
  end

  for (genvar i = HEADS; i < MOST_HEADS; i++) begin : g_no_head
    for (genvar d = 0; d < DIGITS; d++) begin : g_digit
      assign terms[d][i] = '0;
    end
  end

  // The sum over heads and digits.
  logic [DIGITS-1:0][PART-1:0] parts;

  for (genvar d = 0; d < DIGITS; d++) begin : g_digit
    adder_tree #(
        .COUNT(MOST_HEADS),
        .WIDTH(TERM)
    ) add_heads (
        .clk,
        .terms(terms[d]),
        .total(parts[d])
    );
  end

  logic signed [SUM-1:0] low, middle, high, upper, lower, total;

  always_ff @(posedge clk) begin
    low <= SUM'(signed'(parts[0])) + (SUM'(signed'(parts[1])) << 2);
    middle <= SUM'(signed'(parts[2])) + (SUM'(signed'(parts[3])) << 2);
    high <= SUM'(signed'(parts[4]));

    lower <= low + (middle << 4);
    upper <= high << 8;
  end

  logic informative;
  assign total = lower + upper;
  assign informative = !total[SUM-1] && total != '0;  // above zero, without a carry chain more

  logic total_valid, total_first, total_forced, total_forced_keep;
  logic [ROW_BITS-1:0] total_limit;

  delay #(
      .WIDTH (4 + ROW_BITS),
      .CYCLES(SIGMOID + TERMS + TREE + WEIGH)
  ) delay_row (
      .clk,
      .now  ({row_valid, row_first, forced, forced_keep, limit}),
      .later({total_valid, total_first, total_forced, total_forced_keep, total_limit})
  );

  // The row by itself, then among those before it.
  logic candidate, candidate_valid, candidate_first, candidate_forced, limit_open;
  logic [ROW_BITS-1:0] candidate_limit;

  always_ff @(posedge clk) begin
    candidate <= total_forced ? total_forced_keep : informative;
    candidate_valid <= total_valid;
    candidate_first <= total_first;
    candidate_forced <= total_forced;
    candidate_limit <= total_limit;
    limit_open <= total_limit != '0;
  end

  logic open, stays;
  logic [ROW_BITS-1:0] room, count;  // rows that may still stay by their scores; rows that stayed

  assign open = candidate_first ? limit_open : room != '0;
  assign stays = candidate && (candidate_forced || open);

  always_ff @(posedge clk) begin
    decided_valid <= candidate_valid;
    kept <= stays;
    if (candidate_valid) begin
      room <= (candidate_first ? candidate_limit : room)
            - ROW_BITS'(stays && !candidate_forced);
      count <= (candidate_first ? '0 : count) + ROW_BITS'(stays);
      kept_index <= candidate_first ? '0 : count;
    end
  end

  assign kept_count = count;

endmodule

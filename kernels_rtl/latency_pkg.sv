// SPDX-License-Identifier: Apache-2.0
// Cycles from a unit's inputs to its results. Every unit takes new inputs each cycle; data without
// a valid flag beside it is never reset, since nothing looks at it.

package latency_pkg;

  /* verilator lint_off UNUSEDPARAM */  // no design needs them all

  localparam int REQUANTISE = 4;
  localparam int PIECEWISE = 6;
  localparam int LEADING_SHIFT = 3;
  localparam int ROOT = LEADING_SHIFT + PIECEWISE;  // reciprocal and inverse_sqrt
  localparam int SCALE_RATIO = 3;

  localparam int GELU_POLYNOMIAL = 7;
  localparam int GELU = GELU_POLYNOMIAL + REQUANTISE;

  // An epilogue takes its residual operand and finishes the plain path while GELU still works.
  localparam int RESIDUAL_AT = REQUANTISE;
  localparam int EPILOGUE = RESIDUAL_AT + GELU + 1;

  localparam int ROW_ACCUMULATOR = 2;
  localparam int ROW_NORMALISATION = 6 + ROOT + SCALE_RATIO;
  localparam int NORMALISE = REQUANTISE;

  localparam int EXPONENTIAL = 9;
  localparam int SOFTMAX = 2;

  localparam int SIGMOID = 2;
  localparam int TOKEN_DECISION = SIGMOID + 3 + 4 + 2 + 2;  // terms, heads, digits, decision
  localparam int ROW_SUMS = 2;
  localparam int MEAN_RATIO = 2;

  // Memories of one entry a row are read this many cycles before the row's vector is needed: one
  // for the memory, one for the register from which its entry fans out to all lanes.
  localparam int ROW_LEAD = 2;

  /* verilator lint_on UNUSEDPARAM */

  function automatic int adder_tree(input int count);
    return $clog2(count);
  endfunction

  function automatic int row_statistics(input int lanes);
    return 2 + adder_tree(lanes) + ROW_ACCUMULATOR;
  endfunction

  function automatic int row_maximum(input int lanes);
    return 1 + adder_tree(lanes) + ROW_ACCUMULATOR;
  endfunction

  // From a vector of scores to the ratio of its row.
  function automatic int row_ratio(input int lanes);
    return SOFTMAX + adder_tree(lanes) + ROW_ACCUMULATOR + ROOT + SCALE_RATIO;
  endfunction

endpackage

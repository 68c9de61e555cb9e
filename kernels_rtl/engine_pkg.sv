// SPDX-License-Identifier: Apache-2.0
// What the parts of the engine say to each other, and when: the sequencer turns an instruction into
// items and tiles, the issuer sends the rows of an item down the data path, the loader brings tiles.
package engine_pkg;

  import latency_pkg::*;

  // Beside hwgen_program_pkg::BUFFER_*; results of dropped rows go nowhere.
  localparam logic [3:0] TARGET_SCORES = 4'd4;
  localparam logic [3:0] TARGET_NOTHING = 4'd5;

  typedef enum logic [1:0] {
    SOURCE_NONE,      // zeros
    SOURCE_WORK,
    SOURCE_RESIDUAL,  // normalised on the way
    SOURCE_SCORES     // turned to exponentials on the way
  } source_t;

  typedef enum logic [1:0] {
    ITEM_PASS,       // rows through the array
    ITEM_MEASURE,    // rows of the residual buffer through the row statistics
    ITEM_NORMALISE   // row statistics to means and ratios
  } item_kind_t;

  typedef struct packed {
    item_kind_t kind;
    logic [15:0] rows;
    // Source
    source_t source;
    logic [15:0] source_base;  // of slice 0: tells whether the last writer wrote this matrix
    logic [15:0] source_address;
    logic follow;  // a row may follow the same row of that writer; without it all must be there
    logic again;  // items before have waited for what it reads
    logic broadcast;  // one vector for all rows
    logic first_slice;  // of the row statistics, or of the exponentials
    logic last_slice;
    logic [7:0] keys;  // lanes of this slice that are keys
    // Array
    logic has_tile;
    logic first;  // starts the accumulators
    logic last;  // finishes the rows
    // Epilogue
    logic has_channels;  // takes a new set of channel parameters
    logic by_row;
    logic by_ratio;  // of softmax; else row_multiplier and row_shift
    logic [15:0] row_multiplier;
    logic [5:0] row_shift;
    logic narrow;
    logic gelu;
    logic [15:0] gelu_one;
    logic [15:0] gelu_slope;
    logic [15:0] gelu_multiplier;
    logic [5:0] gelu_shift;
    logic residual;
    logic [15:0] residual_base;
    logic [15:0] residual_address;
    // Target
    logic [3:0] target;
    logic [15:0] target_base;
    logic [31:0] target_address;
    logic target_first;  // first and last output slice: of row statistics and row maxima
    logic target_last;
    // Sums of results
    logic summed;  // results are added up; with `select` those of rows that are dropped
    logic mean;  // its one row is the mean of what was summed
    // TOKEN_SELECT: the residual operands of rows that stay are written one after the other. The
    // vector of the work buffer that comes with a row holds its scores.
    logic select;
    logic [7:0] prefix;  // rows that stay
    logic [15:0] scored_end;  // from here on rows stay, or go with `merge`
    logic merge;
    logic [7:0] heads;
    logic [15:0] threshold;
    logic [15:0] limit;
    // ITEM_NORMALISE
    logic [15:0] columns;
    logic [31:0] mean_multiplier;
    logic [63:0] epsilon;
    logic [15:0] normalise_multiplier;
    logic [5:0] normalise_shift;
  } item_t;

  // Of an attention: its table of exponentials, and the ratio of its output.
  typedef struct packed {
    logic [15:0] exponent_multiplier;
    logic [15:0] output_multiplier;
    logic [5:0] output_shift;
  } softmax_constants_t;

  typedef struct packed {
    logic [15:0] one;
    logic [15:0] slope;
    logic [15:0] multiplier;
    logic [5:0] shift;
  } gelu_constants_t;

  typedef enum logic [2:0] {
    LOAD_TILE,      // a tile of the weight stream
    LOAD_SQUARE,    // a tile of keys or values
    LOAD_WORK,      // the LOAD instruction
    LOAD_RESIDUAL,
    LOAD_DISCARD    // what a failed program still sends
  } load_kind_t;

  typedef struct packed {
    load_kind_t kind;
    logic parameters;  // LOAD_TILE: eight beats of channel parameters come first
    logic transposed;  // LOAD_SQUARE: values
    logic offset_binary;
    logic [15:0] address;
    logic [39:0] beats;
  } load_order_t;

  // A tile of keys or values on its way into the square.
  typedef struct packed {
    logic from_value;
    logic [15:0] address;
    logic [7:0] rows;  // that exist; the rest is zero
    logic again;  // tiles before have waited until all of these keys or values were there
  } fill_t;

  // Cycles from the issue of a row's addresses.
  localparam int READ = 2;  // a buffer's data
  localparam int ARRAY_AT = READ + NORMALISE;  // the longest of the three ways to the array
  // A swap is announced to the loader so many cycles ahead: its first weights then come with it.
  localparam int SWAP_AHEAD = 3;

  function automatic int sums_at(input int lanes);
    return ARRAY_AT + mac_pkg::latency(lanes);
  endfunction

  // The row's ratio of softmax is the last to come; everything waits for it.
  function automatic int epilogue_at(input int lanes);
    return READ + row_ratio(lanes);
  endfunction

  function automatic int result_at(input int lanes);
    return epilogue_at(lanes) + EPILOGUE;
  endfunction

  // Cycles from the issue of a row to that of a row that needs its result: from a buffer, as a row
  // maximum, as row statistics; and from the issue of an ITEM_NORMALISE to that of its first row.
  function automatic int after_write(input int lanes);
    return result_at(lanes) + 1;
  endfunction

  function automatic int after_maximum(input int lanes);
    return result_at(lanes) + row_maximum(lanes) + 2;
  endfunction

  function automatic int after_statistics(input int lanes);
    return result_at(lanes) + row_statistics(lanes) + 2;
  endfunction

  localparam int AFTER_NORMALISE = 2 + ROW_NORMALISATION + 2;

  // Cycles from a row of one pass to the same row of the next: its sums are written, then read.
  localparam int AFTER_SUM = READ + 2;

  // Cycles from a row that is summed to the one that is the mean.
  localparam int AFTER_SUMMED = EPILOGUE + ROW_SUMS + 1;

endpackage

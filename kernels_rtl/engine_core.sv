// SPDX-License-Identifier: Apache-2.0
// The engine without its memory ports: instructions and beats in, output vectors out.
//
// sequencer ─ items ─▶ issuer ─ rows ─▶ buffers ▶ normaliser, softmax ▶ array ▶ accumulators ▶ epilogue
//     ├─ tiles ─▶ loader ─ weights ───────────────────────────────────▶ array
//     └─ tiles ─▶ filler ─▶ square ─▶ loader                                        results ▶ buffers
//
// From the issue of a row to its result the data path has one length (engine_pkg) and never waits.
module engine_core
  import engine_pkg::*;
  import hwgen_program_pkg::*;
  import latency_pkg::*;
#(
    parameter int LANES = 64,
    parameter int MAX_ROWS = 1024,
    parameter int SCORE_DEPTH = 1024,
    parameter int RESIDUAL_DEPTH = 5632,
    parameter int WORK_DEPTH = 10240,
    parameter int VALUE_DEPTH = 4096,
    parameter bit PRIMITIVE = 1'b0,  // see dsp48e2_mac
    parameter bit TWIN = 1'b0        // see mac_array
) (
    input logic clk,
    input logic reset,

    input  logic         instruction_valid,
    output logic         instruction_ready,
    input  logic [511:0] instruction_bits,
    input  logic [  7:0] instruction_error,
    input  logic         instruction_last,
    input  logic [ 31:0] output_vectors,

    input  logic                  beat_valid,
    output logic                  beat_ready,
    input  logic [LANES-1:0][7:0] beat,
    input  logic                  beats_plenty,

    output logic                   output_valid,
    input  logic                   output_ready,
    output logic [           31:0] output_index,
    output logic [LANES-1:0][15:0] output_vector,

    output logic       done,
    output logic [7:0] error_code,
    output logic [6:0] waits        // issuer's, and the loader's for the weight stream
);

  localparam int ROW_BITS = $clog2(MAX_ROWS);
  localparam int INDEX_BITS = $clog2(LANES);
  localparam int KEY_BITS = $clog2(LANES + 1);
  localparam int QUEUE = 4;
  localparam int OUTPUT_DEPTH = 64;
  localparam int SUM_BITS = mac_pkg::sum_bits(LANES);
  localparam int ACCUMULATOR_BITS = 27;

  localparam int SUMS_AT = sums_at(LANES);
  localparam int EPILOGUE_AT = epilogue_at(LANES);
  localparam int RESULT_AT = result_at(LANES);
  localparam int DECISION_AT = READ + TOKEN_DECISION;

  // ---- Control ---------------------------------------------------------------------------------
  logic item_push, item_push_ready, item_valid, item_ready;
  logic load_push, load_push_ready, load_valid, load_ready;
  logic fill_push, fill_valid, fill_ready;
  /* verilator lint_off UNUSEDSIGNAL */  // always: a fill leaves its queue before its load does
  logic fill_push_ready;
  /* verilator lint_on UNUSEDSIGNAL */
  item_t item_pushed, item_head;
  /* verilator lint_off UNUSEDSIGNAL */  // fields that the issuer alone needs
  item_t current;
  /* verilator lint_on UNUSEDSIGNAL */
  load_order_t load_pushed, load_head;
  fill_t fill_pushed, fill_head;
  logic everything_idle, item_taken, loader_idle, filler_idle;
  logic all_settled, work_settled, value_settled;
  logic table_fill, table_free;
  softmax_constants_t softmax_constants;
  logic selection_decided;  // the last row of a selection's first slice
  logic [15:0] kept_count;

  sequencer #(
      .LANES(LANES),
      .MAX_ROWS(MAX_ROWS),
      .SCORE_DEPTH(SCORE_DEPTH),
      .RESIDUAL_DEPTH(RESIDUAL_DEPTH),
      .WORK_DEPTH(WORK_DEPTH),
      .VALUE_DEPTH(VALUE_DEPTH)
  ) sequencer (
      .clk,
      .reset,
      .instruction_valid,
      .instruction_ready,
      .instruction_bits,
      .instruction_error,
      .instruction_last,
      .output_vectors,
      .item_valid(item_push),
      .item_ready(item_push_ready),
      .item(item_pushed),
      .load_valid(load_push),
      .load_ready(load_push_ready),
      .load(load_pushed),
      .fill_valid(fill_push),
      .fill(fill_pushed),
      .everything_idle,
      .item_taken,
      .table_fill,
      .softmax_constants,
      .table_free,
      .selection_valid(selection_decided),
      .selection_count(kept_count),
      .done,
      .error_code
  );

  fifo #(
      .WIDTH($bits(item_t)),
      .DEPTH(QUEUE)
  ) items (
      .clk,
      .reset,
      .push_valid(item_push),
      .push_ready(item_push_ready),
      .push(item_pushed),
      .head_valid(item_valid),
      .head(item_head),
      .pop(item_ready)
  );
  fifo #(
      .WIDTH($bits(load_order_t)),
      .DEPTH(QUEUE)
  ) loads (
      .clk,
      .reset,
      .push_valid(load_push),
      .push_ready(load_push_ready),
      .push(load_pushed),
      .head_valid(load_valid),
      .head(load_head),
      .pop(load_ready)
  );
  fifo #(
      .WIDTH($bits(fill_t)),
      .DEPTH(QUEUE)
  ) fills (
      .clk,
      .reset,
      .push_valid(fill_push),
      .push_ready(fill_push_ready),
      .push(fill_pushed),
      .head_valid(fill_valid),
      .head(fill_head),
      .pop(fill_ready)
  );

  logic tile_ready, tile_taken, table_ready, output_taken;
  logic row_valid, row_first, row_last, normalise_start;
  logic [15:0] row;
  gelu_constants_t gelu_constants;

  issuer #(
      .LANES(LANES),
      .OUTPUT_DEPTH(OUTPUT_DEPTH)
  ) issuer (
      .clk,
      .reset,
      .item_valid,
      .item_ready,
      .item(item_head),
      .tile_ready,
      .tile_taken,
      .table_ready,
      .output_taken,
      .row_valid,
      .row_first,
      .row_last,
      .current,
      .row,
      .normalise_start,
      .table_free,
      .gelu_constants,
      .waits(waits[5:0]),
      .work_settled,
      .value_settled,
      .all_settled
  );

  assign waits[6] = beat_ready && !beat_valid;

  always_ff @(posedge clk) begin
    item_taken <= item_valid && item_ready && !reset;
    everything_idle <= !item_valid && all_settled && loader_idle && !fill_valid && filler_idle
        && !output_valid;
  end

  // ---- What goes with a row --------------------------------------------------------------------
  typedef struct packed {
    logic valid;    // through the array
    logic measure;  // through the row statistics
    source_t source;
    logic first_slice;
    logic last_slice;
    logic [KEY_BITS-1:0] keys;
    logic [ROW_BITS-1:0] row;
    logic select;
    logic first_row;
    logic forced;  // stays, or goes, whatever its scores say
    logic forced_keep;
  } entry_t;

  typedef struct packed {
    logic valid;
    logic swap;
  } array_entry_t;

  typedef struct packed {
    logic valid;
    logic first;
    logic last;
    logic [ROW_BITS-1:0] row;
  } sums_entry_t;

  typedef struct packed {
    logic valid;  // finishes here
    logic by_row;
    logic by_ratio;
    logic [15:0] row_multiplier;
    logic [5:0] row_shift;
    logic narrow;
    logic gelu;
    logic residual;
  } epilogue_entry_t;

  typedef struct packed {
    logic [3:0] target;
    logic [31:0] address;
    logic first;
    logic last;
    logic [KEY_BITS-1:0] keys;
    logic [ROW_BITS-1:0] row;
    logic measured;      // goes through the row statistics, if to the residual buffer
    logic summed;
    logic first_summed;
    logic added;         // to the sum; without it the row counts as zeros
    // Until the decision.
    logic select;
    logic decides;       // the last row of the first slice
    logic append;        // goes behind the rows that stay
  } result_entry_t;

  logic pass_row;
  entry_t entry, entry_read;
  array_entry_t array_now, array_then;
  logic swap_soon;  // SWAP_AHEAD cycles before that of array_then
  sums_entry_t sums_now, sums_early, sums_then;
  epilogue_entry_t epilogue_now, epilogue_then;
  result_entry_t result_now, result_decided;
  /* verilator lint_off UNUSEDSIGNAL */  // a wide address, for the output; buffers take its low bits
  result_entry_t result_then;
  /* verilator lint_on UNUSEDSIGNAL */
  logic channel_swap_now, channel_swap, mean_now, mean_then;

  assign pass_row = row_valid && current.kind == ITEM_PASS;

  always_comb begin
    entry = '{
        valid: pass_row,
        measure: row_valid && current.kind == ITEM_MEASURE,
        source: current.source,
        first_slice: current.first_slice,
        last_slice: current.last_slice,
        keys: current.keys[KEY_BITS-1:0],
        row: row[ROW_BITS-1:0],
        select: pass_row && current.select,
        first_row: row_first,
        forced: row < 16'(current.prefix) || row >= current.scored_end,
        forced_keep: row < 16'(current.prefix) || !current.merge
    };
    array_now = '{valid: pass_row, swap: pass_row && row_first && current.has_tile};
    sums_now = '{
        valid: pass_row,
        first: current.first,
        last: current.last,
        row: row[ROW_BITS-1:0]
    };
    epilogue_now = '{
        valid: pass_row && current.last,
        by_row: current.by_row,
        by_ratio: current.by_ratio,
        row_multiplier: current.row_multiplier,
        row_shift: current.row_shift,
        narrow: current.narrow,
        gelu: current.gelu,
        residual: current.residual
    };
    result_now = '{
        target: current.target,
        address: current.target_address + (current.select ? '0 : 32'(row)),
        first: current.target_first,
        last: current.target_last,
        keys: current.keys[KEY_BITS-1:0],
        row: row[ROW_BITS-1:0],
        measured: 1'b1,
        summed: current.summed,
        first_summed: row_first,
        added: 1'b1,
        select: current.select,
        decides: pass_row && current.select && current.target_first && row_last,
        append: current.mean && current.target == BUFFER_RESIDUAL
    };
    mean_now = current.mean;
    channel_swap_now = pass_row && row_first && current.has_channels;
  end

  delay #(
      .WIDTH ($bits(entry_t)),
      .CYCLES(READ)
  ) delay_entry (
      .clk,
      .now  (entry),
      .later(entry_read)
  );
  delay #(
      .WIDTH ($bits(array_entry_t)),
      .CYCLES(ARRAY_AT)
  ) delay_array (
      .clk,
      .now  (array_now),
      .later(array_then)
  );
  delay #(
      .CYCLES(ARRAY_AT - SWAP_AHEAD)
  ) delay_swap_soon (
      .clk,
      .now  (array_now.swap),
      .later(swap_soon)
  );
  delay #(
      .WIDTH ($bits(sums_entry_t)),
      .CYCLES(SUMS_AT - READ)
  ) delay_sums_early (
      .clk,
      .now  (sums_now),
      .later(sums_early)
  );
  delay #(
      .WIDTH ($bits(sums_entry_t)),
      .CYCLES(READ)
  ) delay_sums (
      .clk,
      .now  (sums_early),
      .later(sums_then)
  );
  delay #(
      .WIDTH ($bits(epilogue_entry_t)),
      .CYCLES(EPILOGUE_AT)
  ) delay_epilogue (
      .clk,
      .now  (epilogue_now),
      .later(epilogue_then)
  );
  delay #(
      .WIDTH ($bits(result_entry_t)),
      .CYCLES(DECISION_AT)
  ) delay_result (
      .clk,
      .now  (result_now),
      .later(result_decided)
  );
  delay #(
      .CYCLES(EPILOGUE_AT - 1)
  ) delay_mean (
      .clk,
      .now  (mean_now),
      .later(mean_then)
  );
  delay #(
      .CYCLES(EPILOGUE_AT - 1)
  ) delay_channel_swap (
      .clk,
      .now  (channel_swap_now),
      .later(channel_swap)
  );

  // ---- Rows that stay --------------------------------------------------------------------------
  logic [LANES-1:0][7:0] work_row;
  logic [15:0] select_threshold, select_limit;
  logic [7:0] select_heads;
  logic kept;
  logic [15:0] kept_index;
  /* verilator lint_off UNUSEDSIGNAL */  // known from the row's timing
  logic decided;
  /* verilator lint_on UNUSEDSIGNAL */

  // The next selection is far away when the last row's scores arrive.
  always_ff @(posedge clk) begin
    if (entry.select) begin
      select_threshold <= current.threshold;
      select_heads <= current.heads;
      select_limit <= current.limit;
    end
  end

  assign selection_decided = result_decided.decides;

  token_decision #(
      .LANES(LANES)
  ) token_decision (
      .clk,
      .row_valid(entry_read.select),
      .row_first(entry_read.first_row),
      .scores(work_row),
      .forced(entry_read.forced),
      .forced_keep(entry_read.forced_keep),
      .threshold(select_threshold),
      .heads(select_heads),
      .limit(select_limit),
      .decided_valid(decided),
      .kept,
      .kept_index,
      .kept_count
  );

  // Where they go. A matrix of all rows and one more has one that no statistics are kept of.
  logic [15:0] place;
  result_entry_t result_placed;

  assign place = result_decided.select ? kept_index : result_decided.append ? kept_count : '0;

  always_ff @(posedge clk) begin
    result_placed <= result_decided;
    result_placed.address <= result_decided.address + 32'(place);
    if (result_decided.select || result_decided.append) begin
      result_placed.row <= place[ROW_BITS-1:0];
      result_placed.measured <= place < 16'(MAX_ROWS);
    end
    if (result_decided.select) begin
      result_placed.added <= !kept;
      if (!kept) result_placed.target <= TARGET_NOTHING;
    end
  end

  delay #(
      .WIDTH ($bits(result_entry_t)),
      .CYCLES(RESULT_AT - DECISION_AT - 1)
  ) delay_result_placed (
      .clk,
      .now  (result_placed),
      .later(result_then)
  );

  // ---- Buffers ---------------------------------------------------------------------------------
  logic [LANES-1:0][7:0] work_tile, value_tile, score_row;
  logic [LANES-1:0][15:0] residual_row, results, load_vector;
  logic [LANES-1:0][7:0] narrow_results;
  /* verilator lint_off UNUSEDSIGNAL */  // addresses are checked to lie inside the buffers
  logic [15:0] load_address, fill_address, residual_address;
  /* verilator lint_on UNUSEDSIGNAL */
  logic load_work, load_residual, write_work, write_value, write_residual, write_scores;
  logic result_valid;

  for (genvar i = 0; i < LANES; i++) begin : g_narrow
    assign narrow_results[i] = results[i][7:0];
  end

  assign write_work = result_valid && result_then.target == BUFFER_WORK;
  assign write_value = result_valid && result_then.target == BUFFER_VALUE;
  assign write_residual = result_valid && result_then.target == BUFFER_RESIDUAL;
  assign write_scores = result_valid && result_then.target == TARGET_SCORES;

  logic [LANES-1:0][7:0] load_narrow;
  for (genvar i = 0; i < LANES; i++) begin : g_load_narrow
    assign load_narrow[i] = load_vector[i][7:0];
  end

  work_buffer #(
      .WIDTH(8 * LANES),
      .DEPTH(WORK_DEPTH)
  ) work (
      .clk,
      .row_address($clog2(WORK_DEPTH)'(current.source_address + (current.broadcast ? '0 : row))),
      .row_vector(work_row),
      .write(write_work || load_work),
      .write_address($clog2(WORK_DEPTH)'(load_work ? 32'(load_address) : result_then.address)),
      .write_vector(load_work ? load_narrow : narrow_results),
      .tile_address($clog2(WORK_DEPTH)'(fill_address)),
      .tile_vector(work_tile)
  );

  vector_buffer #(
      .WIDTH(8 * LANES),
      .DEPTH(VALUE_DEPTH)
  ) value (
      .clk,
      .write(write_value),
      .write_address($clog2(VALUE_DEPTH)'(result_then.address)),
      .write_vector(narrow_results),
      .read_address($clog2(VALUE_DEPTH)'(fill_address)),
      .read_vector(value_tile)
  );

  // One read serves the source or the residual operand: no item has both.
  assign residual_address = (current.source == SOURCE_RESIDUAL ? current.source_address
      : current.residual_address) + row;

  vector_buffer #(
      .WIDTH(16 * LANES),
      .DEPTH(RESIDUAL_DEPTH)
  ) residual (
      .clk,
      .write(write_residual || load_residual),
      .write_address($clog2(RESIDUAL_DEPTH)'(load_residual ? 32'(load_address)
          : result_then.address)),
      .write_vector(load_residual ? load_vector : results),
      .read_address($clog2(RESIDUAL_DEPTH)'(residual_address)),
      .read_vector(residual_row)
  );

  vector_buffer #(
      .WIDTH(8 * LANES),
      .DEPTH(SCORE_DEPTH)
  ) scores (
      .clk,
      .write(write_scores),
      .write_address($clog2(SCORE_DEPTH)'(result_then.address)),
      .write_vector(narrow_results),
      .read_address($clog2(SCORE_DEPTH)'(current.source_address + row)),
      .read_vector(score_row)
  );

  // ---- Tiles -----------------------------------------------------------------------------------
  logic square_write, square_write_half, square_read_half, square_across;
  logic [INDEX_BITS-1:0] square_write_index, square_read_index;
  logic [LANES-1:0][7:0] square_write_vector, square_read_vector;
  logic [1:0] square_full;
  logic release_valid, release_half;
  logic array_load, channel_load;
  logic [INDEX_BITS-1:0] array_channel;
  logic [LANES-1:0][7:0] array_weights, channel_beat;
  logic [2:0] channel_index;

  assign filler_idle = square_full == 2'b00 && !square_write;

  tile_filler #(
      .LANES(LANES)
  ) filler (
      .clk,
      .reset,
      .fill_valid,
      .fill_ready,
      .fill(fill_head),
      .work_settled,
      .value_settled,
      .work_blocked(write_work),
      .address(fill_address),
      .work_vector(work_tile),
      .value_vector(value_tile),
      .write(square_write),
      .write_half(square_write_half),
      .write_index(square_write_index),
      .write_vector(square_write_vector),
      .full(square_full),
      .release_valid,
      .release_half
  );

  tile_square #(
      .LANES(LANES)
  ) square (
      .clk,
      .write(square_write),
      .write_half(square_write_half),
      .write_index(square_write_index),
      .write_vector(square_write_vector),
      .read_half(square_read_half),
      .read_index(square_read_index),
      .across(square_across),
      .read_vector(square_read_vector)
  );

  tile_loader #(
      .LANES(LANES)
  ) loader (
      .clk,
      .reset,
      .load_valid,
      .load_ready,
      .load(load_head),
      .idle(loader_idle),
      .beat_valid,
      .beat_ready,
      .beat,
      .beats_plenty,
      .square_full,
      .square_half(square_read_half),
      .square_index(square_read_index),
      .square_across,
      .square_vector(square_read_vector),
      .release_valid,
      .release_half,
      .array_load,
      .array_channel,
      .array_weights,
      .tile_ready,
      .tile_taken,
      .swap_soon,
      .channel_load,
      .channel_index,
      .channel_beat,
      .channel_swap,
      .work_write(load_work),
      .residual_write(load_residual),
      .write_address(load_address),
      .write_vector(load_vector)
  );

  // ---- The three ways to the array -------------------------------------------------------------
  logic [LANES-1:0][7:0] normalised, exponentials, exponentials_then, work_then, array_row;
  logic [$bits(source_t)-1:0] source_later;
  source_t source_then;
  /* verilator lint_off UNUSEDSIGNAL */  // known from the row's timing
  logic ratio_valid;
  logic [ROW_BITS-1:0] ratio_row;
  /* verilator lint_on UNUSEDSIGNAL */
  logic [15:0] ratio_multiplier;
  logic [5:0] ratio_shift;

  delay #(
      .WIDTH (8 * LANES),
      .CYCLES(ARRAY_AT - READ)
  ) delay_work (
      .clk,
      .now  (work_row),
      .later(work_then)
  );
  delay #(
      .WIDTH (8 * LANES),
      .CYCLES(ARRAY_AT - READ - SOFTMAX)
  ) delay_exponentials (
      .clk,
      .now  (exponentials),
      .later(exponentials_then)
  );
  delay #(
      .WIDTH ($bits(source_t)),
      .CYCLES(ARRAY_AT - READ)
  ) delay_source (
      .clk,
      .now  (entry_read.source),
      .later(source_later)
  );
  assign source_then = source_t'(source_later);

  always_comb begin
    unique case (source_then)
      SOURCE_WORK: array_row = work_then;
      SOURCE_RESIDUAL: array_row = normalised;
      SOURCE_SCORES: array_row = exponentials_then;
      default: array_row = '0;
    endcase
  end

  // Statistics: of results on their way to the residual buffer, or measured from it.
  logic statistics_valid;
  logic [ROW_BITS-1:0] statistics_row;
  logic [31:0] statistics_total;
  logic [45:0] statistics_squares;

  row_statistics #(
      .LANES(LANES),
      .MAX_ROWS(MAX_ROWS)
  ) statistics (
      .clk,
      .vector_valid(entry_read.measure || (write_residual && result_then.measured)),
      .vector_row(entry_read.measure ? entry_read.row : result_then.row),
      .first(entry_read.measure ? entry_read.first_slice : result_then.first),
      .last(entry_read.measure ? entry_read.last_slice : result_then.last),
      .values(entry_read.measure ? residual_row : results),
      .result_valid(statistics_valid),
      .result_row(statistics_row),
      .total(statistics_total),
      .squares(statistics_squares)
  );

  // An ITEM_NORMALISE walks the statistics on its own while the first tile loads.
  logic [77:0] statistics_entry;
  logic walk_active, walk_read;
  logic [ROW_BITS-1:0] walk_row, walk_row_read;
  logic [15:0] walk_rows;
  logic [15:0] walk_columns, walk_multiplier;
  logic [31:0] walk_mean_multiplier;
  logic [63:0] walk_epsilon;
  logic [5:0] walk_shift;

  row_memory #(
      .WIDTH(78),
      .MAX_ROWS(MAX_ROWS)
  ) statistics_memory (
      .clk,
      .write(statistics_valid),
      .write_row(statistics_row),
      .write_entry({statistics_total, statistics_squares}),
      .read_row(walk_row),
      .entry(statistics_entry)
  );

  always_ff @(posedge clk) begin
    walk_read <= walk_active;
    walk_row_read <= walk_row;
    if (normalise_start) begin
      walk_row <= '0;
      walk_rows <= current.rows;
      walk_columns <= current.columns;
      walk_mean_multiplier <= current.mean_multiplier;
      walk_epsilon <= current.epsilon;
      walk_multiplier <= current.normalise_multiplier;
      walk_shift <= current.normalise_shift;
    end else begin
      walk_row <= walk_row + 1'b1;
    end
    if (reset) walk_active <= 1'b0;
    else if (normalise_start) walk_active <= 1'b1;
    else if (16'(walk_row) + 1'b1 == walk_rows) walk_active <= 1'b0;
  end

  normaliser #(
      .LANES(LANES),
      .MAX_ROWS(MAX_ROWS)
  ) normaliser (
      .clk,
      .statistics_valid(walk_read),
      .statistics_row(walk_row_read),
      .total(statistics_entry[77:46]),
      .squares(statistics_entry[45:0]),
      .columns(walk_columns),
      .mean_multiplier(walk_mean_multiplier),
      .epsilon(walk_epsilon),
      .normalise_multiplier(walk_multiplier),
      .normalise_shift(walk_shift),
      .vector_row(entry.row),
      .values(residual_row),
      .results(normalised)
  );

  logic [15:0] output_multiplier;
  logic [5:0] output_shift;
  always_ff @(posedge clk) begin
    if (table_fill) begin
      output_multiplier <= softmax_constants.output_multiplier;
      output_shift <= softmax_constants.output_shift;
    end
  end

  softmax_row #(
      .LANES(LANES),
      .MAX_ROWS(MAX_ROWS)
  ) softmax (
      .clk,
      .reset,
      .fill(table_fill),
      .exponent_multiplier(softmax_constants.exponent_multiplier),
      .ready(table_ready),
      .output_multiplier,
      .output_shift,
      .score_valid(write_scores),
      .score_row(result_then.row),
      .score_first(result_then.first),
      .score_keys(result_then.keys),
      .new_scores(narrow_results),
      .vector_row(entry.row),
      .vector_valid(entry_read.valid && entry_read.source == SOURCE_SCORES),
      .first(entry_read.first_slice),
      .last(entry_read.last_slice),
      .keys(entry_read.keys),
      .scores(score_row),
      .exponentials,
      .ratio_valid,
      .ratio_row,
      .multiplier(ratio_multiplier),
      .shift(ratio_shift)
  );

  // ---- Array and accumulators ------------------------------------------------------------------
  /* verilator lint_off UNUSEDSIGNAL */  // known from the row's timing
  logic sums_valid;
  /* verilator lint_on UNUSEDSIGNAL */
  logic [LANES-1:0][SUM_BITS-1:0] sums;
  logic [LANES-1:0][ACCUMULATOR_BITS-1:0] accumulated, total, total_early, total_then;

  mac_array #(
      .LANES(LANES),
      .PRIMITIVE(PRIMITIVE),
      .TWIN(TWIN)
  ) mac_array (
      .clk,
      .rst(reset),
      .row_valid(array_then.valid),
      .row(array_row),
      .swap(array_then.swap),
      .load(array_load),
      .load_channel(array_channel),
      .load_weights(array_weights),
      .sums_valid,
      .sums
  );

  // One cycle after the sums.
  logic total_write;
  logic [ROW_BITS-1:0] total_row;

  vector_buffer #(
      .WIDTH(ACCUMULATOR_BITS * LANES),
      .DEPTH(MAX_ROWS)
  ) accumulators (
      .clk,
      .write(total_write),
      .write_address(total_row),
      .write_vector(total),
      .read_address(sums_early.row),
      .read_vector(accumulated)
  );

  always_ff @(posedge clk) begin
    total_write <= sums_then.valid && !sums_then.last;
    total_row   <= sums_then.row;
    for (int i = 0; i < LANES; i++) begin
      total[i] <= ACCUMULATOR_BITS'(signed'(sums[i])) + (sums_then.first ? '0 : accumulated[i]);
    end
  end

  delay #(
      .WIDTH (ACCUMULATOR_BITS * LANES),
      .CYCLES(EPILOGUE_AT - SUMS_AT - 2)
  ) delay_total (
      .clk,
      .now  (total),
      .later(total_early)
  );

  // Sums of results come by for their mean.
  logic [LANES-1:0][ACCUMULATOR_BITS-1:0] summed;

  row_sums #(
      .LANES(LANES)
  ) row_sums (
      .clk,
      .valid(result_valid && result_then.summed),
      .first(result_then.first_summed),
      .add(result_then.added),
      .values(results),
      .sums(summed)
  );

  always_ff @(posedge clk) total_then <= mean_then ? summed : total_early;

  // ---- Epilogue --------------------------------------------------------------------------------
  logic [LANES-1:0][15:0] residual_then;

  delay #(
      .WIDTH (16 * LANES),
      .CYCLES(EPILOGUE_AT + RESIDUAL_AT - READ)
  ) delay_residual (
      .clk,
      .now  (residual_row),
      .later(residual_then)
  );

  epilogue #(
      .LANES(LANES)
  ) epilogue (
      .clk,
      .load(channel_load),
      .load_index(channel_index),
      .load_beat(channel_beat),
      .swap(channel_swap),
      .row_valid(epilogue_then.valid),
      .sums(total_then),
      .by_row(epilogue_then.by_row),
      .row_multiplier(epilogue_then.by_ratio ? ratio_multiplier : epilogue_then.row_multiplier),
      .row_shift(epilogue_then.by_ratio ? ratio_shift : epilogue_then.row_shift),
      .narrow(epilogue_then.narrow),
      .gelu(epilogue_then.gelu),
      .add_residual(epilogue_then.residual),
      .residual(residual_then),
      .gelu_one(gelu_constants.one),
      .gelu_slope(gelu_constants.slope),
      .gelu_multiplier(gelu_constants.multiplier),
      .gelu_shift(gelu_constants.shift),
      .result_valid,
      .results
  );

  // ---- Results that leave ----------------------------------------------------------------------
  /* verilator lint_off UNUSEDSIGNAL */  // always: the issuer counts
  logic output_push_ready;
  /* verilator lint_on UNUSEDSIGNAL */
  always_ff @(posedge clk) output_taken <= output_valid && output_ready && !reset;

  fifo #(
      .WIDTH(32 + 16 * LANES),
      .DEPTH(OUTPUT_DEPTH)
  ) outputs (
      .clk,
      .reset,
      .push_valid(result_valid && result_then.target == BUFFER_OUTPUT),
      .push_ready(output_push_ready),
      .push({result_then.address, results}),
      .head_valid(output_valid),
      .head({output_index, output_vector}),
      .pop(output_ready)
  );

endmodule

// SPDX-License-Identifier: Apache-2.0
// Sends the rows of one item after the other down the data path, a row a cycle. The data path never
// waits, so all waiting is done here, before an item's first row: for its tile, and until what it
// reads has been written. Rows keep their order, so a row may follow the row it depends on at a fixed
// distance; counters of cycles since the last writer's first and last row are all it takes.
module issuer
  import engine_pkg::*;
  import hwgen_program_pkg::*;
#(
    parameter int LANES = 64,
    parameter int OUTPUT_DEPTH = 64  // rows that may be under way to the output queue
) (
    input logic clk,
    input logic reset,

    input  logic  item_valid,
    output logic  item_ready,
    input  item_t item,

    input  logic tile_ready,
    output logic tile_taken,
    input  logic table_ready,   // of exponentials
    input  logic output_taken,  // a row has left the output queue

    // A row, in this cycle, of `current`.
    output logic        row_valid,
    output logic        row_first,
    output logic        row_last,
    output item_t       current,
    output logic [15:0] row,
    output logic        normalise_start,  // with the constants and rows of `current`
    output logic        table_free,  // of all that was issued
    output gelu_constants_t gelu_constants,

    // Why no row is sent in this cycle: nothing to do; its tile; its source, the residual operand or
    // the GELU constants; statistics; softmax; the output queue.
    output logic [5:0] waits,

    output logic work_settled,
    output logic value_settled,
    output logic all_settled
);

  localparam int AFTER_WRITE = after_write(LANES);
  localparam int AFTER_MAXIMUM = after_maximum(LANES);
  localparam int AFTER_STATISTICS = after_statistics(LANES);
  localparam int FOUND = 3;  // a row comes so much later than its counter says: it starts from the
                             // next cycle, and to find that an item may start takes two
  localparam int TIME_BITS = $clog2(AFTER_STATISTICS + AFTER_MAXIMUM + 2);

  typedef logic [TIME_BITS-1:0] time_t;

  // For each target: cycles since the first row of its last writer, cycles until its last row has
  // arrived, the matrix it wrote and where in it: first vector and one past the last.
  localparam int TARGETS = 5;
  time_t [TARGETS-1:0] since_first, until_last;
  logic [TARGETS-1:0][15:0] written_base, written_address, written_end;
  time_t since_normalise;
  logic [2:0] since_start;  // of the item before
  logic [$clog2(OUTPUT_DEPTH):0] under_way;

  function automatic time_t distance(input logic [3:0] target);
    unique case (target)
      BUFFER_RESIDUAL: return time_t'(AFTER_STATISTICS);
      TARGET_SCORES: return time_t'(AFTER_MAXIMUM);
      default: return time_t'(AFTER_WRITE);
    endcase
  endfunction

  // Whether a row may follow the same row of the last writer of its place, being `related`, or has
  // to wait for that writer's last row.
  function automatic logic follows(input logic [3:0] target, input logic related,
                                   input time_t [TARGETS-1:0] first,
                                   input time_t [TARGETS-1:0] last);
    return last[target[2:0]] == '0 || (first[target[2:0]] >= distance(target) && related);
  endfunction

  /* verilator lint_off UNUSEDSIGNAL */  // four fields of an item
  function automatic gelu_constants_t gelu_of(input item_t of);
    return '{
        one: of.gelu_one,
        slope: of.gelu_slope,
        multiplier: of.gelu_multiplier,
        shift: of.gelu_shift
    };
  endfunction
  /* verilator lint_on UNUSEDSIGNAL */

  time_t until_gelu, until_mean, until_free;
  logic compacted;  // the last writer of the residual buffer left out rows: none may follow it

  // ---- Whether the first item of the queue may start -------------------------------------------
  // Found two cycles ahead, from counters that have seen the first row of the item before it: items
  // of four rows or more follow each other without a gap.
  logic work_ready, source_ready, residual_ready, gelu_ready, ready, may_start;
  logic residual_settled;
  logic same_gelu, takes_tile, source_related, residual_related, matrix_related;
  logic seen, counted, compared;
  logic active, last_row, free, start, has_rows;

  assign work_ready = item.again
      || follows(BUFFER_WORK, source_related, since_first, until_last);
  assign residual_settled = until_last[BUFFER_RESIDUAL[2:0]] == '0;

  always_comb begin
    unique case (item.source)
      SOURCE_WORK: source_ready = work_ready;
      SOURCE_RESIDUAL: source_ready = since_normalise >= time_t'(AFTER_NORMALISE);
      SOURCE_SCORES:
      source_ready = table_ready && follows(TARGET_SCORES, 1'b1, since_first, until_last);
      // Without a tile to wait for, few rows come back before their sums are stored.
      default:
      source_ready = since_start >= 3'(AFTER_SUM - 1) && (!item.select || work_ready)
          && (!item.mean || until_mean == '0);
    endcase
    residual_ready = !item.residual || residual_settled || (item.select ? item.again
        : follows(BUFFER_RESIDUAL, residual_related, since_first, until_last));
    // GELU constants stay while its rows are under way.
    gelu_ready = !item.gelu || until_gelu == '0 || same_gelu;
    unique case (item.kind)
      ITEM_PASS:
      ready = (tile_ready || !item.has_tile) && source_ready && residual_ready && gelu_ready;
      ITEM_MEASURE: ready = residual_settled;
      default: ready = follows(BUFFER_RESIDUAL, matrix_related, since_first, until_last);
    endcase
  end

  assign has_rows = item.kind == ITEM_PASS || item.kind == ITEM_MEASURE;
  assign free = !active || (row_valid && last_row);
  assign start = free && may_start;
  assign item_ready = free && may_start;
  assign tile_taken = start && takes_tile;

  // A slice that begins inside the one written last, as with another stride, begins with its last
  // rows; all other slices of a matrix arrived before.
  function automatic logic apart(input logic [15:0] address, input logic [15:0] first,
                                 input logic [15:0] beyond);
    return address <= first || address >= beyond;
  endfunction

  always_ff @(posedge clk) begin
    same_gelu <= gelu_of(item) == gelu_constants;
    takes_tile <= item.kind == ITEM_PASS && item.has_tile;
    source_related <= item.follow && item.source_base == written_base[BUFFER_WORK[2:0]]
        && apart(item.source_address, written_address[BUFFER_WORK[2:0]],
                 written_end[BUFFER_WORK[2:0]]);
    residual_related <= !compacted && item.residual_base == written_base[BUFFER_RESIDUAL[2:0]]
        && apart(item.residual_address, written_address[BUFFER_RESIDUAL[2:0]],
                 written_end[BUFFER_RESIDUAL[2:0]]);
    matrix_related <= !compacted && item.source_base == written_base[BUFFER_RESIDUAL[2:0]];
    seen <= item_valid && !start;
    may_start <= seen && ready && compared && !start;
    compared <= counted && !start;
    if (reset) counted <= 1'b1;
    else if (start) counted <= !has_rows;
    else if (row_valid) counted <= 1'b1;
  end

  // ---- Its rows --------------------------------------------------------------------------------
  logic needs_credit, no_credit;
  logic [15:0] rows_left;
  logic writes;  // this item's rows have results
  logic [TARGETS-1:0] writes_to;
  logic [3:0] target;
  time_t until_written;

  assign row_valid = active && !(needs_credit && no_credit);
  assign row_last = last_row;
  assign target = item.kind == ITEM_MEASURE ? BUFFER_RESIDUAL : item.target;

  always_ff @(posedge clk) begin
    if (start) begin
      current <= item;
      row <= '0;
      row_first <= 1'b1;
      rows_left <= item.rows;
      last_row <= item.rows == 16'd1;
      needs_credit <= item.kind == ITEM_PASS && item.last && item.target == BUFFER_OUTPUT;
      writes <= item.kind == ITEM_MEASURE || item.last;
      for (int t = 0; t < TARGETS; t++) writes_to[t] <= target[2:0] == 3'(t);
      until_written <= distance(target);
    end else if (row_valid) begin
      row <= row + 1'b1;
      row_first <= 1'b0;
      rows_left <= rows_left - 1'b1;
      last_row <= rows_left == 16'd2;
    end
    // A row may still go in the cycle in which this is found.
    no_credit <= under_way >= ($clog2(OUTPUT_DEPTH) + 1)'(OUTPUT_DEPTH - 1);
    normalise_start <= start && item.kind == ITEM_NORMALISE;

    if (reset) begin
      active <= 1'b0;
      under_way <= '0;
      normalise_start <= 1'b0;
    end else begin
      if (start) active <= has_rows;
      else if (row_valid && last_row) active <= 1'b0;
      under_way <= under_way + ($clog2(OUTPUT_DEPTH) + 1)'(row_valid && needs_credit)
          - ($clog2(OUTPUT_DEPTH) + 1)'(output_taken);
    end
  end

  // ---- What they leave behind ------------------------------------------------------------------
  assign work_settled = until_last[BUFFER_WORK[2:0]] == '0;
  assign value_settled = until_last[BUFFER_VALUE[2:0]] == '0;
  assign all_settled = until_last == '0 && !active;

  always_ff @(posedge clk) begin
    for (int t = 0; t < TARGETS; t++) begin
      if (!(&since_first[t])) since_first[t] <= since_first[t] + 1'b1;
      if (until_last[t] != '0) until_last[t] <= until_last[t] - 1'b1;
      if (row_valid && writes && writes_to[t]) begin
        until_last[t] <= until_written;
        // The mean comes on top of a matrix, whose rows may still be followed.
        if (row_first && !current.mean) begin
          since_first[t]  <= '0;
          written_base[t] <= current.kind == ITEM_MEASURE ? current.source_base
              : current.target_base;
          // What was measured had arrived.
          written_address[t] <= current.kind == ITEM_MEASURE ? '1 : current.target_address[15:0];
          written_end[t] <= current.target_address[15:0] + current.rows;
        end
      end
    end
    if (row_valid && row_first && !current.mean && writes && writes_to[BUFFER_RESIDUAL[2:0]]) begin
      compacted <= current.select;
    end
    if (until_mean != '0) until_mean <= until_mean - 1'b1;
    if (row_valid && current.summed) until_mean <= time_t'(AFTER_SUMMED - FOUND);

    // The last of it that a row needs is the ratio that it takes to the epilogue.
    if (until_free != '0) until_free <= until_free - 1'b1;
    table_free <= until_free <= time_t'(1);
    if (row_valid && current.kind == ITEM_PASS && current.source == SOURCE_SCORES) begin
      until_free <= time_t'(epilogue_at(LANES));
      table_free <= 1'b0;
    end

    if (start) since_start <= 3'd1;
    else if (!(&since_start)) since_start <= since_start + 1'b1;
    if (!(&since_normalise)) since_normalise <= since_normalise + 1'b1;
    if (start && item.kind == ITEM_NORMALISE) since_normalise <= '0;

    if (until_gelu != '0) until_gelu <= until_gelu - 1'b1;
    if (row_valid && current.kind == ITEM_PASS && current.gelu) begin
      until_gelu <= time_t'(AFTER_WRITE);
    end
    if (start && item.kind == ITEM_PASS && item.gelu) gelu_constants <= gelu_of(item);

    if (reset) begin
      until_last <= '0;
      since_first <= '0;
      since_normalise <= '0;
      since_start <= '1;
      until_gelu <= '0;
      until_mean <= '0;
      until_free <= '0;
      table_free <= 1'b1;
    end
  end

  // ---- Statistics, a cycle late ----------------------------------------------------------------
  logic waiting, waiting_pass, no_table;
  assign waiting = free && item_valid && !may_start;
  assign waiting_pass = waiting && item.kind == ITEM_PASS && (!item.has_tile || tile_ready);
  assign no_table = item.source == SOURCE_SCORES && !table_ready;

  always_ff @(posedge clk) begin
    waits[0] <= free && !item_valid;
    waits[1] <= waiting && item.kind == ITEM_PASS && item.has_tile && !tile_ready;
    waits[2] <= waiting_pass && !no_table;
    waits[3] <= waiting && (item.kind == ITEM_MEASURE || item.kind == ITEM_NORMALISE);
    waits[4] <= waiting_pass && no_table;
    waits[5] <= active && !row_valid;
  end

endmodule

// SPDX-License-Identifier: Apache-2.0
// Writes what each unit of the engine did when, for the first run after reset, to the file that the
// argument +events=FILE names. Cycles count from the start of the run. Two kinds of lines:
//
//   slice UNIT INSTRUCTION FIRST LAST
//       the unit worked on the instruction from cycle FIRST to LAST, with pauses perhaps
//   share INSTRUCTION FIRST LAST BUSY STARTUP ISSUE MEMORY TILE_LOAD PIPELINE NORMALISE SOFTMAX DRAIN
//       these cycles are the instruction's: in BUSY a row was sent; in the others none, by the cause
//       (hwgen/estimate/result.py explains them). Shares follow each other without a gap.
//   done CYCLES
module engine_trace
  import engine_pkg::*;
#(
    parameter int LANES = 64
) (
    input logic clk,
    input logic start,             // of a run, as the cycle counter sees it
    input logic done,
    input logic instruction,       // accepted by the sequencer
    input logic item_push,
    input logic item_pop,
    input logic load_push,
    input logic load_pop,
    input logic beat,              // taken by the loader
    input logic fill_push,
    input logic fill_pop,
    input logic fill_write,
    input logic row,               // sent
    input logic row_pass,          // through the array
    input logic normalise,
    input logic result,
    input logic leaving,           // a result on its way to memory
    input logic [6:0] waits
);

  typedef enum int {
    DECODE,
    WEIGHTS,
    KEYS_VALUES,
    ROWS,
    STATISTICS,
    RESULTS,
    OUTPUT
  } unit_t;
  localparam int UNITS = 7;

  typedef enum int {
    BUSY,
    STARTUP,
    ISSUE,
    MEMORY,
    TILE_LOAD,
    PIPELINE,
    NORMALISE,
    SOFTMAX_TABLE,
    DRAIN
  } cause_t;
  localparam int CAUSES = 9;
  localparam int RESULT_AT = result_at(LANES);

  function automatic string name(input int unit);
    case (unit)
      DECODE: return "decode";
      WEIGHTS: return "weights";
      KEYS_VALUES: return "keys_values";
      ROWS: return "rows";
      STATISTICS: return "statistics";
      RESULTS: return "results";
      default: return "output";
    endcase
  endfunction

  string path;
  int file;
  bit running;
  int now;

  int decoded;                     // instruction at the sequencer
  int items[$], loads[$], fills[$];  // instruction of each queued item, load and fill
  int issuing, loading, filling, leaving_from;
  int sent[RESULT_AT];             // instruction of the row sent in a cycle: a ring

  // A slice grows while its unit works on the same instruction.
  int slice_of[UNITS], slice_first[UNITS], slice_last[UNITS];
  int share_of, share_first, share[CAUSES];

  initial begin
    file = 0;
    running = 1'b0;
    if ($value$plusargs("events=%s", path)) begin
      file = $fopen(path, "w");
      if (file == 0) $fatal(1, "%s cannot be written", path);
    end
  end

  // Of this cycle. The loader's wait for the weight stream is what makes a tile late, or a LOAD long.
  function automatic cause_t cause;
    if (row) return BUSY;
    if (decoded < 0) return STARTUP;
    if (waits[6] && (waits[0] || waits[1])) return MEMORY;
    if (waits[1]) return TILE_LOAD;
    if (waits[2]) return PIPELINE;
    if (waits[3]) return NORMALISE;
    if (waits[4]) return SOFTMAX_TABLE;
    if (waits[5]) return DRAIN;
    return ISSUE;
  endfunction

  task automatic flush_slice(input int unit);
    if (slice_of[unit] >= 0) begin
      $fwrite(file, "slice %s %0d %0d %0d\n", name(unit), slice_of[unit], slice_first[unit],
              slice_last[unit]);
    end
  endtask

  task automatic work(input int unit, input int of);
    if (of != slice_of[unit]) begin
      flush_slice(unit);
      slice_of[unit] = of;
      slice_first[unit] = now;
    end
    slice_last[unit] = now;
  endtask

  task automatic flush_share;
    $fwrite(file, "share %0d %0d %0d", share_of, share_first, now - 1);
    for (int i = 0; i < CAUSES; i++) $fwrite(file, " %0d", share[i]);
    $fwrite(file, "\n");
    for (int i = 0; i < CAUSES; i++) share[i] = 0;
    share_first = now;
  endtask

  // Blocking assignments: this is a program that runs once a cycle, and nothing else writes these.
  /* verilator lint_off BLKSEQ */
  always_ff @(posedge clk) begin
    if (file != 0) begin
      if (start && !running) begin
        running = 1'b1;
        now = 0;
        decoded = -1;
        issuing = 0;
        share_of = 0;
        share_first = 0;
        for (int i = 0; i < UNITS; i++) slice_of[i] = -1;
        for (int i = 0; i < CAUSES; i++) share[i] = 0;
      end
      if (running) begin
        if (instruction) decoded++;
        if (item_push) items.push_back(decoded);
        if (load_push) loads.push_back(decoded);
        if (fill_push) fills.push_back(decoded);
        // Cycles without a row belong to the instruction that is waited for.
        if (!row) issuing = items.size() != 0 ? items[0] : decoded < 0 ? 0 : decoded;
        if (issuing != share_of) begin
          flush_share();
          share_of = issuing;
        end
        share[cause()]++;

        if (instruction || item_push || load_push) work(DECODE, decoded);
        if (beat) work(WEIGHTS, loading);
        if (fill_write) work(KEYS_VALUES, filling);
        if (row) work(ROWS, issuing);
        if (normalise) work(STATISTICS, issuing);
        if (result) begin
          leaving_from = sent[now%RESULT_AT];
          work(RESULTS, leaving_from);
        end
        if (leaving) work(OUTPUT, leaving_from);
        if (row && row_pass) sent[now%RESULT_AT] = issuing;

        if (item_pop) begin
          issuing = items.pop_front();
        end
        if (load_pop) loading = loads.pop_front();
        if (fill_pop) filling = fills.pop_front();
        now++;
        if (done) begin
          flush_share();
          for (int i = 0; i < UNITS; i++) flush_slice(i);
          $fwrite(file, "done %0d\n", now);
          $fclose(file);
          file = 0;
          running = 1'b0;
        end
      end
    end
  end
  /* verilator lint_on BLKSEQ */

endmodule

bind hwgen_engine engine_trace #(
    .LANES(LANES)
) engine_trace (
    .clk(ap_clk),
    .start,
    .done,
    .instruction(core.instruction_valid && core.instruction_ready),
    .item_push(core.item_push && core.item_push_ready),
    .item_pop(core.item_valid && core.item_ready),
    .load_push(core.load_push && core.load_push_ready),
    .load_pop(core.load_valid && core.load_ready),
    .beat(core.beat_valid && core.beat_ready),
    .fill_push(core.fill_push && core.fill_push_ready),
    .fill_pop(core.fill_valid && core.fill_ready),
    .fill_write(core.square_write),
    .row(core.row_valid),
    .row_pass(core.pass_row),
    .normalise(core.walk_active),
    .result(core.result_valid),
    .leaving(core.output_valid && core.output_ready),
    .waits(core.waits)
);

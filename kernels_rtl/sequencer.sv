// SPDX-License-Identifier: Apache-2.0
// Walks the program: checks each instruction, then cuts it into items for the issuer and tiles for
// filler and loader, as fast as their queues take them. docs/program.md, section 4.
//
// Loops, from the outside in:
//   MATMUL         output slice, reduction slice
//   ATTENTION      head; key tile, slice of the head (scores); slice of the head, key tile (values)
//   TOKEN_SELECT   slice
module sequencer
  import engine_pkg::*;
  import hwgen_program_pkg::*;
#(
    parameter int LANES = 64,
    parameter int MAX_ROWS = 1024,
    parameter int SCORE_DEPTH = 1024,
    parameter int RESIDUAL_DEPTH = 5632,
    parameter int WORK_DEPTH = 10240,
    parameter int VALUE_DEPTH = 4096
) (
    input logic clk,
    input logic reset,

    // Instructions, and why there is none.
    input  logic         instruction_valid,
    output logic         instruction_ready,
    input  logic [511:0] instruction_bits,
    input  logic [  7:0] instruction_error,
    input  logic         instruction_last,
    input  logic [ 31:0] output_vectors,

    output logic  item_valid,
    input  logic  item_ready,
    output item_t item,
    output logic  load_valid,
    input  logic  load_ready,
    output load_order_t load,
    output logic  fill_valid,  // with its load: where that fits in a queue, this does, too
    output fill_t fill,

    input logic everything_idle,  // a cycle ago: queues empty, nothing under way
    input logic item_taken,       // a cycle ago: an item of the queue has begun

    // The table of exponentials is filled anew. It stays while it is in use.
    output logic table_fill,
    output softmax_constants_t softmax_constants,
    input logic table_free,  // by all items that have begun

    // All rows of a selection's first slice are decided, and how many of them stay.
    input logic        selection_valid,
    input logic [15:0] selection_count,

    output logic       done,        // for one cycle
    output logic [7:0] error_code   // with it
);

  localparam int LANE_BITS = $clog2(LANES);
  localparam int TOKEN_REGISTERS = 15;
  localparam int MOST_ROWS = 2048;  // of a mean
  localparam int MOST_HEADS = LANES / 2 < 16 ? LANES / 2 : 16;  // of a selection

  typedef enum logic [4:0] {
    FETCH,
    CHECK,
    CHECK_OPERANDS,
    LOAD_BEGIN,
    LOAD_SENT,
    LOAD_END,
    MEASURE,
    NORMALISE,
    TILES,
    TILE_AGAIN,  // normalised rows plus residual operand: one read port, two passes
    TILE_MEAN,
    SOFTMAX,
    SCORES,
    VALUES,
    SELECT,
    SELECT_WAIT,   // for the rows that stay
    SELECT_COUNT,  // into its token register
    SELECT_END,
    PACKAGE,       // the mean of the rows dropped
    SELECT_NEXT,
    DISCARD,
    FINISH
  } state_t;

  state_t state;
  logic [511:0] bits;
  logic [7:0] fetched_error, error;
  logic fetched_last;
  logic arrived;  // an instruction, in the cycle before
  logic [7:0] opcode;
  logic [TOKEN_REGISTERS-1:0][15:0] tokens;

  set_tokens_t set_tokens;
  /* verilator lint_off UNUSEDSIGNAL */  // fields that fetch needs
  load_t load_op;
  matmul_t matmul;
  /* verilator lint_on UNUSEDSIGNAL */
  attention_t attention;
  token_select_t select;

  assign opcode = bits[7:0];
  assign set_tokens = decode_set_tokens(bits);
  assign load_op = decode_load(bits);
  assign matmul = decode_matmul(bits);
  assign attention = decode_attention(bits);
  assign select = decode_token_select(bits);

  // ---- Counts and addresses, from CHECK on -----------------------------------------------------
  logic is_matmul, is_attention, is_select;  // they come with the instruction
  logic [15:0] rows, keys, key_slices;
  // Values of the two offset registers, and addresses with them: of source or queries, destination,
  // keys, values. A seventeenth bit means out of range.
  logic [15:0] offset, second_offset;
  logic [16:0] first_slices;  // of the first source
  logic [16:0] source_start, destination_start, key_start, value_start;
  logic [39:0] beats;  // of the instruction, for a program that has failed

  // Register k - 1 for k, `none` for 0.
  function automatic logic [15:0] token(input logic [15:0] none, input logic [3:0] k,
                                        input logic [TOKEN_REGISTERS-1:0][15:0] from);
    logic [TOKEN_REGISTERS:0][15:0] choices;
    choices = {from, none};
    return choices[k];
  endfunction

  logic [3:0] rows_register, offset_register, second_offset_register;
  logic [15:0] rows_given, source_given, destination_given, destination_offset;

  always_comb begin
    unique case (1'b1)
      is_matmul: begin
        rows_given = matmul.rows;
        rows_register = matmul.rows_register;
        offset_register = matmul.source_offset_register;
      end
      is_attention: begin
        rows_given = attention.rows;
        rows_register = attention.rows_register;
        offset_register = attention.query_offset_register;
      end
      default: begin
        rows_given = select.rows;
        rows_register = select.rows_register;
        offset_register = select.source_offset_register;
      end
    endcase
    if (is_matmul) begin
      source_given = matmul.source_address;
      destination_given = matmul.destination_address;
      destination_offset = '0;
    end else if (is_select) begin
      source_given = select.source_address;
      destination_given = select.destination_address;
      destination_offset = second_offset;
    end else begin
      source_given = attention.query_address;
      destination_given = attention.destination_address;
      destination_offset = offset;
    end
    second_offset_register = is_attention ? attention.key_offset_register
        : select.destination_offset_register;
  end

  always_ff @(posedge clk) begin
    if (state == CHECK) begin
      rows <= token(rows_given, rows_register, tokens);
      keys <= token(attention.keys, attention.keys_register, tokens);
      offset <= token('0, offset_register, tokens);
      second_offset <= token('0, second_offset_register, tokens);
    end
    first_slices <= 17'(matmul.reduction_slices) - 17'(matmul.second_slices);
    key_slices <= 16'((17'(keys) + 17'(LANES - 1)) >> LANE_BITS);
    source_start <= 17'(source_given) + 17'(offset);
    destination_start <= 17'(destination_given) + 17'(destination_offset);
    key_start <= 17'(attention.key_address) + 17'(second_offset);
    value_start <= 17'(attention.value_address) + 17'(second_offset);
  end

  // ---- Legality --------------------------------------------------------------------------------
  logic wide;
  assign wide = matmul.destination_buffer == BUFFER_RESIDUAL
      || matmul.destination_buffer == BUFFER_OUTPUT;

  logic few_rows, few_rows_of_mean, whole_legal, checked, operands_legal;
  logic [8:0] forced_rows;
  logic [39:0] operand_beats;

  always_ff @(posedge clk) begin
    few_rows <= rows <= 16'(MAX_ROWS);
    few_rows_of_mean <= rows <= 16'(MOST_ROWS);
    forced_rows <= 9'(select.prefix) + 9'(select.packages);
    if (is_matmul) begin
      whole_legal <= few_rows && matmul.source_buffer == (matmul.normalise ? BUFFER_RESIDUAL : BUFFER_WORK)
          && !(matmul.gelu && wide) && !(matmul.residual && !wide)
          && !(matmul.second_slices != '0 && matmul.normalise)
          && !(matmul.mean && (matmul.destination_buffer != BUFFER_WORK || !few_rows_of_mean));
    end else if (is_select) begin
      whole_legal <= few_rows && few_rows_of_mean && select.heads <= 8'(MOST_HEADS)
          && 16'(forced_rows) <= rows;
    end else begin
      whole_legal <= few_rows;
    end
  end

  operand_check #(
      .LANES(LANES),
      .SCORE_DEPTH(SCORE_DEPTH),
      .RESIDUAL_DEPTH(RESIDUAL_DEPTH),
      .WORK_DEPTH(WORK_DEPTH),
      .VALUE_DEPTH(VALUE_DEPTH)
  ) operands (
      .clk,
      .reset,
      // No other instruction leaves steps behind that would be taken for the next one's.
      .start(state == CHECK && !fetched_last
          && (is_matmul || is_attention || is_select)),
      .is_matmul,
      .is_select,
      .matmul,
      .attention,
      .select,
      .rows,
      .keys,
      .key_slices,
      .first_slices,
      .source_start,
      .destination_start,
      .key_start,
      .value_start,
      .output_vectors,
      .done(checked),
      .legal(operands_legal),
      .beats(operand_beats)
  );

  // ---- Loops -----------------------------------------------------------------------------------
  // A loop's counter runs down; whether it is in its first and last round stands beside it.
  typedef struct packed {
    logic first;
    logic last;
    logic [15:0] left;  // rounds, this one with them
  } loop_t;

  function automatic loop_t begin_loop(input logic [15:0] rounds);
    return '{first: 1'b1, last: rounds == 16'd1, left: rounds};
  endfunction

  function automatic loop_t next_round(input logic [15:0] left);
    return '{first: 1'b0, last: left == 16'd2, left: left - 16'd1};
  endfunction

  loop_t outer, inner;  // output and reduction slice; slice of the head and key tile; slice
  loop_t head;
  logic [15:0] source_base, source, target, residual;  // addresses of the current slices
  logic in_second, to_second;  // this pass, and the next, reads the second source
  logic [15:0] second_left;  // rounds left where it begins
  logic [15:0] mean;  // address
  logic [15:0] query_head, value_head;  // first slice of the current head
  logic [15:0] tile_address, key_tile;  // of the tile; of the first slice of these keys
  logic [15:0] keys_left;  // keys of this tile and those after it
  logic [31:0] score_address;
  logic [7:0] tile_keys;

  assign to_second = inner.left == second_left;
  assign tile_keys = |keys_left[15:LANE_BITS] ? 8'(LANES) : 8'(keys_left[LANE_BITS-1:0]);

  // What is normalised, and how: means stay while the same matrix is read in the same way.
  logic measured, normalised;  // statistics and means are of the matrix below
  logic [15:0] measured_address, measured_stride, measured_slices, measured_rows, normalised_rows;
  logic [133:0] normalised_constants, constants;
  logic same_matrix, same_constants;
  assign constants = {
    matmul.columns,
    matmul.mean_multiplier,
    matmul.epsilon,
    matmul.normalise_multiplier,
    matmul.normalise_shift
  };
  always_ff @(posedge clk) same_matrix <= measured_address == source_start[15:0]
      && (measured_stride == matmul.source_stride || matmul.reduction_slices == 16'd1)
      && measured_slices == matmul.reduction_slices && measured_rows >= rows;
  always_ff @(posedge clk) begin
    same_constants <= normalised_constants == constants && normalised_rows >= rows;
  end

  logic two_passes;
  assign two_passes = matmul.normalise && matmul.residual;

  // The last matrix in the work buffer whose means were written between its slices. They came after
  // rows of the matrix, so a reader may follow only those.
  logic with_means, same_work, follow;
  logic [15:0] work_address, work_stride, work_slices, work_rows;
  always_ff @(posedge clk) begin
    same_work <= work_address == source_start[15:0]
        && (work_stride == matmul.source_stride || first_slices == 17'd1)
        && 17'(work_slices) >= first_slices
        && work_rows >= rows;
    follow <= !with_means || (is_matmul && same_work);
  end

  // ---- Means -----------------------------------------------------------------------------------
  logic ratio_start, ratio_done, ratio_ready;
  logic [15:0] ratio_rows, mean_multiplier;
  logic [5:0] mean_shift;
  logic [15:0] written, dropped, end_row;  // by a selection

  mean_ratio mean_ratio (
      .clk,
      .start(ratio_start),
      .count(ratio_rows),
      .done(ratio_done),
      .multiplier(mean_multiplier),
      .shift(mean_shift)
  );

  always_ff @(posedge clk) begin
    ratio_start <= checked || state == SELECT_COUNT;
    ratio_rows <= is_select ? dropped : rows;
    if (ratio_done && !ratio_start) ratio_ready <= 1'b1;
    if (checked || state == SELECT_COUNT) ratio_ready <= 1'b0;
  end

  // ---- Items that have not begun ---------------------------------------------------------------
  logic ready;  // for all that the state sends

  localparam int QUEUED_BITS = 3;
  typedef logic [QUEUED_BITS-1:0] queued_t;
  queued_t queued;
  queued_t since_work, since_value, since_scores;  // items since the last one that writes to the
                                                   // work or value buffer, or reads exponentials

  function automatic queued_t since(input queued_t items, input logic now);
    return now ? '0 : &items ? items : items + 1'b1;
  endfunction

  // Whether that one has.
  function automatic logic begun(input queued_t items);
    return queued <= items;
  endfunction

  always_ff @(posedge clk) begin
    queued <= queued + queued_t'(item_valid) - queued_t'(item_taken);
    if (item_valid) begin
      // Results of attention lie apart from its keys: they matter to later instructions alone.
      since_work <= since(since_work, item.last && item.target == BUFFER_WORK
          && (state != VALUES || (head.last && outer.last)));
      since_value <= since(since_value, item.last && item.target == BUFFER_VALUE);
      since_scores <= since(since_scores, item.source == SOURCE_SCORES);
    end
    table_fill <= state == SOFTMAX && ready;
    if (reset) begin
      queued <= '0;
      since_work <= '1;
      since_value <= '1;
      since_scores <= '1;
      table_fill <= 1'b0;
    end
  end

  assign softmax_constants = '{
      exponent_multiplier: attention.exponent_multiplier,
      output_multiplier: attention.output_multiplier,
      output_shift: attention.output_shift
  };

  // ---- Items, tiles ----------------------------------------------------------------------------
  // Fills look at what has begun: they must not overtake an item that writes their tile. No item of
  // the attention itself does, so that SOFTMAX waits for keys.
  assign fill_valid = item_ready && load_ready
      && (state == SCORES || (state == VALUES && begun(since_value)));

  always_comb begin
    unique case (state)
      MEASURE, NORMALISE, TILE_AGAIN, SELECT: item_valid = item_ready;
      TILE_MEAN, PACKAGE: item_valid = item_ready && ratio_ready;
      TILES: item_valid = item_ready && load_ready;
      default: item_valid = fill_valid;
    endcase
    unique case (state)
      SOFTMAX: ready = table_free && begun(since_scores) && begun(since_work);
      LOAD_BEGIN: ready = load_ready && everything_idle;
      DISCARD: ready = load_ready && everything_idle && beats != '0;
      default: ready = item_valid;
    endcase
  end
  assign load_valid = fill_valid || (state == TILES && item_ready && load_ready)
      || (load_ready && everything_idle
          && (state == LOAD_BEGIN || (state == DISCARD && beats != '0)));

  always_comb begin
    item = '0;
    item.rows = rows;
    item.source_base = source_base;
    item.source_address = source;
    item.follow = 1'b1;
    item.gelu_one = matmul.gelu_one;
    item.gelu_slope = matmul.gelu_slope;
    item.gelu_multiplier = matmul.gelu_multiplier;
    item.gelu_shift = matmul.gelu_shift;
    item.columns = matmul.columns;
    item.mean_multiplier = matmul.mean_multiplier;
    item.epsilon = matmul.epsilon;
    item.normalise_multiplier = matmul.normalise_multiplier;
    item.normalise_shift = matmul.normalise_shift;
    item.first_slice = inner.first;
    item.last_slice = inner.last;
    item.keys = tile_keys;
    item.target_base = destination_start[15:0];
    item.target_address = 32'(target);
    item.target_first = outer.first;
    item.target_last = outer.last;
    item.row_multiplier = attention.score_multiplier;
    item.row_shift = attention.score_shift;
    item.residual_base = matmul.residual_address;
    item.residual_address = residual;
    item.prefix = select.prefix;
    item.scored_end = rows - 16'(select.packages);
    item.merge = select.merge;
    item.heads = select.heads;
    item.threshold = select.threshold;
    item.limit = select.limit;
    unique case (state)
      MEASURE: begin
        item.kind = ITEM_MEASURE;
        item.source = SOURCE_RESIDUAL;
      end
      NORMALISE: item.kind = ITEM_NORMALISE;
      TILES, TILE_AGAIN: begin
        item.kind = ITEM_PASS;
        item.source = state == TILE_AGAIN ? SOURCE_NONE
            : matmul.normalise ? SOURCE_RESIDUAL : SOURCE_WORK;
        item.follow = follow && !in_second;
        item.again = !outer.first;
        item.broadcast = in_second && matmul.second_broadcast;
        item.has_tile = state == TILES;
        item.first = state == TILES && inner.first;
        item.last = inner.last && (state == TILE_AGAIN || !two_passes);
        item.has_channels = item.last;
        item.narrow = !wide;
        item.gelu = matmul.gelu && item.last;
        item.residual = matmul.residual && item.last;
        item.target = matmul.destination_buffer;
        item.summed = matmul.mean && item.last;
      end
      TILE_MEAN, PACKAGE: begin
        item.kind = ITEM_PASS;
        item.rows = 16'd1;
        item.source = SOURCE_NONE;
        item.first = 1'b1;
        item.last = 1'b1;
        item.mean = 1'b1;
        item.by_row = 1'b1;
        item.row_multiplier = mean_multiplier;
        item.row_shift = mean_shift;
        item.narrow = state == TILE_MEAN;
        item.target = state == TILE_MEAN ? BUFFER_WORK : BUFFER_RESIDUAL;
        if (state == TILE_MEAN) item.target_address = 32'(mean);
      end
      SELECT: begin
        item.kind = ITEM_PASS;
        item.source = SOURCE_NONE;
        item.follow = follow;
        item.again = !outer.first;
        item.first = 1'b1;
        item.last = 1'b1;
        item.select = 1'b1;
        item.summed = 1'b1;
        item.by_row = 1'b1;
        item.row_shift = 6'd1;  // of zero
        item.residual = 1'b1;
        item.target = BUFFER_RESIDUAL;
      end
      SCORES: begin
        item.kind = ITEM_PASS;
        item.source = SOURCE_WORK;
        item.has_tile = 1'b1;
        item.first = inner.first;
        item.last = inner.last;
        item.by_row = 1'b1;
        item.narrow = 1'b1;
        item.target = TARGET_SCORES;
        item.target_address = score_address;
      end
      default: begin  // VALUES
        item.kind = ITEM_PASS;
        item.source = SOURCE_SCORES;
        item.source_address = score_address[15:0];
        item.has_tile = 1'b1;
        item.first = inner.first;
        item.last = inner.last;
        item.by_row = 1'b1;
        item.by_ratio = 1'b1;
        item.narrow = 1'b1;
        item.target = BUFFER_WORK;
      end
    endcase
  end

  always_comb begin
    load = '0;
    unique case (state)
      LOAD_BEGIN: begin
        load.kind = load_op.destination_buffer == BUFFER_RESIDUAL ? LOAD_RESIDUAL : LOAD_WORK;
        load.offset_binary = load_op.offset_binary;
        load.address = load_op.destination_address;
        load.beats = beats;
      end
      DISCARD: begin
        load.kind  = LOAD_DISCARD;
        load.beats = beats;
      end
      TILES: begin
        load.kind = LOAD_TILE;
        load.parameters = inner.first;
        load.beats = inner.first ? 40'(LANES + 8) : 40'(LANES);
      end
      default: begin
        load.kind = LOAD_SQUARE;
        load.transposed = state == VALUES;
        load.beats = 40'(LANES);
      end
    endcase
    fill.from_value = state == VALUES;
    fill.address = tile_address;
    fill.rows = tile_keys;
    // Results of attention are apart from its keys and values.
    fill.again = !head.first;
  end

  assign instruction_ready = state == FETCH && !arrived;
  assign done = state == FINISH && everything_idle;
  assign error_code = error;

  // What follows a legal instruction.
  state_t first_state;
  always_comb begin
    if (is_select) first_state = SELECT;
    else if (!is_matmul) first_state = SOFTMAX;
    else if (!matmul.normalise || (measured && same_matrix && normalised && same_constants)) begin
      first_state = TILES;
    end else if (measured && same_matrix) first_state = NORMALISE;
    else first_state = MEASURE;
  end

  // First slice of the next head's keys: one stride on for each slice of this head.
  logic [15:0] key_next;
  always_ff @(posedge clk) begin
    if (state == CHECK_OPERANDS) key_next <= key_start[15:0];
    else if (state == SCORES && ready && outer.first) key_next <= key_next + attention.key_stride;
  end

  always_ff @(posedge clk) begin
    unique case (state)
      FETCH: begin
        arrived <= instruction_valid && !arrived;
        if (!arrived) begin
          bits <= instruction_bits;
          is_matmul <= instruction_bits[7:0] == OPCODE_MATMUL;
          is_attention <= instruction_bits[7:0] == OPCODE_ATTENTION;
          is_select <= instruction_bits[7:0] == OPCODE_TOKEN_SELECT;
          fetched_error <= instruction_error;
          fetched_last <= instruction_last;
        end
        if (arrived) state <= CHECK;
      end

      CHECK: begin
        beats <= load_op.destination_buffer == BUFFER_RESIDUAL ? {7'b0, load_op.vectors, 1'b0}
            : 40'(load_op.vectors);
        if (fetched_last) begin
          if (error == ERROR_NONE) error <= fetched_error;
          state <= FINISH;
        end else begin
          unique case (opcode)
            OPCODE_SET_TOKENS: begin
              if (error == ERROR_NONE) begin
                if (set_tokens.register_ >= 4'(TOKEN_REGISTERS)) error <= ERROR_OUT_OF_RANGE;
                else tokens[set_tokens.register_] <= set_tokens.rows;
              end
              state <= FETCH;
            end
            // Fetch has checked it.
            OPCODE_LOAD: state <= error == ERROR_NONE ? LOAD_BEGIN : DISCARD;
            default: state <= CHECK_OPERANDS;
          endcase
        end
      end

      CHECK_OPERANDS: begin
        head <= begin_loop(attention.heads);
        source_base <= is_select ? select.score_address : source_start[15:0];
        source <= is_select ? select.score_address : source_start[15:0];
        target <= destination_start[15:0];
        residual <= is_select ? source_start[15:0] : matmul.residual_address;
        in_second <= 1'b0;
        second_left <= 16'(matmul.second_slices) + 16'd1;
        mean <= matmul.mean_address;
        query_head <= source_start[15:0];
        value_head <= value_start[15:0];
        tile_address <= key_start[15:0];
        key_tile <= key_start[15:0];
        keys_left <= keys;
        score_address <= '0;
        inner <= begin_loop(is_matmul ? matmul.reduction_slices : 16'(attention.head_slices));
        outer <= begin_loop(is_matmul ? matmul.output_slices : is_select ? select.slices : key_slices);
        beats <= operand_beats;
        if (checked) begin
          if (error != ERROR_NONE) begin
            state <= DISCARD;
          end else if (!whole_legal || !operands_legal) begin
            error <= ERROR_OUT_OF_RANGE;
            state <= DISCARD;
          end else begin
            state <= first_state;
          end
        end
      end

      LOAD_BEGIN:
      if (ready) begin
        state <= LOAD_SENT;
        if (load_op.destination_buffer == BUFFER_RESIDUAL) measured <= 1'b0;
      end
      DISCARD:
      if (beats == '0) state <= FETCH;
      else if (ready) state <= LOAD_SENT;
      LOAD_SENT: state <= LOAD_END;  // everything_idle is a cycle late
      LOAD_END: if (everything_idle) state <= FETCH;

      MEASURE:
      if (ready) begin
        inner  <= next_round(inner.left);
        source <= source + matmul.source_stride;
        if (inner.last) begin
          inner <= begin_loop(matmul.reduction_slices);
          source <= source_base;
          measured <= 1'b1;
          measured_address <= source_base;
          measured_stride <= matmul.source_stride;
          measured_slices <= matmul.reduction_slices;
          measured_rows <= rows;
          state <= NORMALISE;
        end
      end

      NORMALISE:
      if (ready) begin
        normalised <= 1'b1;
        normalised_constants <= constants;
        normalised_rows <= rows;
        state <= TILES;
      end

      TILES, TILE_AGAIN, TILE_MEAN:
      if (ready) begin
        if (inner.last && two_passes && state == TILES) begin
          state <= TILE_AGAIN;
        end else if (inner.last && matmul.mean && state == TILES) begin
          state <= TILE_MEAN;
        end else begin
          inner <= next_round(inner.left);
          in_second <= in_second || to_second;
          if (to_second) source <= matmul.second_address;
          else if (in_second && matmul.second_broadcast) source <= source + 1'b1;
          else source <= source + matmul.source_stride;
          state <= TILES;
          if (inner.last) begin
            inner <= begin_loop(matmul.reduction_slices);
            in_second <= 1'b0;
            source <= source_base;
            outer <= next_round(outer.left);
            target <= target + matmul.destination_stride;
            residual <= residual + matmul.residual_stride;
            mean <= mean + 1'b1;
            if (outer.last) begin
              state <= FETCH;
              if (matmul.destination_buffer == BUFFER_WORK) begin
                with_means <= matmul.mean;
                work_address <= matmul.destination_address;
                work_stride <= matmul.destination_stride;
                work_slices <= matmul.output_slices;
                work_rows <= rows;
              end
              // The statistics of what was written were gathered on the way.
              if (matmul.destination_buffer == BUFFER_RESIDUAL) begin
                measured <= 1'b1;
                normalised <= 1'b0;
                measured_address <= matmul.destination_address;
                measured_stride <= matmul.destination_stride;
                measured_slices <= matmul.output_slices;
                measured_rows <= rows;
              end
            end
          end
        end
      end

      SOFTMAX: if (ready) state <= SCORES;

      SCORES:
      if (ready) begin
        inner <= next_round(inner.left);
        source <= source + attention.query_stride;
        tile_address <= tile_address + attention.key_stride;
        if (inner.last) begin
          inner <= begin_loop(16'(attention.head_slices));
          source <= query_head;
          outer <= next_round(outer.left);
          keys_left <= keys_left - 16'(LANES);
          key_tile <= key_tile + 16'(LANES);
          tile_address <= key_tile + 16'(LANES);
          score_address <= score_address + 32'(rows);
          if (outer.last) begin
            inner <= begin_loop(key_slices);
            outer <= begin_loop(16'(attention.head_slices));
            keys_left <= keys;
            score_address <= '0;
            tile_address <= value_head;
            state <= VALUES;
          end
        end
        // The next head's first query follows this one's last slice.
        if (inner.last && outer.last) query_head <= source + attention.query_stride;
      end

      VALUES:
      if (ready) begin
        inner <= next_round(inner.left);
        keys_left <= keys_left - 16'(LANES);
        score_address <= score_address + 32'(rows);
        tile_address <= tile_address + 16'(LANES);
        if (inner.last) begin
          inner <= begin_loop(key_slices);
          keys_left <= keys;
          score_address <= '0;
          outer <= next_round(outer.left);
          value_head <= value_head + attention.value_stride;
          tile_address <= value_head + attention.value_stride;
          target <= target + attention.destination_stride;
          if (outer.last) begin
            inner <= begin_loop(16'(attention.head_slices));
            outer <= begin_loop(key_slices);
            head <= next_round(head.left);
            source <= query_head;
            tile_address <= key_next;
            key_tile <= key_next;
            state <= head.last ? FETCH : SCORES;
            with_means <= 1'b0;
          end
        end
      end

      SELECT:
      if (ready) state <= outer.first ? SELECT_WAIT : select.package_ ? PACKAGE : SELECT_NEXT;

      SELECT_WAIT: begin
        written <= selection_count + 16'(select.package_);
        dropped <= rows - selection_count;
        if (selection_valid) state <= SELECT_COUNT;
      end

      SELECT_COUNT: begin
        if (select.count_register != '0) tokens[select.count_register-4'd1] <= written;
        end_row <= written + second_offset;
        state   <= SELECT_END;
      end

      SELECT_END: begin
        if (select.end_register != '0) tokens[select.end_register-4'd1] <= end_row;
        measured <= 1'b1;
        normalised <= 1'b0;
        measured_address <= destination_start[15:0];
        measured_stride <= select.destination_stride;
        measured_slices <= select.slices;
        measured_rows <= written;
        state <= select.package_ ? PACKAGE : SELECT_NEXT;
      end

      PACKAGE: if (ready) state <= SELECT_NEXT;

      SELECT_NEXT: begin
        outer <= next_round(outer.left);
        target <= target + select.destination_stride;
        residual <= residual + select.source_stride;
        state <= outer.last ? FETCH : SELECT;
      end

      default:  // FINISH
      if (everything_idle) begin
        state <= FETCH;
        error <= ERROR_NONE;
        measured <= 1'b0;
        normalised <= 1'b0;
        with_means <= 1'b0;
        tokens <= '0;
      end
    endcase

    if (reset) begin
      state <= FETCH;
      arrived <= 1'b0;
      error <= ERROR_NONE;
      measured <= 1'b0;
      normalised <= 1'b0;
      with_means <= 1'b0;
      tokens <= '0;
    end
  end

endmodule

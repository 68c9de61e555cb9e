// SPDX-License-Identifier: Apache-2.0
// Walks the program: checks each instruction, then cuts it into items for the issuer and tiles for
// filler and loader, as fast as their queues take them. docs/program.md, section 4.
//
// Loops, from the outside in:
//   MATMUL      output slice, reduction slice
//   ATTENTION   head; key tile, slice of the head (scores); slice of the head, key tile (values)
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
    output logic  fill_valid,
    input  logic  fill_ready,
    output fill_t fill,

    input logic everything_idle,  // a cycle ago: queues empty, nothing under way
    input logic items_taken,      // a cycle ago: the queue of items was empty

    output logic       done,        // for one cycle
    output logic [7:0] error_code   // with it
);

  localparam int LANE_BITS = $clog2(LANES);
  localparam int TOKEN_REGISTERS = 8;

  typedef enum logic [3:0] {
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
    SOFTMAX,
    SCORES,
    VALUES,
    DISCARD,
    FINISH
  } state_t;

  state_t state;
  logic [511:0] bits;
  logic [7:0] fetched_error, error;
  logic fetched_last;
  logic arrived;  // an instruction, in the cycle before
  logic [7:0] opcode;
  logic [15:0] tokens[TOKEN_REGISTERS];

  set_tokens_t set_tokens;
  /* verilator lint_off UNUSEDSIGNAL */  // fields that fetch needs
  load_t load_op;
  matmul_t matmul;
  /* verilator lint_on UNUSEDSIGNAL */
  attention_t attention;

  assign opcode = bits[7:0];
  assign set_tokens = decode_set_tokens(bits);
  assign load_op = decode_load(bits);
  assign matmul = decode_matmul(bits);
  assign attention = decode_attention(bits);

  // ---- Counts, from CHECK on -------------------------------------------------------------------
  logic is_matmul;
  logic [15:0] rows, keys, key_slices;
  logic [39:0] beats;  // of the instruction, for a program that has failed

  function automatic logic [15:0] count_of(input logic [15:0] given, input logic [3:0] selector,
                                           input logic [15:0] of_register);
    return selector == '0 ? given : of_register;
  endfunction

  logic [3:0] rows_register;
  logic [15:0] rows_given;
  assign rows_register = opcode == OPCODE_MATMUL ? matmul.rows_register : attention.rows_register;
  assign rows_given = opcode == OPCODE_MATMUL ? matmul.rows : attention.rows;

  always_ff @(posedge clk) begin
    if (state == CHECK) begin
      is_matmul <= opcode == OPCODE_MATMUL;
      rows <= count_of(rows_given, rows_register, tokens[3'(rows_register-4'd1)]);
      keys <= count_of(attention.keys, attention.keys_register,
                       tokens[3'(attention.keys_register-4'd1)]);
    end
    key_slices <= 16'((17'(keys) + 17'(LANES - 1)) >> LANE_BITS);
  end

  // ---- Legality --------------------------------------------------------------------------------
  logic wide;
  assign wide = matmul.destination_buffer == BUFFER_RESIDUAL
      || matmul.destination_buffer == BUFFER_OUTPUT;

  logic whole_legal, checked, operands_legal;
  logic [39:0] operand_beats;

  always_ff @(posedge clk) begin
    if (is_matmul) begin
      whole_legal <= matmul.rows_register <= 4'(TOKEN_REGISTERS)
          && matmul.source_buffer == (matmul.normalise ? BUFFER_RESIDUAL : BUFFER_WORK)
          && rows <= 16'(MAX_ROWS) && !(matmul.gelu && wide) && !(matmul.residual && !wide);
    end else begin
      whole_legal <= attention.rows_register <= 4'(TOKEN_REGISTERS)
          && attention.keys_register <= 4'(TOKEN_REGISTERS) && rows <= 16'(MAX_ROWS);
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
          && (opcode == OPCODE_MATMUL || opcode == OPCODE_ATTENTION)),
      .is_matmul,
      .matmul,
      .attention,
      .rows,
      .keys,
      .key_slices,
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

  loop_t outer, inner;  // output and reduction slice; slice of the head and key tile
  /* verilator lint_off UNUSEDSIGNAL */  // nobody asks for the first head
  loop_t head;
  /* verilator lint_on UNUSEDSIGNAL */
  logic [15:0] source, target, residual;  // addresses of the current slices
  logic [15:0] query_head, value_head;  // first slice of the current head
  logic [15:0] tile_address, key_tile;  // of the tile; of the first slice of these keys
  logic [15:0] keys_left;  // keys of this tile and those after it
  logic [31:0] score_address;
  logic [7:0] tile_keys;

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
  always_ff @(posedge clk) same_matrix <= measured_address == matmul.source_address
      && (measured_stride == matmul.source_stride || matmul.reduction_slices == 16'd1)
      && measured_slices == matmul.reduction_slices && measured_rows >= rows;
  always_ff @(posedge clk) begin
    same_constants <= normalised_constants == constants && normalised_rows >= rows;
  end

  logic two_passes;
  assign two_passes = matmul.normalise && matmul.residual;

  // ---- Items, tiles ----------------------------------------------------------------------------
  logic ready;  // for all that the state sends
  always_comb begin
    unique case (state)
      MEASURE, NORMALISE, TILE_AGAIN: ready = item_ready;
      // Fills look at what has been issued: they must not overtake an item that writes their tile.
      SOFTMAX: ready = item_ready && items_taken;
      TILES: ready = item_ready && load_ready;
      SCORES, VALUES: ready = item_ready && load_ready && fill_ready;
      LOAD_BEGIN: ready = load_ready && everything_idle;
      DISCARD: ready = load_ready && everything_idle && beats != '0;
      default: ready = 1'b0;
    endcase
  end
  assign item_valid = ready && state != LOAD_BEGIN && state != DISCARD;
  assign load_valid = ready && (state == TILES || state == SCORES || state == VALUES
      || state == LOAD_BEGIN || state == DISCARD);
  assign fill_valid = ready && (state == SCORES || state == VALUES);

  always_comb begin
    item = '0;
    item.rows = rows;
    item.source_base = matmul.source_address;
    item.source_address = source;
    item.gelu_one = matmul.gelu_one;
    item.gelu_slope = matmul.gelu_slope;
    item.gelu_multiplier = matmul.gelu_multiplier;
    item.gelu_shift = matmul.gelu_shift;
    item.columns = matmul.columns;
    item.mean_multiplier = matmul.mean_multiplier;
    item.epsilon = matmul.epsilon;
    item.normalise_multiplier = matmul.normalise_multiplier;
    item.normalise_shift = matmul.normalise_shift;
    item.exponent_multiplier = attention.exponent_multiplier;
    item.output_multiplier = attention.output_multiplier;
    item.output_shift = attention.output_shift;
    item.first_slice = inner.first;
    item.last_slice = inner.last;
    item.keys = tile_keys;
    unique case (state)
      MEASURE: begin
        item.kind = ITEM_MEASURE;
        item.source = SOURCE_RESIDUAL;
      end
      NORMALISE: item.kind = ITEM_NORMALISE;
      SOFTMAX: item.kind = ITEM_SOFTMAX;
      TILES, TILE_AGAIN: begin
        item.kind = ITEM_PASS;
        item.source = state == TILE_AGAIN ? SOURCE_NONE
            : matmul.normalise ? SOURCE_RESIDUAL : SOURCE_WORK;
        item.has_tile = state == TILES;
        item.first = state == TILES && inner.first;
        item.last = inner.last && (state == TILE_AGAIN || !two_passes);
        item.has_channels = item.last;
        item.narrow = !wide;
        item.gelu = matmul.gelu && item.last;
        item.residual = matmul.residual && item.last;
        item.residual_base = matmul.residual_address;
        item.residual_address = residual;
        item.target = matmul.destination_buffer;
        item.target_base = matmul.destination_address;
        item.target_address = 32'(target);
        item.target_first = outer.first;
        item.target_last = outer.last;
      end
      SCORES: begin
        item.kind = ITEM_PASS;
        item.source = SOURCE_WORK;
        item.source_base = attention.query_address;
        item.has_tile = 1'b1;
        item.first = inner.first;
        item.last = inner.last;
        item.by_row = 1'b1;
        item.row_multiplier = attention.score_multiplier;
        item.row_shift = attention.score_shift;
        item.narrow = 1'b1;
        item.target = TARGET_SCORES;
        item.target_address = score_address;
        item.target_first = outer.first;
        item.target_last = outer.last;
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
        item.target_base = attention.destination_address;
        item.target_address = 32'(target);
        item.target_first = outer.first;
        item.target_last = outer.last;
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
  end

  assign instruction_ready = state == FETCH && !arrived;
  assign done = state == FINISH && everything_idle;
  assign error_code = error;

  // What follows a legal instruction.
  state_t first_state;
  always_comb begin
    if (!is_matmul) first_state = SOFTMAX;
    else if (!matmul.normalise || (measured && same_matrix && normalised && same_constants)) begin
      first_state = TILES;
    end else if (measured && same_matrix) first_state = NORMALISE;
    else first_state = MEASURE;
  end

  // First slice of the next head's keys: one stride on for each slice of this head.
  logic [15:0] key_next;
  always_ff @(posedge clk) begin
    if (state == CHECK_OPERANDS) key_next <= attention.key_address;
    else if (state == SCORES && ready && outer.first) key_next <= key_next + attention.key_stride;
  end

  always_ff @(posedge clk) begin
    unique case (state)
      FETCH: begin
        arrived <= instruction_valid && !arrived;
        if (!arrived) begin
          bits <= instruction_bits;
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
                else tokens[set_tokens.register_[2:0]] <= set_tokens.rows;
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
        source <= is_matmul ? matmul.source_address : attention.query_address;
        target <= is_matmul ? matmul.destination_address : attention.destination_address;
        residual <= matmul.residual_address;
        query_head <= attention.query_address;
        value_head <= attention.value_address;
        tile_address <= attention.key_address;
        key_tile <= attention.key_address;
        keys_left <= keys;
        score_address <= '0;
        inner <= begin_loop(is_matmul ? matmul.reduction_slices : 16'(attention.head_slices));
        outer <= begin_loop(is_matmul ? matmul.output_slices : key_slices);
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
          source <= matmul.source_address;
          measured <= 1'b1;
          measured_address <= matmul.source_address;
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

      TILES, TILE_AGAIN:
      if (ready) begin
        if (inner.last && two_passes && state == TILES) begin
          state <= TILE_AGAIN;
        end else begin
          inner  <= next_round(inner.left);
          source <= source + matmul.source_stride;
          state  <= TILES;
          if (inner.last) begin
            inner <= begin_loop(matmul.reduction_slices);
            source <= matmul.source_address;
            outer <= next_round(outer.left);
            target <= target + matmul.destination_stride;
            residual <= residual + matmul.residual_stride;
            if (outer.last) begin
              state <= FETCH;
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
          end
        end
      end

      default:  // FINISH
      if (everything_idle) begin
        state <= FETCH;
        error <= ERROR_NONE;
        measured <= 1'b0;
        normalised <= 1'b0;
        for (int i = 0; i < TOKEN_REGISTERS; i++) tokens[i] <= '0;
      end
    endcase

    if (reset) begin
      state <= FETCH;
      arrived <= 1'b0;
      error <= ERROR_NONE;
      measured <= 1'b0;
      normalised <= 1'b0;
      for (int i = 0; i < TOKEN_REGISTERS; i++) tokens[i] <= '0;
    end
  end

endmodule

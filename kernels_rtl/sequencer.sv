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
    output load_t load,
    output logic  fill_valid,
    input  logic  fill_ready,
    output fill_t fill,

    input logic everything_idle,  // queues empty, nothing under way

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
  logic [7:0] opcode;
  logic [15:0] tokens[TOKEN_REGISTERS];

  set_tokens_t set_tokens;
  /* verilator lint_off UNUSEDSIGNAL */  // fields that fetch needs
  hwgen_program_pkg::load_t load_op;
  matmul_t matmul;
  /* verilator lint_on UNUSEDSIGNAL */
  attention_t attention;

  assign opcode = bits[7:0];
  assign set_tokens = decode_set_tokens(bits);
  assign load_op = decode_load(bits);
  assign matmul = decode_matmul(bits);
  assign attention = decode_attention(bits);

  // ---- Counts --------------------------------------------------------------------------------
  function automatic logic [15:0] count_of(input logic [15:0] given, input logic [3:0] selector,
                                           input logic [15:0] of_register);
    return selector == '0 ? given : of_register;
  endfunction

  logic [3:0] rows_selector;
  logic [15:0] rows, keys, key_slices;
  assign rows_selector = opcode == OPCODE_MATMUL ? matmul.rows_register : attention.rows_register;
  assign rows = count_of(opcode == OPCODE_MATMUL ? matmul.rows : attention.rows, rows_selector,
                         tokens[3'(rows_selector - 4'd1)]);
  assign keys = count_of(attention.keys, attention.keys_register,
                         tokens[3'(attention.keys_register - 4'd1)]);
  assign key_slices = 16'((17'(keys) + 17'(LANES - 1)) >> LANE_BITS);

  // ---- Beats of the instruction, for a program that has failed ---------------------------------
  logic [39:0] instruction_beats;
  always_comb begin
    unique case (opcode)
      OPCODE_LOAD:
      instruction_beats = load_op.destination_buffer == BUFFER_RESIDUAL
          ? {7'b0, load_op.vectors, 1'b0} : 40'(load_op.vectors);
      OPCODE_MATMUL:
      instruction_beats = 40'(matmul.output_slices)
          * (40'd8 + (40'(matmul.reduction_slices) << LANE_BITS));
      default: instruction_beats = '0;
    endcase
  end

  // ---- Legality, one operand a cycle -----------------------------------------------------------
  logic [1:0] operand;
  logic [3:0] operand_buffer;
  logic [15:0] operand_address, operand_stride, operand_rows;
  logic [23:0] operand_slices;
  logic [31:0] operand_depth;
  logic operand_used, operand_fits, whole_legal;
  logic [47:0] operand_end;
  logic [23:0] head_slices;

  assign head_slices = attention.heads * 24'(attention.head_slices);

  always_comb begin
    operand_buffer  = BUFFER_WORK;
    operand_address = '0;
    operand_stride  = '0;
    operand_slices  = head_slices;
    operand_rows    = rows;
    operand_used    = 1'b1;
    if (opcode == OPCODE_MATMUL) begin
      unique case (operand)
        2'd0: begin
          operand_buffer  = matmul.source_buffer;
          operand_address = matmul.source_address;
          operand_stride  = matmul.source_stride;
          operand_slices  = 24'(matmul.reduction_slices);
        end
        2'd1: begin
          operand_buffer  = matmul.destination_buffer;
          operand_address = matmul.destination_address;
          operand_stride  = matmul.destination_stride;
          operand_slices  = 24'(matmul.output_slices);
        end
        default: begin
          operand_buffer  = BUFFER_RESIDUAL;
          operand_address = matmul.residual_address;
          operand_stride  = matmul.residual_stride;
          operand_slices  = 24'(matmul.output_slices);
          operand_used    = matmul.residual;
        end
      endcase
    end else begin
      unique case (operand)
        2'd0: begin
          operand_address = attention.query_address;
          operand_stride  = attention.query_stride;
        end
        2'd1: begin
          operand_address = attention.key_address;
          operand_stride  = attention.key_stride;
          operand_rows    = keys;
        end
        2'd2: begin
          operand_buffer  = BUFFER_VALUE;
          operand_address = attention.value_address;
          operand_stride  = attention.value_stride;
          operand_rows    = keys;
        end
        default: begin
          operand_address = attention.destination_address;
          operand_stride  = attention.destination_stride;
        end
      endcase
    end
    unique case (operand_buffer)
      BUFFER_RESIDUAL: operand_depth = 32'(RESIDUAL_DEPTH);
      BUFFER_WORK: operand_depth = 32'(WORK_DEPTH);
      BUFFER_VALUE: operand_depth = 32'(VALUE_DEPTH);
      default: operand_depth = output_vectors;
    endcase
    operand_end = 48'(operand_address) + 48'(operand_slices - 24'd1) * 48'(operand_stride)
        + 48'(operand_rows);
    operand_fits = !operand_used || (operand_slices != '0 && operand_rows != '0
        && (operand_slices == 24'd1 || operand_stride >= operand_rows)
        && operand_end <= 48'(operand_depth));
  end

  logic wide;
  assign wide = matmul.destination_buffer == BUFFER_RESIDUAL
      || matmul.destination_buffer == BUFFER_OUTPUT;

  always_comb begin
    if (opcode == OPCODE_MATMUL) begin
      whole_legal = matmul.rows_register <= 4'(TOKEN_REGISTERS)
          && matmul.source_buffer == (matmul.normalise ? BUFFER_RESIDUAL : BUFFER_WORK)
          && rows <= 16'(MAX_ROWS) && !(matmul.gelu && wide) && !(matmul.residual && !wide);
    end else begin
      whole_legal = attention.rows_register <= 4'(TOKEN_REGISTERS)
          && attention.keys_register <= 4'(TOKEN_REGISTERS) && rows <= 16'(MAX_ROWS)
          && 32'(rows) * 32'(key_slices) <= 32'(SCORE_DEPTH);
    end
  end

  // ---- Loops -----------------------------------------------------------------------------------
  logic [15:0] outer, inner;  // output and reduction slice; slice of the head and key tile
  logic [15:0] head;
  logic [15:0] source, target, residual;  // addresses of the current slices
  logic [15:0] query_head, key_head, value_head;  // first slice of the current head
  logic [15:0] tile_address;
  logic [15:0] keys_before;  // keys of earlier tiles
  logic [31:0] score_address;
  logic last_inner, last_outer;

  assign last_inner = inner + 1'b1 == (state == SCORES ? 16'(attention.head_slices)
      : state == VALUES ? key_slices : matmul.reduction_slices);
  assign last_outer = outer + 1'b1 == (state == SCORES ? key_slices
      : state == VALUES ? 16'(attention.head_slices) : matmul.output_slices);

  logic [15:0] keys_left;
  logic [7:0] tile_keys;
  assign keys_left = keys - keys_before;
  assign tile_keys = keys_left > 16'(LANES) ? 8'(LANES) : keys_left[7:0];

  // What is normalised, and how: means stay while the same matrix is read in the same way.
  logic measured, normalised;  // statistics and means are of the matrix below
  logic [15:0] measured_address, measured_stride, measured_slices, measured_rows, normalised_rows;
  logic [133:0] normalised_constants, constants;
  logic same_matrix;
  assign constants = {
    matmul.columns,
    matmul.mean_multiplier,
    matmul.epsilon,
    matmul.normalise_multiplier,
    matmul.normalise_shift
  };
  assign same_matrix = measured_address == matmul.source_address
      && (measured_stride == matmul.source_stride || matmul.reduction_slices == 16'd1)
      && measured_slices == matmul.reduction_slices && measured_rows >= rows;

  logic two_passes;
  assign two_passes = matmul.normalise && matmul.residual;

  // ---- Items, tiles ----------------------------------------------------------------------------
  logic ready;  // for all that the state sends
  always_comb begin
    unique case (state)
      MEASURE, NORMALISE, SOFTMAX, TILE_AGAIN: ready = item_ready;
      TILES: ready = item_ready && load_ready;
      SCORES, VALUES: ready = item_ready && load_ready && fill_ready;
      LOAD_BEGIN, DISCARD: ready = load_ready && everything_idle;
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
    item.first_slice = inner == '0;
    item.last_slice = last_inner;
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
        item.first = state == TILES && inner == '0;
        item.last = last_inner && (state == TILE_AGAIN || !two_passes);
        item.has_channels = item.last;
        item.narrow = !wide;
        item.gelu = matmul.gelu && item.last;
        item.residual = matmul.residual && item.last;
        item.residual_base = matmul.residual_address;
        item.residual_address = residual;
        item.target = matmul.destination_buffer;
        item.target_base = matmul.destination_address;
        item.target_address = 32'(target);
        item.target_first = outer == '0;
        item.target_last = last_outer;
      end
      SCORES: begin
        item.kind = ITEM_PASS;
        item.source = SOURCE_WORK;
        item.source_base = attention.query_address;
        item.has_tile = 1'b1;
        item.first = inner == '0;
        item.last = last_inner;
        item.by_row = 1'b1;
        item.row_multiplier = attention.score_multiplier;
        item.row_shift = attention.score_shift;
        item.narrow = 1'b1;
        item.target = TARGET_SCORES;
        item.target_address = score_address;
        item.target_first = outer == '0;
        item.target_last = last_outer;
      end
      default: begin  // VALUES
        item.kind = ITEM_PASS;
        item.source = SOURCE_SCORES;
        item.source_address = score_address[15:0];
        item.has_tile = 1'b1;
        item.first = inner == '0;
        item.last = last_inner;
        item.by_row = 1'b1;
        item.by_ratio = 1'b1;
        item.narrow = 1'b1;
        item.target = BUFFER_WORK;
        item.target_base = attention.destination_address;
        item.target_address = 32'(target);
        item.target_first = outer == '0;
        item.target_last = last_outer;
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
        load.beats = instruction_beats;
      end
      DISCARD: begin
        load.kind  = LOAD_DISCARD;
        load.beats = instruction_beats;
      end
      TILES: begin
        load.kind = LOAD_TILE;
        load.parameters = inner == '0;
        load.beats = inner == '0 ? 40'(LANES + 8) : 40'(LANES);
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

  assign instruction_ready = state == FETCH;
  assign done = state == FINISH && everything_idle;
  assign error_code = error;

  // What follows a legal instruction.
  state_t first_state;
  always_comb begin
    unique case (opcode)
      OPCODE_MATMUL:
      first_state = !matmul.normalise ? TILES : !(measured && same_matrix) ? MEASURE
          : !(normalised && normalised_constants == constants && normalised_rows >= rows) ? NORMALISE
          : TILES;
      default: first_state = SOFTMAX;
    endcase
  end

  // First slice of the next head's keys: one stride on for each slice of this head.
  logic [15:0] key_next;
  always_ff @(posedge clk) begin
    if (state == CHECK_OPERANDS) key_next <= attention.key_address;
    else if (state == SCORES && ready && outer == '0) key_next <= key_next + attention.key_stride;
  end

  always_ff @(posedge clk) begin
    unique case (state)
      FETCH:
      if (instruction_valid) begin
        bits <= instruction_bits;
        fetched_error <= instruction_error;
        fetched_last <= instruction_last;
        state <= CHECK;
      end

      CHECK: begin
        operand <= '0;
        if (fetched_last) begin
          if (error == ERROR_NONE) error <= fetched_error;
          state <= FINISH;
        end else if (error != ERROR_NONE) begin
          state <= instruction_beats == '0 ? FETCH : DISCARD;
        end else begin
          unique case (opcode)
            OPCODE_SET_TOKENS: begin
              if (set_tokens.register_ >= 4'(TOKEN_REGISTERS)) error <= ERROR_OUT_OF_RANGE;
              else tokens[set_tokens.register_[2:0]] <= set_tokens.rows;
              state <= FETCH;
            end
            OPCODE_LOAD: state <= LOAD_BEGIN;  // fetch has checked it
            default: state <= CHECK_OPERANDS;
          endcase
        end
      end

      CHECK_OPERANDS: begin
        operand <= operand + 1'b1;
        outer <= '0;
        inner <= '0;
        head <= '0;
        source <= matmul.source_address;
        target <= opcode == OPCODE_MATMUL ? matmul.destination_address
            : attention.destination_address;
        residual <= matmul.residual_address;
        query_head <= attention.query_address;
        key_head <= attention.key_address;
        value_head <= attention.value_address;
        tile_address <= attention.key_address;
        keys_before <= '0;
        score_address <= '0;
        if (!whole_legal || !operand_fits) begin
          error <= ERROR_OUT_OF_RANGE;
          state <= instruction_beats == '0 ? FETCH : DISCARD;
        end else if (operand == 2'd3 || (operand == 2'd2 && opcode == OPCODE_MATMUL)) begin
          state <= first_state;
          if (opcode == OPCODE_ATTENTION) source <= attention.query_address;
        end
      end

      LOAD_BEGIN:
      if (ready) begin
        state <= LOAD_END;
        if (load_op.destination_buffer == BUFFER_RESIDUAL) measured <= 1'b0;
      end
      DISCARD: if (ready) state <= LOAD_END;
      LOAD_END: if (!ready && everything_idle) state <= FETCH;

      MEASURE:
      if (ready) begin
        inner  <= inner + 1'b1;
        source <= source + matmul.source_stride;
        if (last_inner) begin
          inner <= '0;
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
        if (last_inner && two_passes && state == TILES) begin
          state <= TILE_AGAIN;
        end else begin
          inner  <= inner + 1'b1;
          source <= source + matmul.source_stride;
          state  <= TILES;
          if (last_inner) begin
            inner <= '0;
            source <= matmul.source_address;
            outer <= outer + 1'b1;
            target <= target + matmul.destination_stride;
            residual <= residual + matmul.residual_stride;
            if (last_outer) begin
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
        inner <= inner + 1'b1;
        source <= source + attention.query_stride;
        tile_address <= tile_address + attention.key_stride;
        if (last_inner) begin
          inner <= '0;
          source <= query_head;
          outer <= outer + 1'b1;
          keys_before <= keys_before + 16'(LANES);
          tile_address <= key_head + keys_before + 16'(LANES);
          score_address <= score_address + 32'(rows);
          if (last_outer) begin
            outer <= '0;
            keys_before <= '0;
            score_address <= '0;
            tile_address <= value_head;
            state <= VALUES;
          end
        end
        // The next head's first query follows this one's last slice.
        if (last_inner && last_outer) query_head <= source + attention.query_stride;
      end

      VALUES:
      if (ready) begin
        inner <= inner + 1'b1;
        keys_before <= keys_before + 16'(LANES);
        score_address <= score_address + 32'(rows);
        tile_address <= tile_address + 16'(LANES);
        if (last_inner) begin
          inner <= '0;
          keys_before <= '0;
          score_address <= '0;
          outer <= outer + 1'b1;
          value_head <= value_head + attention.value_stride;
          tile_address <= value_head + attention.value_stride;
          target <= target + attention.destination_stride;
          if (last_outer) begin
            outer <= '0;
            head <= head + 1'b1;
            source <= query_head;
            tile_address <= key_next;
            key_head <= key_next;
            state <= head + 1'b1 == attention.heads ? FETCH : SCORES;
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
      error <= ERROR_NONE;
      measured <= 1'b0;
      normalised <= 1'b0;
      for (int i = 0; i < TOKEN_REGISTERS; i++) tokens[i] <= '0;
    end
  end

endmodule

// SPDX-License-Identifier: Apache-2.0
// The engine's only reader of DDR; `fetch` of kernels_hls/movers.hpp is its twin. It walks the
// program and sends each instruction to one stream and the beats that the instruction takes from
// DDR to another, as far ahead of the consumer as the queues are deep.
//
//   program --> port 0 --> queue of words --> walker --> queue of instructions --> instruction
//   weights, input --> all ports, a page at a time --> a deep queue a port ------> beat
//
// Every word asked for has a place reserved, so a port takes all that memory sends, whatever the
// consumer does, and the program is never stuck behind beats.
//
// An instruction sent without an error is followed by all its beats, even if memory fails on the
// way. The last item (END or an error) is sent when no word is under way any more, hence it knows
// of every failure. output_vectors holds from the first item until the next start.

module fetch
  import hwgen_program_pkg::*;
#(
    parameter int LANES              = 64,
    parameter int PORTS              = LANES / 16,
    parameter int RESIDUAL_DEPTH     = 5632,
    parameter int WORK_DEPTH         = 10240,
    parameter int PREFETCH_DEPTH     = 24576,  // beats, at least a page
    parameter int OUTSTANDING        = 4,      // bursts a port
    parameter int INSTRUCTIONS_AHEAD = 32      // a power of two
) (
    input  logic                     clk,
    input  logic                     reset,
    input  logic                     start,              // when idle
    input  logic                     stop,               // give up: drop everything, end idle
    output logic                     idle,               // all sent, all taken
    input  logic [PORTS-1:0][  63:0] gmem,               // held during the run, all four
    input  logic [             63:0] program_address,
    input  logic [             63:0] weights_address,
    input  logic [             63:0] input_address,
    output logic                     instruction_valid,
    input  logic                     instruction_ready,
    output logic [            511:0] instruction,        // anything beside an error
    output logic [             31:0] instruction_beats,
    output logic [              7:0] instruction_error,
    output logic                     instruction_last,
    output logic [             31:0] output_vectors,
    output logic                     beat_valid,
    input  logic                     beat_ready,
    output logic                     beats_plenty,  // the next eight come without a pause
    output logic [      8*LANES-1:0] beat,
    // AXI, one element a port: 16-byte words, incrementing bursts, one ID
    output logic [PORTS-1:0][  63:0] araddr,
    output logic [PORTS-1:0][   7:0] arlen,
    output logic [PORTS-1:0]         arvalid,
    input  logic [PORTS-1:0]         arready,
    input  logic [PORTS-1:0][ 127:0] rdata,
    input  logic [PORTS-1:0][   1:0] rresp,
    input  logic [PORTS-1:0]         rlast,
    input  logic [PORTS-1:0]         rvalid,
    output logic [PORTS-1:0]         rready
);

  localparam int PAGE_BEATS = 64;
  localparam int INSTRUCTION_WORDS = 4;
  localparam int PROGRAM_BURST = 16;  // words: four instructions
  localparam int BURST_BITS = $clog2(PROGRAM_BURST);
  localparam int PROGRAM_QUEUE = 64;
  localparam int SPACE_BITS = $clog2(PREFETCH_DEPTH + 1);

  typedef enum logic [3:0] {
    IDLE,
    COLLECT,   // the words of a record
    COMPARE,   // words of the header with what they should be
    HEADER,
    DECODE,    // four steps from an instruction to its stretch of a region
    MULTIPLY,
    COUNT,
    ADD,
    CHECK,
    SEND,      // the instruction
    FOLLOW,    // its beats
    NEXT,
    FINISH,    // wait for memory, send the last item
    ABANDON    // wait for memory, empty all queues
  } state_t;

  state_t state;
  logic quiet, flush, memory_error;

  // Ports ------------------------------------------------------------------------------------

  logic [PORTS-1:0] request_ready, word_valid, word_tag, word_error, port_busy;
  logic [PORTS-1:0][127:0] word;
  logic [PORTS-1:0][63:0] base;  // of the port's part of page 0 of a region at address 0
  logic program_request, program_fire, page_fire;
  logic [63:0] program_next, page_address;
  logic [6:0] program_burst, page_beats;

  for (genvar port = 0; port < PORTS; ++port) begin : gen_port
    logic shared;  // this port reads the program, too
    logic fifo_valid, plenty;
    assign shared = port == 0 && program_request;

    read_port #(
        .OUTSTANDING(OUTSTANDING)
    ) read_port (
        .clk,
        .reset,
        .request_valid  (shared || page_fire),
        .request_ready  (request_ready[port]),
        .request_address(shared ? program_next : base[port] + page_address),
        .request_words  (shared ? program_burst : page_beats),
        .request_tag    (shared),
        .word_valid     (word_valid[port]),
        .word           (word[port]),
        .word_tag       (word_tag[port]),
        .word_error     (word_error[port]),
        .busy           (port_busy[port]),
        .araddr         (araddr[port]),
        .arlen          (arlen[port]),
        .arvalid        (arvalid[port]),
        .arready        (arready[port]),
        .rdata          (rdata[port]),
        .rresp          (rresp[port]),
        .rlast          (rlast[port]),
        .rvalid         (rvalid[port]),
        .rready         (rready[port])
    );

    prefetch_fifo #(
        .WIDTH(128),
        .DEPTH(PREFETCH_DEPTH)
    ) prefetch_fifo (
        .clk,
        .reset     (reset || flush),
        .write     (word_valid[port] && !word_tag[port]),
        .write_word(word[port]),
        .valid     (fifo_valid),
        .ready     (beat_valid && beat_ready),
        .word      (beat[128*port+:128]),
        .plenty
    );

    always_ff @(posedge clk) begin
      if (state == IDLE) base[port] <= gmem[port] + 64'(16 * PAGE_BEATS * port);
    end
  end

  logic [PORTS-1:0] fifo_valid, fifo_plenty;
  for (genvar port = 0; port < PORTS; ++port) begin : gen_valid
    assign fifo_valid[port]  = gen_port[port].fifo_valid;
    assign fifo_plenty[port] = gen_port[port].plenty;
  end
  assign beat_valid   = &fifo_valid;
  assign beats_plenty = &fifo_plenty;

  always_ff @(posedge clk) begin
    if (reset || (state == IDLE && start)) memory_error <= 1'b0;
    else if (|word_error) memory_error <= 1'b1;
  end

  // Pages: what is left of a stretch, and the page that is asked for next ------------------------

  logic [32:0] stretch_left;
  logic [31:0] stretch_first;
  logic [63:0] stretch_region;
  logic stretch_load, stretch_active, page_valid, page_fits, page_ends, page_last;
  logic [7:0] page_end;
  logic [SPACE_BITS-1:0] space;  // beats neither in the queues nor asked for
  logic [39:0] count;  // beats of the instruction
  logic [31:0] first;
  logic from_input;

  assign stretch_load = state == FOLLOW && !stretch_active;
  // Whether what is left ends in its first page.
  assign page_end = {2'b0, stretch_first[5:0]} + {1'b0, stretch_left[6:0]};
  assign page_ends = stretch_left[32:7] == '0 && !page_end[7] &&
      (!page_end[6] || page_end[5:0] == '0);
  assign page_fire = page_fits && page_valid && &request_ready && !program_request;

  always_ff @(posedge clk) begin
    if (!page_valid) begin
      page_last  <= page_ends;
      page_beats <= page_ends ? stretch_left[6:0] : 7'(PAGE_BEATS) - 7'(stretch_first[5:0]);
      page_address <= stretch_region +
          64'({stretch_first[31:6], {$clog2(PORTS) {1'b0}}, stretch_first[5:0], 4'd0});
    end
    // Space does not shrink before the page is asked for.
    page_fits <= page_valid && space >= SPACE_BITS'(page_beats);
    if (stretch_load) begin
      stretch_first  <= first;
      stretch_region <= from_input ? input_address : weights_address;
    end else if (page_fire) begin
      stretch_first <= {stretch_first[31:6] + 26'd1, 6'd0};
    end
    if (stretch_load) stretch_left <= count[32:0];
    else if (page_fire) stretch_left <= stretch_left - 33'(page_beats);
    if (reset || state == ABANDON) begin
      stretch_active <= 1'b0;
      page_valid     <= 1'b0;
    end else begin
      if (stretch_load) stretch_active <= 1'b1;
      else if (page_fire && page_last) stretch_active <= 1'b0;
      page_valid <= page_valid ? !page_fire : stretch_active;
    end
    if (reset || flush) space <= SPACE_BITS'(PREFETCH_DEPTH);
    else
      space <= space + SPACE_BITS'(beat_valid && beat_ready) -
          (page_fire ? SPACE_BITS'(page_beats) : '0);
  end

  // The program, read ahead ------------------------------------------------------------------

  logic [33:0] program_left;  // words to ask for
  logic [6:0] program_room;  // words neither in the queue nor asked for
  logic program_wanted, program_valid, program_take, program_empty;
  logic [127:0] program_word;
  logic [31:0] instructions_left;
  logic header_good;
  logic [511:0] bits;

  assign program_empty = reset || state == IDLE || flush;
  assign program_request = program_wanted && state != FINISH && state != ABANDON;
  assign program_fire = program_request && request_ready[0];
  assign program_take = state == COLLECT && program_valid;

  logic program_ready;  // always: room is reserved
  fifo #(
      .WIDTH(128),
      .DEPTH(PROGRAM_QUEUE)
  ) program_queue (
      .clk,
      .reset     (program_empty),
      .push_valid(word_valid[0] && word_tag[0]),
      .push_ready(program_ready),
      .push      (word[0]),
      .head_valid(program_valid),
      .head      (program_word),
      .pop       (program_take)
  );

  always_ff @(posedge clk) begin
    // A cycle late: the port takes no request in the cycle after one. A burst is a power of two,
    // so bits say what comparisons would.
    program_wanted <= program_left != '0 && program_room[6:BURST_BITS] != '0;
    program_burst  <= program_left[33:BURST_BITS] == '0 ? program_left[6:0] : 7'(PROGRAM_BURST);
    if (state == IDLE) program_next <= gmem[0] + program_address;
    else if (program_fire) program_next <= program_next + {53'd0, program_burst, 4'd0};
    if (program_empty) program_room <= 7'(PROGRAM_QUEUE);
    else
      program_room <= program_room + 7'(program_take) - (program_fire ? program_burst : 7'd0);
    if (reset) program_left <= '0;
    else
      unique case (state)
        IDLE: program_left <= start ? 34'(INSTRUCTION_WORDS) : '0;
        HEADER: program_left <= header_good ? {bits[127:96], 2'b00} : '0;
        FINISH, ABANDON: program_left <= '0;
        default: if (program_fire) program_left <= program_left - 34'(program_burst);
      endcase
  end

  // The walker -------------------------------------------------------------------------------

  logic [1:0] words_collected;
  logic header_seen, wrong_engine, bad_header, has_instructions;
  logic [31:0] weight_beats, input_beats;
  logic [7:0] header_error, opcode, error, found_error;
  load_t load;
  matmul_t matmul;
  logic load_known, load_legal, is_load, is_matmul;
  logic [22:0] slice_beats;
  logic [15:0] output_slices;
  logic [38:0] product;
  logic [32:0] load_beats;
  logic [40:0] beyond;  // the first beat that the stretch does not take

  assign opcode = bits[7:0];
  assign load = decode_load(bits);
  assign matmul = decode_matmul(bits);
  assign is_load = opcode == OPCODE_LOAD;
  assign is_matmul = opcode == OPCODE_MATMUL;

  always_comb begin
    header_error = ERROR_NONE;
    if (wrong_engine) header_error = ERROR_WRONG_ENGINE;
    if (bad_header) header_error = ERROR_BAD_HEADER;
    if (memory_error) header_error = ERROR_MEMORY;
  end
  assign header_good = header_error == ERROR_NONE && has_instructions;

  // Comparisons of whole words: of the cycle before.
  always_ff @(posedge clk) begin
    wrong_engine     <= bits[95:64] != ENGINE_DIGEST;
    bad_header       <= bits[31:0] != PROGRAM_MAGIC || bits[63:32] != PROGRAM_VERSION;
    has_instructions <= bits[127:96] != '0;
  end

  // What can be known of an instruction before it runs: enough to fetch for it safely.
  always_comb begin
    found_error = ERROR_NONE;
    if (beyond > {9'd0, from_input ? input_beats : weight_beats}) found_error = ERROR_OUT_OF_RANGE;
    if (is_load && !load_legal) found_error = ERROR_OUT_OF_RANGE;
    if (opcode > OPCODE_TOKEN_SELECT) found_error = ERROR_UNKNOWN_OPCODE;
    // The instruction itself may be what memory failed to deliver.
    if (memory_error) found_error = ERROR_MEMORY;
  end

  logic [32:0] load_end, load_depth;
  assign load_depth = load.destination_buffer == BUFFER_RESIDUAL ? 33'(RESIDUAL_DEPTH) :
      33'(WORK_DEPTH);

  always_ff @(posedge clk) begin
    if (program_take) bits <= {program_word, bits[511:128]};
    else if (state == HEADER || state == NEXT) bits <= '0;
    if (state == HEADER) begin
      weight_beats   <= bits[159:128];
      input_beats    <= bits[191:160];
      output_vectors <= header_error == ERROR_NONE ? bits[223:192] : '0;
    end
    if (state == DECODE) begin
      from_input <= is_load && load.region == REGION_INPUT;
      first <= is_load ? load.offset : is_matmul ? matmul.offset : '0;
      load_beats <=
          load.destination_buffer == BUFFER_RESIDUAL ? {load.vectors, 1'b0} : {1'b0, load.vectors};
      load_end <= 33'(load.destination_address) + 33'(load.vectors);
      load_known <= (load.region == REGION_WEIGHTS || load.region == REGION_INPUT) &&
          (load.destination_buffer == BUFFER_RESIDUAL || load.destination_buffer == BUFFER_WORK) &&
          load.vectors != '0;
      // Eight beats of parameters, then one for each element of the reduction.
      slice_beats <= 23'd8 + 23'(matmul.reduction_slices) * 23'(LANES);
      output_slices <= matmul.output_slices;
    end
    load_legal <= load_known && load_end <= load_depth;
    product <= output_slices * slice_beats;
    if (state == COUNT) count <= is_load ? 40'(load_beats) : is_matmul ? 40'(product) : '0;
    beyond <= 41'(first) + 41'(count);
  end

  logic item_valid, item_ready, item_last;
  assign flush = state == ABANDON && quiet;
  assign item_last = state == FINISH;
  assign item_valid = state == SEND || (state == FINISH && quiet);
  assign idle = state == IDLE && !instruction_valid && space == SPACE_BITS'(PREFETCH_DEPTH);

  // Nothing new begins in these two states, so what was so a cycle ago is still so.
  always_ff @(posedge clk) begin
    quiet <= (state == FINISH || state == ABANDON) && !(|port_busy) && !stretch_active;
  end

  always_ff @(posedge clk) begin
    if (reset) begin
      state <= IDLE;
    end else if (stop && state != ABANDON) begin
      state <= ABANDON;
    end else begin
      unique case (state)
        IDLE: begin
          header_seen     <= 1'b0;
          words_collected <= '0;
          if (start) state <= COLLECT;
        end
        COLLECT:
        if (program_valid) begin
          words_collected <= words_collected + 1'b1;
          if (words_collected == 2'(INSTRUCTION_WORDS - 1)) state <= header_seen ? DECODE : COMPARE;
        end
        COMPARE: state <= HEADER;
        HEADER: begin
          header_seen       <= 1'b1;
          instructions_left <= bits[127:96];
          // A program without instructions has no END.
          error             <= header_error != ERROR_NONE ? header_error : ERROR_OUT_OF_RANGE;
          state             <= header_good ? COLLECT : FINISH;
        end
        DECODE: state <= MULTIPLY;
        MULTIPLY: state <= COUNT;
        COUNT: state <= ADD;
        ADD: state <= CHECK;
        CHECK: begin
          error <= found_error;
          state <= found_error != ERROR_NONE || opcode == OPCODE_END ? FINISH : SEND;
        end
        SEND: if (item_ready) state <= count == '0 ? NEXT : FOLLOW;
        FOLLOW: if (!stretch_active) state <= NEXT;
        NEXT: begin
          instructions_left <= instructions_left - 1'b1;
          error             <= ERROR_OUT_OF_RANGE;  // no END
          state             <= instructions_left == 32'd1 ? FINISH : COLLECT;
        end
        FINISH: if (quiet && item_ready) state <= IDLE;
        ABANDON: if (quiet) state <= IDLE;
        default: state <= IDLE;
      endcase
    end
  end

  localparam int ITEM_BITS = 512 + 32 + 8 + 1;
  fifo #(
      .WIDTH(ITEM_BITS),
      .DEPTH(INSTRUCTIONS_AHEAD)
  ) instruction_queue (
      .clk,
      .reset(reset || flush),
      .push_valid(item_valid),
      .push_ready(item_ready),
      .push({
        bits,
        item_last ? 32'd0 : count[31:0],
        item_last ? (memory_error ? ERROR_MEMORY : error) : ERROR_NONE,
        item_last
      }),
      .head_valid(instruction_valid),
      .head({instruction, instruction_beats, instruction_error, instruction_last}),
      .pop(instruction_ready)
  );

  logic unused;
  assign unused = &{1'b0, program_ready, count[39:33], load, matmul};

endmodule

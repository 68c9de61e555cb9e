// SPDX-License-Identifier: Apache-2.0
// Whether the operands of a MATMUL, ATTENTION or TOKEN_SELECT lie in their buffers (docs/program.md,
// section 5), and how many beats it takes from the weight stream. One multiplier serves all products,
// one after the other, with a register at every step:
//
//   step   MATMUL                              ATTENTION                       TOKEN_SELECT
//   0      output slices * reduction slices    heads * slices of a head        -
//   1      source                              rows * slices of keys, against  source
//                                              SCORE_DEPTH
//   2      destination                         -                               scores
//   3      residual operand                    queries                         largest destination
//   4      second source, if there is          keys                            -
//   5      means                               values                          -
//   6      -                                   destination                     -
//
// Of an operand the product is (slices - 1) * stride: where its last slice begins.
module operand_check
  import hwgen_program_pkg::*;
#(
    parameter int LANES = 64,
    parameter int SCORE_DEPTH = 1024,
    parameter int RESIDUAL_DEPTH = 5632,
    parameter int WORK_DEPTH = 10240,
    parameter int VALUE_DEPTH = 4096
) (
    input logic clk,
    input logic reset,

    // The instruction stays from start to done, its counts and addresses from the cycle after start
    // and the one after that on.
    input logic          start,
    input logic          is_matmul,
    input logic          is_select,
    /* verilator lint_off UNUSEDSIGNAL */  // the fields that place operands
    input matmul_t       matmul,
    input attention_t    attention,
    input token_select_t select,
    /* verilator lint_on UNUSEDSIGNAL */
    input logic [  15:0] rows,
    input logic [  15:0] keys,
    input logic [  15:0] key_slices,
    input logic [  16:0] first_slices,       // of the first source; negative if there is none
    input logic [  16:0] source_start,       // of operands, with the offsets of token registers
    input logic [  16:0] destination_start,
    input logic [  16:0] key_start,
    input logic [  16:0] value_start,
    input logic [  31:0] output_vectors,

    output logic        done,   // for one cycle
    output logic        legal,  // with it
    output logic [39:0] beats   // likewise; of MATMUL alone
);

  localparam int LANE_BITS = $clog2(LANES);
  // A step's result counts four cycles after it: factors, product, sum, comparison.
  localparam logic [3:0] RESULT = 4'd4;
  localparam logic [3:0] IDLE = '1;
  localparam logic [3:0] PRODUCT_OF_0 = 4'd2;

  // What a step is about, found a cycle ahead: it picks from many operands.
  typedef struct packed {
    logic tiles;
    logic source;
    logic destination;
    logic residual;
    logic second;
    logic means;
    logic head_slices;
    logic scores;
    logic queries;
    logic keys;
    logic values;
    logic heads;  // the destination of attention
    logic select_source;
    logic select_scores;
    logic select_destination;
  } subject_t;

  typedef struct packed {
    logic compared;  // the end with the depth
    logic operand;   // has slices and rows
    logic [23:0] slices;
    logic [15:0] stride;
    logic [16:0] address;
    logic [15:0] rows;
    logic [3:0] buffer;
  } request_t;

  logic [3:0] step, end_step;
  logic [23:0] head_slices;
  subject_t subject;
  request_t request;

  // Of an instruction that breaks a rule on counts the sequencer finds that, whatever comes out here.
  logic extended;  // a MATMUL with a second source or means
  logic [15:0] scored, forced, stay, most_rows;  // rows of a selection

  always_ff @(posedge clk) begin
    extended <= matmul.second_slices != '0 || matmul.mean;
    scored <= rows - 16'(select.prefix) - 16'(select.packages);
    forced <= 16'(select.prefix) + (select.merge ? '0 : 16'(select.packages));
    stay <= scored < select.limit ? scored : select.limit;
    most_rows <= stay + forced + 16'(select.package_);
    end_step <= is_select ? 4'd3 + RESULT
        : !is_matmul ? 4'd6 + RESULT : extended ? 4'd5 + RESULT : 4'd3 + RESULT;
  end

  logic is_attention;
  assign is_attention = !is_matmul && !is_select;

  always_ff @(posedge clk) begin
    subject <= '{
        tiles: start && is_matmul,
        source: step == 4'd0 && is_matmul,
        destination: step == 4'd1 && is_matmul,
        residual: step == 4'd2 && is_matmul && matmul.residual,
        second: step == 4'd3 && is_matmul && matmul.second_slices != '0,
        means: step == 4'd4 && is_matmul && matmul.mean,
        head_slices: start && is_attention,
        scores: step == 4'd0 && is_attention,
        queries: step == 4'd2 && is_attention,
        keys: step == 4'd3 && is_attention,
        values: step == 4'd4 && is_attention,
        heads: step == 4'd5 && is_attention,
        select_source: step == 4'd0 && is_select,
        select_scores: step == 4'd1 && is_select,
        select_destination: step == 4'd2 && is_select
    };
  end

  always_comb begin
    request = '0;
    request.compared = 1'b1;
    request.operand = 1'b1;
    request.rows = rows;
    request.buffer = BUFFER_WORK;
    unique case (1'b1)
      subject.tiles: begin
        request.compared = 1'b0;
        request.operand  = 1'b0;
        request.slices   = 24'(matmul.output_slices);
        request.stride   = matmul.reduction_slices;
      end
      subject.source: begin
        request.slices  = 24'(signed'(first_slices));
        request.stride  = matmul.source_stride;
        request.address = source_start;
        request.buffer  = matmul.source_buffer;
      end
      subject.destination: begin
        request.slices  = 24'(matmul.output_slices);
        request.stride  = matmul.destination_stride;
        request.address = destination_start;
        request.buffer  = matmul.destination_buffer;
      end
      subject.residual: begin
        request.slices  = 24'(matmul.output_slices);
        request.stride  = matmul.residual_stride;
        request.address = 17'(matmul.residual_address);
        request.buffer  = BUFFER_RESIDUAL;
      end
      subject.second: begin
        request.slices  = 24'(matmul.second_slices);
        request.stride  = matmul.second_broadcast ? 16'd1 : matmul.source_stride;
        request.rows    = matmul.second_broadcast ? 16'd1 : rows;
        request.address = 17'(matmul.second_address);
      end
      subject.means: begin
        request.slices  = 24'(matmul.output_slices);
        request.stride  = 16'd1;
        request.rows    = 16'd1;
        request.address = 17'(matmul.mean_address);
      end
      subject.head_slices: begin
        request.compared = 1'b0;
        request.operand  = 1'b0;
        request.slices   = 24'(attention.heads);
        request.stride   = 16'(attention.head_slices);
      end
      subject.scores: begin
        request.operand = 1'b0;
        request.slices  = 24'(rows);
        request.stride  = key_slices;
        request.rows    = '0;
      end
      subject.queries: begin
        request.slices  = head_slices;
        request.stride  = attention.query_stride;
        request.address = source_start;
      end
      subject.keys: begin
        request.slices  = head_slices;
        request.stride  = attention.key_stride;
        request.address = key_start;
        request.rows    = keys;
      end
      subject.values: begin
        request.slices  = head_slices;
        request.stride  = attention.value_stride;
        request.address = value_start;
        request.rows    = keys;
        request.buffer  = BUFFER_VALUE;
      end
      subject.heads: begin
        request.slices  = head_slices;
        request.stride  = attention.destination_stride;
        request.address = destination_start;
      end
      subject.select_source: begin
        request.slices  = 24'(select.slices);
        request.stride  = select.source_stride;
        request.address = source_start;
        request.buffer  = BUFFER_RESIDUAL;
      end
      subject.select_scores: begin
        request.slices  = 24'd1;
        request.address = 17'(select.score_address);
      end
      subject.select_destination: begin
        request.slices  = 24'(select.slices);
        request.stride  = select.destination_stride;
        request.address = destination_start;
        request.rows    = most_rows;
        request.buffer  = BUFFER_RESIDUAL;
      end
      default: begin
        request.compared = 1'b0;
        request.operand  = 1'b0;
      end
    endcase
  end

  // Factors.
  logic compared_1, operand_1;
  logic [23:0] factor;
  logic [16:0] address;
  logic [15:0] stride, rows_1;
  logic [3:0] buffer;

  always_ff @(posedge clk) begin
    compared_1 <= request.compared;
    operand_1 <= request.operand;
    factor <= request.slices - 24'(request.operand);
    stride <= request.stride;
    address <= request.address;
    rows_1 <= request.rows;
    buffer <= request.buffer;
  end

  // Product. An operand of no slices has a factor below zero, one of a single slice needs no stride.
  logic compared_2, misshaped;
  logic [39:0] product;
  logic [17:0] base;
  logic [31:0] depth_2;

  always_ff @(posedge clk) begin
    compared_2 <= compared_1;
    misshaped <= operand_1 && (&factor || rows_1 == '0 || (factor != '0 && stride < rows_1));
    product <= factor * stride;
    base <= 18'(address) + 18'(rows_1);
    unique case (buffer)
      BUFFER_RESIDUAL: depth_2 <= 32'(RESIDUAL_DEPTH);
      BUFFER_WORK: depth_2 <= operand_1 ? 32'(WORK_DEPTH) : 32'(SCORE_DEPTH);
      BUFFER_VALUE: depth_2 <= 32'(VALUE_DEPTH);
      default: depth_2 <= output_vectors;
    endcase
  end

  // Sum.
  logic compared_3, misshaped_3;
  logic [40:0] last_end;
  logic [31:0] depth_3;

  always_ff @(posedge clk) begin
    compared_3 <= compared_2;
    misshaped_3 <= misshaped;
    last_end <= 41'(product) + 41'(base);
    depth_3 <= depth_2;
  end

  // Comparison.
  logic failed;

  always_ff @(posedge clk) begin
    if (start) failed <= 1'b0;
    else if (misshaped_3 || (compared_3 && last_end > 41'(depth_3))) failed <= 1'b1;
  end

  assign legal = !failed;

  always_ff @(posedge clk) begin
    done <= !start && step == end_step - 4'd1;
    if (step == PRODUCT_OF_0) begin
      head_slices <= product[23:0];
      beats <= is_matmul ? (40'(product) << LANE_BITS) + {21'b0, matmul.output_slices, 3'b0} : '0;
    end
    if (reset) step <= IDLE;
    else if (start) step <= '0;
    else if (step != IDLE) step <= step + 1'b1;
  end

endmodule

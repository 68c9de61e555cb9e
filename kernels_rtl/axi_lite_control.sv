// SPDX-License-Identifier: Apache-2.0
// The control registers: an AXI-Lite slave that behaves as the one of Vitis HLS does, so that one
// driver serves both engines. hwgen/emit/registers.py describes all registers.
//
//   0x00  control: start (bit 0, stays until the engine is ready), done (1, cleared by reading),
//         idle (2), ready (3, cleared by reading), auto_restart (7), interrupt (9)
//   0x04  global interrupt enable (bit 0)
//   0x08  interrupt enable: done (bit 0), ready (1)
//   0x0c  interrupt status: the same; writing 1 toggles
//   0x10  arguments of 64 bits, 12 bytes apart: low word, high word, nothing.
//         gmem0 .. gmem<PORTS-1>, output, program, weights, input
//   then  error_code, and its valid flag in bit 0 of the next word (cleared by reading)
//
// Read only, not in the map of Vitis HLS:
//
//   0x100 version of the program format
//   0x104 digest of the engine configuration
//   0x108 cycles of the last run, low word; 0x10c high word
//   0x110 STALLS counters of what the last run waited for, one word each
//
// Every other address reads as zero and ignores writes.

module axi_lite_control #(
    parameter int          LANES        = 64,
    parameter int          PORTS        = LANES / 16,
    parameter int          STALLS       = 7,
    parameter int          ADDRESS_BITS = 12,
    parameter logic [31:0] VERSION      = 32'd1,
    parameter logic [31:0] DIGEST       = 32'd0
) (
    input  logic                         clk,
    input  logic                         reset,
    // AXI-Lite
    input  logic [     ADDRESS_BITS-1:0] awaddr,
    input  logic                         awvalid,
    output logic                         awready,
    input  logic [                 31:0] wdata,
    input  logic [                  3:0] wstrb,
    input  logic                         wvalid,
    output logic                         wready,
    output logic [                  1:0] bresp,
    output logic                         bvalid,
    input  logic                         bready,
    input  logic [     ADDRESS_BITS-1:0] araddr,
    input  logic                         arvalid,
    output logic                         arready,
    output logic [                 31:0] rdata,
    output logic [                  1:0] rresp,
    output logic                         rvalid,
    input  logic                         rready,
    // verilator lint_off SYMRSVDWORD
    output logic                         interrupt,
    // verilator lint_on SYMRSVDWORD
    // The engine: start stays high until ready; done and ready last one cycle; idle is high while
    // nothing runs and start is low.
    output logic                         start,
    input  logic                         done,
    input  logic                         ready,
    input  logic                         idle,
    output logic [PORTS-1:0][      63:0] gmem,
    output logic [                 63:0] output_address,
    output logic [                 63:0] program_address,
    output logic [                 63:0] weights_address,
    output logic [                 63:0] input_address,
    input  logic [                 31:0] error_code,
    input  logic                         error_code_valid,
    input  logic [STALLS-1:0][     31:0] stalls
);

  localparam int ARGUMENTS = PORTS + 4;
  localparam int WORD_BITS = ADDRESS_BITS - 2;
  typedef logic [WORD_BITS-1:0] word_t;

  localparam word_t CONTROL = word_t'('h00 / 4);
  localparam word_t GLOBAL_ENABLE = word_t'('h04 / 4);
  localparam word_t ENABLE = word_t'('h08 / 4);
  localparam word_t STATUS = word_t'('h0c / 4);
  localparam word_t ARGUMENT = word_t'('h10 / 4);
  localparam word_t ERROR = ARGUMENT + word_t'(3 * ARGUMENTS);
  localparam word_t VERSION_WORD = word_t'('h100 / 4);
  localparam word_t DIGEST_WORD = word_t'('h104 / 4);
  localparam word_t CYCLES_WORD = word_t'('h108 / 4);
  localparam word_t STALLS_WORD = word_t'('h110 / 4);

  // Addresses and data of writes arrive in either order; each waits for the other in a register.
  logic         address_held, data_held, write;
  word_t        write_word;
  logic  [31:0] write_data;
  logic  [ 3:0] write_strobe;

  assign awready = !address_held;
  assign wready  = !data_held;
  assign bresp   = 2'b00;
  assign write   = address_held && data_held && !bvalid;

  always_ff @(posedge clk) begin
    if (awvalid && awready) write_word <= awaddr[ADDRESS_BITS-1:2];
    if (wvalid && wready) begin
      write_data   <= wdata;
      write_strobe <= wstrb;
    end
    if (reset) begin
      address_held <= 1'b0;
      data_held    <= 1'b0;
      bvalid       <= 1'b0;
    end else begin
      address_held <= (address_held && !write) || (awvalid && awready);
      data_held    <= (data_held && !write) || (wvalid && wready);
      bvalid       <= (bvalid && !bready) || write;
    end
  end

  // Two cycles for a read. Reading has effects, so it happens once: when the address is taken.
  logic  read;
  word_t read_word;

  assign arready   = !rvalid;
  assign rresp     = 2'b00;
  assign read      = arvalid && arready;
  assign read_word = araddr[ADDRESS_BITS-1:2];

  always_ff @(posedge clk) begin
    if (reset) rvalid <= 1'b0;
    else rvalid <= (rvalid && !rready) || read;
  end

  // Control
  logic auto_restart, restarting, was_idle, done_flag, ready_flag, run_ended;
  logic global_enable;
  logic [1:0] enable, status;
  logic write_control, write_status;

  assign write_control = write && write_word == CONTROL && write_strobe[0];
  assign write_status = write && write_word == STATUS && write_strobe[0];
  // With auto_restart, done is told once, after the last of the runs.
  assign run_ended = restarting ? idle && !was_idle : done;

  always_ff @(posedge clk) begin
    if (reset) begin
      start         <= 1'b0;
      auto_restart  <= 1'b0;
      restarting    <= 1'b0;
      was_idle      <= 1'b1;
      done_flag     <= 1'b0;
      ready_flag    <= 1'b0;
      global_enable <= 1'b0;
      enable        <= 2'b00;
      status        <= 2'b00;
      interrupt     <= 1'b0;
    end else begin
      if (write_control && write_data[0]) start <= 1'b1;
      else if (ready) start <= auto_restart;

      if (write_control) auto_restart <= write_data[7];
      if (auto_restart) restarting <= 1'b1;
      else if (idle) restarting <= 1'b0;
      was_idle <= idle;

      if (run_ended) done_flag <= 1'b1;
      else if (read && read_word == CONTROL) done_flag <= 1'b0;
      if (ready && !auto_restart) ready_flag <= 1'b1;
      else if (read && read_word == CONTROL) ready_flag <= 1'b0;

      if (write && write_word == GLOBAL_ENABLE && write_strobe[0]) global_enable <= write_data[0];
      if (write && write_word == ENABLE && write_strobe[0]) enable <= write_data[1:0];
      if (enable[0] && run_ended) status[0] <= 1'b1;
      else if (write_status) status[0] <= status[0] ^ write_data[0];
      if (enable[1] && ready && !auto_restart) status[1] <= 1'b1;
      else if (write_status) status[1] <= status[1] ^ write_data[1];
      interrupt <= global_enable && |status;
    end
  end

  // Arguments
  logic [ARGUMENTS-1:0][1:0][31:0] arguments;
  logic [31:0] error;
  logic error_valid;

  assign gmem = arguments[PORTS-1:0];
  assign output_address = arguments[PORTS];
  assign program_address = arguments[PORTS+1];
  assign weights_address = arguments[PORTS+2];
  assign input_address = arguments[PORTS+3];

  for (genvar argument = 0; argument < ARGUMENTS; ++argument) begin : gen_argument
    for (genvar half = 0; half < 2; ++half) begin : gen_half
      localparam word_t WORD = ARGUMENT + word_t'(3 * argument + half);
      always_ff @(posedge clk) begin
        for (int lane = 0; lane < 4; ++lane) begin
          if (write && write_word == WORD && write_strobe[lane])
            arguments[argument][half][8*lane+:8] <= write_data[8*lane+:8];
        end
        if (reset) arguments[argument][half] <= '0;
      end
    end
  end

  always_ff @(posedge clk) begin
    if (reset) begin
      error       <= '0;
      error_valid <= 1'b0;
    end else begin
      if (error_code_valid) error <= error_code;
      if (error_code_valid) error_valid <= 1'b1;
      else if (read && read_word == ERROR + word_t'(1)) error_valid <= 1'b0;
    end
  end

  // A run lasts from the cycle in which the engine sees start to the one of done.
  logic        running;
  logic [63:0] cycles;

  always_ff @(posedge clk) begin
    if (reset) begin
      running <= 1'b0;
      cycles  <= '0;
    end else if (start && !running) begin
      running <= !done;
      cycles  <= 64'd1;
    end else if (running) begin
      running <= !done;
      cycles  <= cycles + 64'd1;
    end
  end

  always_ff @(posedge clk) begin
    if (read) begin
      rdata <= '0;
      unique case (read_word)
        CONTROL:
        rdata <= {22'd0, interrupt, 1'b0, auto_restart, 3'd0, ready_flag, was_idle, done_flag, start};
        GLOBAL_ENABLE: rdata <= {31'd0, global_enable};
        ENABLE: rdata <= {30'd0, enable};
        STATUS: rdata <= {30'd0, status};
        ERROR: rdata <= error;
        ERROR + word_t'(1): rdata <= {31'd0, error_valid};
        VERSION_WORD: rdata <= VERSION;
        DIGEST_WORD: rdata <= DIGEST;
        CYCLES_WORD: rdata <= cycles[31:0];
        CYCLES_WORD + word_t'(1): rdata <= cycles[63:32];
        default: begin
          for (int argument = 0; argument < ARGUMENTS; ++argument) begin
            for (int half = 0; half < 2; ++half) begin
              if (read_word == ARGUMENT + word_t'(3 * argument + half))
                rdata <= arguments[argument][half];
            end
          end
          for (int stall = 0; stall < STALLS; ++stall) begin
            if (read_word == STALLS_WORD + word_t'(stall)) rdata <= stalls[stall];
          end
        end
      endcase
    end
  end

  logic unused;
  assign unused = &{1'b0, awaddr[1:0], araddr[1:0]};

endmodule

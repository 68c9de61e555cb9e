// SPDX-License-Identifier: Apache-2.0
// The control registers: an AXI-Lite slave that behaves as the one of Vitis HLS does, so that one
// driver serves both engines. hwgen/program/registers.py describes all registers; where they lie
// comes from hwgen_registers_pkg, which is made from it for each engine.
//
//   CTRL             AP_START stays until the engine is ready; reading clears AP_DONE and AP_READY
//   GIER             interrupts are let out
//   IP_IER, IP_ISR   interrupts at done and at ready: enable, status; writing 1 to a status toggles
//   gmem0 .. input   arguments of 64 bits: low word, high word
//   error_code       of the last run; error_code_ctrl tells that it has come (cleared by reading)
//
// Read only, not in the map of Vitis HLS:
//
//   version, digest  of the program format, of the engine configuration
//   cycles           of the last run, low word, high word
//   stall_*          what the last run waited for, one word each
//
// Every other address reads as zero and ignores writes.

module axi_lite_control
  import hwgen_registers_pkg::*;
#(
    parameter logic [31:0] VERSION = 32'd1,
    parameter logic [31:0] DIGEST  = 32'd0
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

  // The address of the word in which a byte lies.
  function automatic address_t word_of(input address_t address);
    return address & ~address_t'(3);
  endfunction

  // Addresses and data of writes arrive in either order; each waits for the other in a register.
  logic address_held, data_held, write;
  address_t write_address;
  logic [31:0] write_data;
  logic [3:0] write_strobe;

  assign awready = !address_held;
  assign wready  = !data_held;
  assign bresp   = 2'b00;
  assign write   = address_held && data_held && !bvalid;

  always_ff @(posedge clk) begin
    if (awvalid && awready) write_address <= word_of(awaddr);
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

  // Whether this bit is written.
  function automatic logic writes(input address_t offset, input int place);
    return write && write_address == offset && write_strobe[place/8];
  endfunction

  // Two cycles for a read. Reading has effects, so it happens once: when the address is taken.
  logic read;
  address_t read_address;

  assign arready = !rvalid;
  assign rresp = 2'b00;
  assign read = arvalid && arready;
  assign read_address = word_of(araddr);

  always_ff @(posedge clk) begin
    if (reset) rvalid <= 1'b0;
    else rvalid <= (rvalid && !rready) || read;
  end

  // Control
  logic auto_restart, restarting, was_idle, done_flag, ready_flag, run_ended;
  logic global_enable;
  logic done_enable, ready_enable, done_status, ready_status;

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
      done_enable   <= 1'b0;
      ready_enable  <= 1'b0;
      done_status   <= 1'b0;
      ready_status  <= 1'b0;
      interrupt     <= 1'b0;
    end else begin
      if (writes(CTRL_OFFSET, CTRL_AP_START) && write_data[CTRL_AP_START]) start <= 1'b1;
      else if (ready) start <= auto_restart;

      if (writes(CTRL_OFFSET, CTRL_AUTO_RESTART)) auto_restart <= write_data[CTRL_AUTO_RESTART];
      if (auto_restart) restarting <= 1'b1;
      else if (idle) restarting <= 1'b0;
      was_idle <= idle;

      if (run_ended) done_flag <= 1'b1;
      else if (read && read_address == CTRL_OFFSET) done_flag <= 1'b0;
      if (ready && !auto_restart) ready_flag <= 1'b1;
      else if (read && read_address == CTRL_OFFSET) ready_flag <= 1'b0;

      if (writes(GIER_OFFSET, GIER_ENABLE)) global_enable <= write_data[GIER_ENABLE];
      if (writes(IP_IER_OFFSET, IP_IER_CHAN0_INT_EN))
        done_enable <= write_data[IP_IER_CHAN0_INT_EN];
      if (writes(IP_IER_OFFSET, IP_IER_CHAN1_INT_EN))
        ready_enable <= write_data[IP_IER_CHAN1_INT_EN];
      if (done_enable && run_ended) done_status <= 1'b1;
      else if (writes(IP_ISR_OFFSET, IP_ISR_CHAN0_INT_ST))
        done_status <= done_status ^ write_data[IP_ISR_CHAN0_INT_ST];
      if (ready_enable && ready && !auto_restart) ready_status <= 1'b1;
      else if (writes(IP_ISR_OFFSET, IP_ISR_CHAN1_INT_ST))
        ready_status <= ready_status ^ write_data[IP_ISR_CHAN1_INT_ST];
      interrupt <= global_enable && (done_status || ready_status);
    end
  end

  // Arguments
  logic [ARGUMENTS-1:0][1:0][31:0] arguments;
  logic [31:0] error;
  logic error_valid;

  assign gmem = arguments[PORTS-1:0];
  assign output_address = arguments[ARGUMENT_OUTPUT];
  assign program_address = arguments[ARGUMENT_PROGRAM];
  assign weights_address = arguments[ARGUMENT_WEIGHTS];
  assign input_address = arguments[ARGUMENT_INPUT];

  for (genvar argument = 0; argument < ARGUMENTS; ++argument) begin : gen_argument
    for (genvar half = 0; half < 2; ++half) begin : gen_half
      localparam address_t OFFSET = ARGUMENT_OFFSET[argument] + address_t'(4 * half);
      always_ff @(posedge clk) begin
        for (int lane = 0; lane < 4; ++lane) begin
          if (writes(OFFSET, 8 * lane))
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
      else if (read && read_address == ERROR_CODE_CTRL_OFFSET) error_valid <= 1'b0;
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
      unique case (read_address)
        CTRL_OFFSET: begin
          rdata[CTRL_AP_START]     <= start;
          rdata[CTRL_AP_DONE]      <= done_flag;
          rdata[CTRL_AP_IDLE]      <= was_idle;
          rdata[CTRL_AP_READY]     <= ready_flag;
          rdata[CTRL_AUTO_RESTART] <= auto_restart;
          rdata[CTRL_INTERRUPT]    <= interrupt;
        end
        GIER_OFFSET: rdata[GIER_ENABLE] <= global_enable;
        IP_IER_OFFSET: begin
          rdata[IP_IER_CHAN0_INT_EN] <= done_enable;
          rdata[IP_IER_CHAN1_INT_EN] <= ready_enable;
        end
        IP_ISR_OFFSET: begin
          rdata[IP_ISR_CHAN0_INT_ST] <= done_status;
          rdata[IP_ISR_CHAN1_INT_ST] <= ready_status;
        end
        ERROR_CODE_OFFSET: rdata <= error;
        ERROR_CODE_CTRL_OFFSET: rdata[ERROR_CODE_CTRL_ERROR_CODE_AP_VLD] <= error_valid;
        VERSION_OFFSET: rdata <= VERSION;
        DIGEST_OFFSET: rdata <= DIGEST;
        CYCLES_OFFSET: rdata <= cycles[31:0];
        CYCLES_OFFSET + address_t'(4): rdata <= cycles[63:32];
        default: begin
          for (int argument = 0; argument < ARGUMENTS; ++argument) begin
            for (int half = 0; half < 2; ++half) begin
              if (read_address == ARGUMENT_OFFSET[argument] + address_t'(4 * half))
                rdata <= arguments[argument][half];
            end
          end
          for (int stall = 0; stall < STALLS; ++stall) begin
            if (read_address == STALL_OFFSET[stall]) rdata <= stalls[stall];
          end
        end
      endcase
    end
  end

endmodule

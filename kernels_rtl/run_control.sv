// SPDX-License-Identifier: Apache-2.0
// One run, from start to done: begins when nothing of an earlier run is left, and ends with the
// core's code when all is in memory, or by the watchdog: nothing has moved for 2^WATCHDOG_BITS
// cycles.
//
// After the watchdog has ended a run (as after a reset) the core is held in its reset for SETTLE
// cycles and until fetch and store have taken what memory still owes. A run that is started
// meanwhile waits for that, under the watchdog as well.
module run_control
  import hwgen_program_pkg::*;
#(
    parameter int WATCHDOG_BITS = 20,
    parameter int SETTLE        = 127,  // longer than valid flags stay in the core's data path
    parameter int STALLS        = 7
) (
    input  logic                    clk,
    input  logic                    reset,
    // The control registers.
    input  logic                    start,
    output logic                    done,
    output logic                    idle,
    output logic [       7:0]       error_code,   // with done
    output logic [STALLS-1:0][31:0] stalls,
    // The engine.
    output logic                    launch,       // the run begins
    output logic                    stop,         // the watchdog ends it
    output logic                    clean,        // nothing is left; if not, the core is in reset
    input  logic                    core_done,
    input  logic [       7:0]       core_error,   // with it
    input  logic                    fetch_idle,
    input  logic                    store_idle,
    input  logic                    store_error,
    input  logic                    moved,        // something in the engine or at its ports
    input  logic [STALLS-1:0]       waits         // for what, in this cycle
);

  localparam int SETTLE_BITS = $clog2(SETTLE + 1);

  typedef enum logic [1:0] {
    IDLE,
    WAIT,    // for what is left of an earlier run
    RUN,
    FINISH   // for fetch and store
  } state_t;

  state_t state;
  logic [7:0] run_error;
  logic [WATCHDOG_BITS:0] still;  // cycles in which nothing moved
  logic [SETTLE_BITS-1:0] settle;
  logic moved_before, memory_idle, finished;

  assign idle = state == IDLE && !start;
  assign launch = state == WAIT && clean && !stop;
  assign stop = state != IDLE && still[WATCHDOG_BITS];
  assign finished = state == FINISH && memory_idle;
  assign done = finished || stop;

  always_comb begin
    error_code = run_error;
    if (run_error == ERROR_NONE && store_error) error_code = ERROR_MEMORY;
    if (stop) error_code = ERROR_WATCHDOG;
  end

  always_ff @(posedge clk) begin
    moved_before <= moved;
    memory_idle <= fetch_idle && store_idle;
    if (state == IDLE || moved_before) still <= '0;
    else still <= still + 1'b1;

    if (core_done) run_error <= core_error;

    for (int i = 0; i < STALLS; i++) begin
      if (launch) stalls[i] <= '0;
      else if (state == RUN && waits[i]) stalls[i] <= stalls[i] + 1'b1;
    end

    if (reset) begin
      state <= IDLE;
    end else if (done) begin
      state <= IDLE;
    end else begin
      unique case (state)
        IDLE: if (start) state <= WAIT;
        WAIT: if (clean) state <= RUN;
        RUN: if (core_done) state <= FINISH;
        default: state <= FINISH;
      endcase
    end

    if (reset || stop) begin
      clean  <= 1'b0;
      settle <= SETTLE_BITS'(SETTLE);
    end else if (settle != '0) begin
      settle <= settle - 1'b1;
    end else if (memory_idle) begin
      clean <= 1'b1;
    end
  end

endmodule

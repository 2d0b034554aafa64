// The phases of folds, where an operand is stationary: preload, stream and settle. docs/machine.md,
// "A weight-stationary fold, cycle by cycle", "An input-stationary fold, cycle by cycle" and
// "Overlap".
//
// With OVERLAP the next fold of a part is loaded behind the stream, as soon as the swap bit has
// passed the last row.
module fold_phases #(
    parameter int ROWS = 4,
    parameter int OVERLAP = 0
) (
    input logic clk,
    input logic reset,

    input logic        rests,  // the layer's outputs are stationary
    input logic [ 3:0] sequencer_phase,
    input logic [23:0] count,
    input logic        starts,      // from the first fold on
    input logic        lanes_take,  // parameters, beside this part's first fold
    input logic        stream_waits,  // for activations, whose banks are still to deliver some
    input logic        load_waits,
    input logic [ 8:0] lanes,
    input logic [23:0] depth,
    input logic [23:0] pixel,  // what streams past in this cycle ...
    input logic [23:0] stream_length,  // ... of how many

    output logic [23:0] first_depth,  // k of the fold's first tap
    output logic [ 3:0] next_phase,
    output logic [23:0] next_count,
    output logic        loads,  // a stationary operand of each lane is read for the array
    output logic [ 8:0] load_step,
    output logic [24:0] load_depth,  // k of the first tap of the fold that is loaded
    output logic        lanes_load,  // in this fold's preload
    output logic        stream_starts,
    output logic        swaps,
    output logic [ 3:0] tag
);
  localparam logic [3:0] FLUSH = 7, PRELOAD = 10, STREAM = 11, SETTLE = 12;
  wire [3:0] phase = rests ? '0 : sequencer_phase;

  wire [24:0] counted = {1'b0, count} + 25'd1;  // does not wrap
  wire [24:0] next_depth = {1'b0, first_depth} + 25'(ROWS);
  wire first_fold = first_depth == 0;
  wire last_fold = next_depth >= {1'b0, depth};
  wire stream_ends = {1'b0, pixel} + 25'd1 >= {1'b0, stream_length} && !stream_waits;
  wire fold_ends = phase == STREAM && stream_ends && !last_fold;
  assign tag = phase == STREAM && !stream_waits ? {stream_ends, last_fold, first_fold, 1'b1} : 4'b0;

  assign lanes_load = lanes_take && first_fold;
  wire [8:0] preload_cycles = lanes_load && 32'(lanes) > ROWS ? lanes : 9'(ROWS);
  wire preload_ends = phase == PRELOAD && counted >= {16'b0, preload_cycles} && !load_waits;
  wire preloads = phase == PRELOAD && 32'(count) < ROWS;

  wire next_fold;  // is the one that `first_depth` tells from the next cycle on
  wire settle_ends;
  wire [23:0] settle_count;
  wire [3:0] after_fold, after_settle;
  if (OVERLAP != 0) begin : behind
    localparam logic [8:0] MOST = 9'(2 * ROWS - 1);
    // The last of the next fold's operands is read 2 R - 2 cycles after the stream began. A partial
    // sum is read in the cycle before its row arrives and written as it does, so that no fold may
    // be shorter than two cycles.
    localparam logic [8:0] LOADED = ROWS > 1 ? 9'(2 * ROWS - 2) : 9'd1;
    logic [8:0] ahead;  // cycles since the stream began, at most 2 R - 1
    wire runs = phase == STREAM || phase == SETTLE;
    wire passed = {1'b0, ahead} + 10'd1 >= 10'(ROWS);  // the swap bit, by the last row of column 0
    wire loads_next = runs && !last_fold && passed && ahead < MOST;

    assign loads = preloads || loads_next;
    assign load_step = loads_next ? ahead - 9'(ROWS - 1) : count[8:0];
    assign load_depth = loads_next ? next_depth : {1'b0, first_depth};
    assign next_fold = (fold_ends || phase == SETTLE) && ahead >= LOADED && !load_waits;
    assign stream_starts = preload_ends || next_fold;
    assign swaps = stream_starts;
    assign after_fold = next_fold ? STREAM : SETTLE;
    assign settle_ends = next_fold;
    assign settle_count = count;
    assign after_settle = STREAM;
    always_ff @(posedge clk) begin
      if (reset || stream_starts) ahead <= '0;
      else if (runs && !load_waits) ahead <= ahead < MOST ? ahead + 9'd1 : MOST;
    end
  end else begin : in_place
    assign loads = preloads;
    assign load_step = count[8:0];
    assign load_depth = {1'b0, first_depth};
    assign next_fold = fold_ends;
    assign stream_starts = preload_ends;
    assign swaps = 1'b0;
    assign after_fold = ROWS > 1 ? SETTLE : PRELOAD;
    assign settle_ends = counted + 25'd1 >= 25'(ROWS);
    assign settle_count = counted[23:0];
    assign after_settle = PRELOAD;
  end

  always_comb begin
    next_phase = phase;
    next_count = count;
    case (phase)
      PRELOAD: begin
        next_count = preload_ends ? '0 : load_waits ? count : counted[23:0];
        if (preload_ends) next_phase = STREAM;
      end
      STREAM:
      if (stream_ends) begin
        next_count = '0;
        next_phase = last_fold ? FLUSH : after_fold;
      end
      SETTLE: begin
        next_count = settle_ends ? '0 : settle_count;
        if (settle_ends) next_phase = after_settle;
      end
      default: ;
    endcase
  end

  always_ff @(posedge clk) begin
    if (reset || starts) first_depth <= '0;
    else if (next_fold) first_depth <= next_depth[23:0];
  end
endmodule

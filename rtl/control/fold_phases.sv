// The phases of folds, where an operand is stationary: preload, stream and settle. docs/machine.md,
// "A weight-stationary fold, cycle by cycle" and "An input-stationary fold, cycle by cycle".
module fold_phases #(
    parameter int ROWS = 4,
    parameter int LANES_LOAD = 0  // weight stationary: beside the first fold lanes take parameters
) (
    input logic clk,
    input logic reset,

    input logic [ 3:0] phase,
    input logic [23:0] count,
    input logic        starts,      // from the first fold on
    input logic        first_part,  // of the column tile
    input logic [ 8:0] lanes,
    input logic [23:0] depth,
    input logic [23:0] pixel,  // what streams past in this cycle ...
    input logic [23:0] stream_length,  // ... of how many

    output logic [23:0] first_depth,  // k of the fold's first tap
    output logic [ 3:0] next_phase,
    output logic [23:0] next_count,
    output logic        loads,  // a stationary operand of each lane is read for the array
    output logic [ 8:0] load_step,
    output logic [23:0] load_depth,  // k of the first tap of the fold that is loaded
    output logic        lanes_load,  // in this fold's preload
    output logic        stream_starts,
    output logic [ 3:0] tag
);
  localparam logic [3:0] FLUSH = 7, PRELOAD = 10, STREAM = 11, SETTLE = 12;

  wire [24:0] counted = {1'b0, count} + 25'd1;  // does not wrap
  wire first_fold = first_depth == 0;
  wire last_fold = {1'b0, first_depth} + 25'(ROWS) >= {1'b0, depth};
  wire stream_ends = {1'b0, pixel} + 25'd1 >= {1'b0, stream_length};
  wire settle_ends = counted + 25'd1 >= 25'(ROWS);
  wire fold_ends = phase == STREAM && stream_ends && !last_fold;

  assign lanes_load = LANES_LOAD != 0 && first_fold && first_part;
  wire [8:0] preload_cycles = lanes_load && 32'(lanes) > ROWS ? lanes : 9'(ROWS);
  assign loads = phase == PRELOAD && 32'(count) < ROWS;
  assign load_step = count[8:0];
  assign load_depth = first_depth;
  assign stream_starts = phase == PRELOAD && counted >= {16'b0, preload_cycles};
  assign tag = phase == STREAM ? {stream_ends, last_fold, first_fold, 1'b1} : 4'b0;

  always_comb begin
    next_phase = phase;
    next_count = count;
    case (phase)
      PRELOAD: begin
        next_count = stream_starts ? '0 : counted[23:0];
        if (stream_starts) next_phase = STREAM;
      end
      STREAM:
      if (stream_ends) begin
        next_count = '0;
        next_phase = last_fold ? FLUSH : ROWS > 1 ? SETTLE : PRELOAD;
      end
      SETTLE: begin
        next_count = settle_ends ? '0 : counted[23:0];
        if (settle_ends) next_phase = PRELOAD;
      end
      default: ;
    endcase
  end

  always_ff @(posedge clk) begin
    if (reset || starts) first_depth <= '0;
    else if (fold_ends) first_depth <= first_depth + 24'(ROWS);
  end
endmodule

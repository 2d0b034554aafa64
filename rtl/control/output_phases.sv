// The phases of output-stationary row tiles: feed, bubble and drain. docs/machine.md, "The
// sequencer's phases" and "The array, cycle by cycle".
module output_phases (
    input logic [ 3:0] phase,
    input logic [23:0] count,
    input logic        clears,    // setup ends
    input logic        taps_end,  // the tile's last product is issued
    input logic        last_tile,
    input logic [ 8:0] rows_used,
    input logic [ 8:0] lanes,

    output logic [ 3:0] next_phase,
    output logic [23:0] next_count,
    output logic        tile_ends,
    output logic        row_leaves,  // is issued
    output logic [ 1:0] mode
);
  localparam logic [3:0] FEED = 3, BUBBLE = 4, DRAIN = 5, FLUSH = 7;
  // Modes of the array.
  localparam logic [1:0] ACCUMULATE = 0, SHIFT = 1, SHIFT_CLEAR = 2, CLEAR = 3;

  wire [9:0] used = {1'b0, rows_used} + {1'b0, lanes};
  wire [24:0] counted = {1'b0, count} + 25'd1;  // does not wrap
  wire bubble_ends = counted + 25'd2 >= {15'b0, used};
  wire drain_ends = counted >= {16'b0, rows_used};

  assign row_leaves = phase == DRAIN;
  assign tile_ends = row_leaves && drain_ends;
  assign mode = clears ? CLEAR : !row_leaves ? ACCUMULATE : drain_ends ? SHIFT_CLEAR : SHIFT;

  always_comb begin
    next_phase = phase;
    next_count = count;
    case (phase)
      FEED:
      if (taps_end) begin
        next_count = '0;
        next_phase = used > 10'd2 ? BUBBLE : DRAIN;
      end
      BUBBLE: begin
        next_count = bubble_ends ? '0 : counted[23:0];
        if (bubble_ends) next_phase = DRAIN;
      end
      DRAIN: begin
        next_count = drain_ends ? '0 : counted[23:0];
        if (drain_ends) next_phase = last_tile ? FLUSH : FEED;
      end
      default: ;
    endcase
  end
endmodule

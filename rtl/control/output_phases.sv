// The phases of output-stationary row tiles: feed, bubble and drain. docs/machine.md, "The
// sequencer's phases", "The array, cycle by cycle" and "Overlap".
//
// With OVERLAP a tile's sums are handed over where the swap bit stands, which goes with the first
// product of the next tile, or alone after the last one, and rows leave behind whatever phase
// there is. In layers of another dataflow nothing of this goes on.
//
// With RERUNS a tile waits for the detector, in `verify`, before the next one takes its place; the
// last one of a column tile does so in the flush, unless its rows wait for the checksums of their
// columns, as those of all tiles then do.
module output_phases #(
    parameter int ROWS = 4,
    parameter int OVERLAP = 0,
    parameter int RERUNS = 0,  // tiles may run again; without OVERLAP only
    parameter int COLUMNS_WAIT = 0  // each tile waits, and its rows leave before the next one
) (
    input logic clk,
    input logic reset,

    input logic        rests,  // the layer's outputs are not stationary
    input logic [ 3:0] sequencer_phase,
    input logic [23:0] count,
    input logic        clears,  // setup ends, or what went wrong starts once more
    input logic        verify_ends,  // the detector has judged the tile
    input logic        again,  // ... and it runs once more
    input logic        first_product,
    input logic        taps_end,  // the tile's last product is issued
    input logic        first_tile,
    input logic        last_tile,
    input logic [ 8:0] rows_used,
    input logic [ 8:0] lanes,

    output logic [ 3:0] next_phase,
    output logic [23:0] next_count,
    output logic        tile_ends,  // the next one's positions are taken
    output logic        row_leaves,
    output logic [ 1:0] mode,
    output logic        swaps
);
  localparam logic [3:0] FEED = 3, BUBBLE = 4, DRAIN = 5, FLUSH = 7, VERIFY = 13;
  // Modes of the array.
  localparam logic [1:0] ACCUMULATE = 0, SHIFT = 1, SHIFT_CLEAR = 2, CLEAR = 3;
  wire [3:0] phase = rests ? '0 : sequencer_phase;

  if (OVERLAP != 0) begin : behind
    logic [8:0] drain_wait;  // cycles until the wavefront has passed what was handed over
    logic [8:0] drain_left;  // rows of it that have yet to leave
    wire waits = drain_left != 0 && drain_wait != 0 && !rests;
    wire drained = drain_left == 0 || (drain_left == 9'd1 && drain_wait == 0);
    wire hands_over_last = phase == DRAIN && count == 0 && drained;
    wire hands_over = hands_over_last || (phase == FEED && first_product && !first_tile);
    wire [8:0] rows_handed = hands_over_last ? rows_used : 9'(ROWS);
    wire [9:0] wavefront = {1'b0, rows_handed} + {1'b0, lanes};

    logic [8:0] next_wait, next_left;
    always_comb begin
      next_wait = waits ? drain_wait - 9'd1 : drain_wait;
      next_left = row_leaves ? drain_left - 9'd1 : drain_left;
      if (hands_over) begin
        next_wait = wavefront > 10'd2 ? 9'(wavefront - 10'd2) : '0;
        next_left = rows_handed;
      end
    end
    wire next_drained = next_left == 0 || (next_left == 9'd1 && next_wait == 0);
    always_ff @(posedge clk) begin
      if (reset) {drain_wait, drain_left} <= '0;
      else {drain_wait, drain_left} <= {next_wait, next_left};
    end

    assign row_leaves = drain_left != 0 && drain_wait == 0 && !rests;
    assign tile_ends = phase == FEED && taps_end && !last_tile;
    assign swaps = hands_over_last || (phase == FEED && first_product);
    assign mode = '0;

    always_comb begin
      next_phase = phase;
      next_count = count;
      case (phase)
        FEED:
        if (taps_end) begin
          next_count = '0;
          next_phase = last_tile ? DRAIN : next_drained ? FEED : BUBBLE;
        end
        BUBBLE: if (next_drained) next_phase = FEED;
        DRAIN:
        if (hands_over_last) begin
          next_count = 24'd1;
        end else if (count != 0 && next_left == 0) begin
          next_count = '0;
          next_phase = FLUSH;
        end
        default: ;
      endcase
    end
    wire unused = &{1'b0, clears, verify_ends, again};
  end else begin : in_place
    wire [9:0] used = {1'b0, rows_used} + {1'b0, lanes};
    wire [24:0] counted = {1'b0, count} + 25'd1;  // does not wrap
    wire bubble_ends = counted + 25'd2 >= {15'b0, used};
    wire drain_ends = counted >= {16'b0, rows_used};

    assign row_leaves = phase == DRAIN;
    assign tile_ends = RERUNS != 0 || COLUMNS_WAIT != 0 ? verify_ends && !again : row_leaves && drain_ends;
    assign mode = clears || verify_ends ? CLEAR : !row_leaves ? ACCUMULATE : drain_ends ? SHIFT_CLEAR : SHIFT;
    assign swaps = 1'b0;

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
          if (drain_ends) next_phase = COLUMNS_WAIT != 0 ? VERIFY : last_tile ? FLUSH
                                    : RERUNS != 0 ? VERIFY : FEED;
        end
        VERIFY:
        if (RERUNS != 0 || COLUMNS_WAIT != 0) begin
          next_count = verify_ends ? '0 : counted[23:0];
          if (verify_ends) next_phase = last_tile && !again ? FLUSH : FEED;
        end
        default: ;
      endcase
    end
    wire unused = &{1'b0, clk, reset, first_product, first_tile};
  end
endmodule

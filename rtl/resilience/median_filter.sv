// Replaces every sum by the median of itself and its two neighbouring lanes, which wrap over the
// lanes in use. Two stages: latch, result.
module median_filter #(
    parameter int COLUMNS = 1,
    parameter int WIDTH = 32,      // of a sum, or of an output
    parameter int GATE = 0,        // as in checker_gate
    parameter int FLAG = 0,        // the flag travels as far as the latch
    parameter int RESULT_FLAG = 0,  // ... and on to the next checker
    parameter int CELLS = 0,        // likewise, a bit a lane
    parameter int RESULT_CELLS = 0
) (
    input  wire clk,
    input  wire reset,
    input  wire enabled,            // as in checker_gate
    input  wire next_layer,
    input  wire [8:0] lanes,  // in use by the tile
    input  wire input_valid,
    input  wire input_flag,
    input  wire [COLUMNS-1:0] input_cells,
    input  wire [31:0] input_address,
    input  wire [COLUMNS*WIDTH-1:0] input_sum,
    output wire result_valid,
    output wire result_flag,
    output wire [COLUMNS-1:0] result_cells,
    output wire [31:0] result_address,
    output wire [COLUMNS*WIDTH-1:0] result_sum
);
  wire latched_valid;
  wire latched_flag;
  wire [31:0] latched_address;
  wire [COLUMNS*WIDTH-1:0] latched_sum;
  sum_stage #(.COLUMNS(COLUMNS), .WIDTH(WIDTH), .FLAG(FLAG)) latch (
      .clk, .reset, .in_valid(input_valid), .in_flag(input_flag), .in_address(input_address),
      .in_sum(input_sum), .valid(latched_valid), .flag(latched_flag), .address(latched_address),
      .sum(latched_sum));
  wire [COLUMNS-1:0] cells;
  cell_stage #(.COLUMNS(COLUMNS), .CELLS(CELLS)) latch_cell (
      .clk, .reset, .in_valid(input_valid), .in_cells(input_cells), .cells);

  wire opens;
  checker_gate #(.GATE(GATE)) gate (
      .clk, .reset, .enabled, .next_layer, .valid(latched_valid), .flag(latched_flag), .opens);
  wire filters = opens && lanes >= 9'd3;  // two lanes are each other's neighbours on both sides
  wire [COLUMNS*WIDTH-1:0] previous, following;
  neighbours #(.COLUMNS(COLUMNS), .WIDTH(WIDTH)) ring (
      .lanes, .sum(latched_sum), .previous, .following);
  wire [COLUMNS*WIDTH-1:0] passed;
  for (genvar c = 0; c < COLUMNS; c = c + 1) begin : lane
    wire signed [WIDTH-1:0] sum = latched_sum[WIDTH*c+:WIDTH];
    wire signed [WIDTH-1:0] x = previous[WIDTH*c+:WIDTH];
    wire signed [WIDTH-1:0] y = following[WIDTH*c+:WIDTH];
    wire signed [WIDTH-1:0] least = x < y ? x : y;
    wire signed [WIDTH-1:0] most = x < y ? y : x;
    wire [WIDTH-1:0] middle = sum < least ? least : sum > most ? most : sum;
    assign passed[WIDTH*c+:WIDTH] = filters && (GATE != 3 || cells[c]) && 9'(c) < lanes ?
        middle : sum;
  end
  sum_stage #(.COLUMNS(COLUMNS), .WIDTH(WIDTH), .FLAG(RESULT_FLAG)) result (
      .clk, .reset, .in_valid(latched_valid), .in_flag(latched_flag), .in_address(latched_address),
      .in_sum(passed), .valid(result_valid), .flag(result_flag), .address(result_address),
      .sum(result_sum));
  cell_stage #(.COLUMNS(COLUMNS), .CELLS(RESULT_CELLS)) result_cell (
      .clk, .reset, .in_valid(latched_valid), .in_cells(cells), .cells(result_cells));
endmodule

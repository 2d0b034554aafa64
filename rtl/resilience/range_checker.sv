// Replaces sums (or outputs) outside of [low, high] by the value that means zero, or by the bound
// that they passed. Two stages: latch, result.
module range_checker #(
    parameter int FLOWS = 1,
    parameter int COLUMNS = 1,
    parameter int CHANNEL = 0,     // bounds of each lane instead of one pair
    parameter int NEURON = 0,      // bounds of each neuron
    parameter int WIDTH = 32,      // of a sum, or of an output
    parameter int BOUND = 32,      // of a bound
    parameter int GATE = 0,        // as in checker_gate
    parameter int CLAMP = 0,       // the bound instead of zero
    parameter int FLAG = 0,        // the flag travels as far as the latch
    parameter int RESULT_FLAG = 0,  // ... and on to the next checker
    parameter int CELLS = 0,        // likewise, a bit a lane
    parameter int RESULT_CELLS = 0
) (
    input  wire clk,
    input  wire reset,
    input  wire enabled,            // as in checker_gate
    input  wire next_layer,
    input  wire [8:0] lanes,        // in use by the tile
    input  wire is,                 // as in bounds
    input  wire param1,
    input  wire [8:0] param_lane1,
    input  wire [BOUND-1:0] low_word,
    input  wire [BOUND-1:0] high_word,
    input  wire product,            // the layer has one, and so bounds
    output wire arrives,            // as in bounds
    input  wire [COLUMNS*BOUND-1:0] row_low,
    input  wire [COLUMNS*BOUND-1:0] row_high,
    input  wire [WIDTH-1:0] zero,   // what takes a suppressed one's place
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
  wire [COLUMNS*BOUND-1:0] least, most;
  assign arrives = NEURON != 0 && input_valid && product;
  bounds #(
      .FLOWS(FLOWS), .COLUMNS(COLUMNS), .WIDTH(BOUND), .CHANNEL(CHANNEL), .NEURON(NEURON)
  ) bounds (
      .clk, .reset, .is, .param1, .param_lane1, .low_word, .high_word, .arrives, .row_low,
      .row_high, .least, .most);

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
  wire [COLUMNS*WIDTH-1:0] passed;
  for (genvar c = 0; c < COLUMNS; c = c + 1) begin : lane
    wire signed [WIDTH-1:0] sum = latched_sum[WIDTH*c+:WIDTH];
    wire signed [BOUND-1:0] low = least[BOUND*c+:BOUND];
    wire signed [BOUND-1:0] high = most[BOUND*c+:BOUND];
    wire below = BOUND'(sum) < low;
    wire outside = below || BOUND'(sum) > high;
    wire signed [BOUND-1:0] bound = below ? low : high;
    wire [BOUND-WIDTH:0] top = bound[BOUND-1:WIDTH-1];  // a bound of outputs may be no output
    wire [WIDTH-1:0] saturated = top == '0 || &top ?
        bound[WIDTH-1:0] : {bound[BOUND-1], {(WIDTH - 1) {!bound[BOUND-1]}}};
    wire [WIDTH-1:0] replaced = CLAMP == 0 ? zero : saturated;
    assign passed[WIDTH*c+:WIDTH] = opens && (GATE != 3 || cells[c]) && 9'(c) < lanes && outside ?
        replaced : sum;
  end
  sum_stage #(.COLUMNS(COLUMNS), .WIDTH(WIDTH), .FLAG(RESULT_FLAG)) result (
      .clk, .reset, .in_valid(latched_valid), .in_flag(latched_flag), .in_address(latched_address),
      .in_sum(passed), .valid(result_valid), .flag(result_flag), .address(result_address),
      .sum(result_sum));
  cell_stage #(.COLUMNS(COLUMNS), .CELLS(RESULT_CELLS)) result_cell (
      .clk, .reset, .in_valid(latched_valid), .in_cells(cells), .cells(result_cells));
endmodule

// Replaces a sum when its differences to both neighbouring lanes are out of bounds (Amarnath et al.,
// IOLTS 2022). Neighbours wrap over the lanes in use. Four stages: latch, difference, compare,
// result.
module gradient_checker #(
    parameter int FLOWS = 1,
    parameter int COLUMNS = 1,
    parameter int CHANNEL = 0,     // bounds of each lane instead of one pair
    parameter int NEURON = 0,      // bounds of each neuron
    parameter int WIDTH = 32,      // of a sum, or of an output
    parameter int BOUND = 32,      // of a bound
    parameter int GATE = 0,        // as in checker_gate
    parameter int SPIKE = 0,       // as in gradient_rule
    parameter int SUPPRESS = 0,
    parameter int FLAG = 0,        // the flag travels along, up to the last stage
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
  localparam int WIDE = WIDTH + 1;
  // Where the last stage takes a bound's place, and other bounds may have come by then.
  localparam int HOLD =
      SUPPRESS == 1 && (NEURON != 0 || (CHANNEL != 0 && (FLOWS & 4) != 0)) ? 1 : 0;
  localparam int OUT_BITS = SPIKE != 0 || SUPPRESS == 1 ? 2 : 1;
  wire [COLUMNS*BOUND-1:0] least, most;
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

  assign arrives = NEURON != 0 && latched_valid && product;

  // verilator lint_off UNUSEDSIGNAL
  wire [COLUMNS*WIDTH-1:0] latched_before, latched_after;
  // verilator lint_on UNUSEDSIGNAL
  neighbours #(.COLUMNS(COLUMNS), .WIDTH(WIDTH)) ring (
      .lanes, .sum(latched_sum), .previous(latched_before), .following(latched_after));

  if (1) begin : difference
    // Named as the site is, which is also the name of this module's instance in the machine.
    /* verilator lint_off VARHIDDEN */
    logic [COLUMNS*WIDE-1:0] gradient;
    /* verilator lint_on VARHIDDEN */
    wire valid;
    wire flag;
    wire [31:0] address;
    wire [COLUMNS*WIDTH-1:0] sum;
    sum_stage #(.COLUMNS(COLUMNS), .WIDTH(WIDTH), .FLAG(FLAG)) stage (
        .clk, .reset, .in_valid(latched_valid), .in_flag(latched_flag),
        .in_address(latched_address), .in_sum(latched_sum), .valid, .flag, .address, .sum);
    for (genvar c = 0; c < COLUMNS; c = c + 1) begin : lane
      wire [WIDTH-1:0] this_sum = latched_sum[WIDTH*c+:WIDTH];
      wire [WIDTH-1:0] previous = latched_before[WIDTH*c+:WIDTH];
      always_ff @(posedge clk) begin
        if (reset) gradient[WIDE*c+:WIDE] <= '0;
        else if (latched_valid && 9'(c) < lanes)
          gradient[WIDE*c+:WIDE] <= {this_sum[WIDTH-1], this_sum} - {previous[WIDTH-1], previous};
      end
    end
  end

  if (1) begin : compare
    logic [COLUMNS*OUT_BITS-1:0] out;  // a bit, or below (bit 0) and above (bit 1)
    wire valid;
    wire flag;
    wire [31:0] address;
    wire [COLUMNS*WIDTH-1:0] sum;
    sum_stage #(.COLUMNS(COLUMNS), .WIDTH(WIDTH), .FLAG(FLAG)) stage (
        .clk, .reset, .in_valid(difference.valid), .in_flag(difference.flag),
        .in_address(difference.address), .in_sum(difference.sum), .valid, .flag, .address, .sum);
    for (genvar c = 0; c < COLUMNS; c = c + 1) begin : lane
      wire signed [WIDE-1:0] slope = difference.gradient[WIDE*c+:WIDE];
      wire signed [BOUND-1:0] low = least[BOUND*c+:BOUND];
      wire signed [BOUND-1:0] high = most[BOUND*c+:BOUND];
      wire below = slope < WIDE'(low);
      wire above = slope > WIDE'(high);
      always_ff @(posedge clk) begin
        if (reset) out[OUT_BITS*c+:OUT_BITS] <= '0;
        else if (difference.valid && 9'(c) < lanes)
          out[OUT_BITS*c+:OUT_BITS] <=
              OUT_BITS == 2 ? OUT_BITS'({above, below}) : OUT_BITS'(above || below);
      end
    end
    wire [COLUMNS*BOUND-1:0] held_least, held_most;
    if (HOLD != 0) begin : holds
      bounds #(
          .FLOWS(FLOWS), .COLUMNS(COLUMNS), .WIDTH(BOUND), .NEURON(1)
      ) held (
          .clk, .reset, .is(1'b0), .param1(1'b0), .param_lane1(9'd0), .low_word('0),
          .high_word('0), .arrives(difference.valid), .row_low(least), .row_high(most),
          .least(held_least), .most(held_most));
    end else begin : as_they_are
      assign {held_least, held_most} = {least, most};
    end
  end

  wire [COLUMNS-1:0] latched_cells, differed_cells, cells;
  cell_stage #(.COLUMNS(COLUMNS), .CELLS(CELLS)) latch_cell (
      .clk, .reset, .in_valid(input_valid), .in_cells(input_cells), .cells(latched_cells));
  cell_stage #(.COLUMNS(COLUMNS), .CELLS(CELLS)) difference_cell (
      .clk, .reset, .in_valid(latched_valid), .in_cells(latched_cells), .cells(differed_cells));
  cell_stage #(.COLUMNS(COLUMNS), .CELLS(CELLS)) compare_cell (
      .clk, .reset, .in_valid(difference.valid), .in_cells(differed_cells), .cells);

  wire opens;
  checker_gate #(.GATE(GATE)) gate (
      .clk, .reset, .enabled, .next_layer, .valid(compare.valid), .flag(compare.flag), .opens);
  wire acts = opens && lanes >= 9'd3;  // two lanes share both differences
  wire [COLUMNS*WIDTH-1:0] previous, following;
  neighbours #(.COLUMNS(COLUMNS), .WIDTH(WIDTH)) compared_ring (
      .lanes, .sum(compare.sum), .previous, .following);
  wire [COLUMNS*WIDTH-1:0] passed;
  for (genvar c = 0; c < COLUMNS; c = c + 1) begin : lane
    wire [OUT_BITS-1:0] out = compare.out[OUT_BITS*c+:OUT_BITS];
    wire [OUT_BITS-1:0] out_after = 9'(c + 1) < lanes ?
        compare.out[OUT_BITS*(c+1<COLUMNS?c+1:0)+:OUT_BITS] : compare.out[OUT_BITS-1:0];
    wire blamed;
    wire [WIDTH-1:0] replaced;
    gradient_rule #(.WIDTH(WIDTH), .BOUND(BOUND), .SPIKE(SPIKE), .SUPPRESS(SUPPRESS)) rule (
        .out, .out_after, .previous(previous[WIDTH*c+:WIDTH]), .following(following[WIDTH*c+:WIDTH]),
        .low(compare.held_least[BOUND*c+:BOUND]), .high(compare.held_most[BOUND*c+:BOUND]), .zero,
        .blamed, .replaced);
    assign passed[WIDTH*c+:WIDTH] =
        acts && (GATE != 3 || cells[c]) && 9'(c) < lanes && blamed ? replaced : compare.sum[WIDTH*c+:WIDTH];
  end
  sum_stage #(.COLUMNS(COLUMNS), .WIDTH(WIDTH), .FLAG(RESULT_FLAG)) result (
      .clk, .reset, .in_valid(compare.valid), .in_flag(compare.flag), .in_address(compare.address),
      .in_sum(passed), .valid(result_valid), .flag(result_flag), .address(result_address),
      .sum(result_sum));
  cell_stage #(.COLUMNS(COLUMNS), .CELLS(RESULT_CELLS)) result_cell (
      .clk, .reset, .in_valid(compare.valid), .in_cells(cells), .cells(result_cells));
endmodule

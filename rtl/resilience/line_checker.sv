// A gradient checker whose neighbours are the vectors that leave before and after, in a line of the
// output map. A vector waits in `compare` until the one after it has its difference, or leaves at
// once where it is its line's last; a line's first and last pass as they are. Four stages: latch,
// difference, compare, result.
module line_checker #(
    parameter int COLUMNS = 1,
    parameter int FLOWS = 1,
    parameter int CHANNEL = 0,     // bounds of each lane instead of one pair
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
    input  wire [23:0] line,        // pixels of an output row
    input  wire [8:0] lanes,        // in use by the tile
    input  wire is,                 // as in bounds
    input  wire param1,
    input  wire [8:0] param_lane1,
    input  wire [BOUND-1:0] low_word,
    input  wire [BOUND-1:0] high_word,
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
  localparam int OUT_BITS = SPIKE != 0 || SUPPRESS == 1 ? 2 : 1;
  wire [COLUMNS*BOUND-1:0] least, most;
  bounds #(.FLOWS(FLOWS), .COLUMNS(COLUMNS), .WIDTH(BOUND), .CHANNEL(CHANNEL)) bounds (
      .clk, .reset, .is, .param1, .param_lane1, .low_word, .high_word, .arrives(1'b0),
      .row_low('0), .row_high('0), .least, .most);

  logic [23:0] position;  // in its line, of the next vector
  wire starts = position == '0;
  wire ends = {1'b0, position} + 25'd1 >= {1'b0, line};
  always_ff @(posedge clk) begin
    if (reset || next_layer || (input_valid && ends)) position <= '0;
    else if (input_valid) position <= position + 24'd1;
  end

  if (1) begin : latch
    wire valid;
    wire flag;
    wire [31:0] address;
    wire [COLUMNS*WIDTH-1:0] sum;
    sum_stage #(.COLUMNS(COLUMNS), .WIDTH(WIDTH), .FLAG(FLAG)) stage (
        .clk, .reset, .in_valid(input_valid), .in_flag(input_flag), .in_address(input_address),
        .in_sum(input_sum), .valid, .flag, .address, .sum);
    logic [1:0] edge_;  // last, first
    always_ff @(posedge clk) begin
      if (reset) edge_ <= '0;
      else if (input_valid) edge_ <= {ends, starts};
    end
  end

  if (1) begin : difference
    /* verilator lint_off VARHIDDEN */
    logic [COLUMNS*WIDE-1:0] gradient;
    /* verilator lint_on VARHIDDEN */
    wire valid;
    // verilator lint_off UNUSEDSIGNAL
    wire flag;
    // verilator lint_on UNUSEDSIGNAL
    wire [31:0] address;
    wire [COLUMNS*WIDTH-1:0] sum;
    sum_stage #(.COLUMNS(COLUMNS), .WIDTH(WIDTH), .FLAG(FLAG)) stage (
        .clk, .reset, .in_valid(latch.valid), .in_flag(latch.flag), .in_address(latch.address),
        .in_sum(latch.sum), .valid, .flag, .address, .sum);
    logic [1:0] edge_;
    always_ff @(posedge clk) begin
      if (reset) edge_ <= '0;
      else if (latch.valid) edge_ <= latch.edge_;
    end
    wire [COLUMNS*OUT_BITS-1:0] out;
    for (genvar c = 0; c < COLUMNS; c = c + 1) begin : lane
      wire [WIDTH-1:0] this_sum = latch.sum[WIDTH*c+:WIDTH];
      wire [WIDTH-1:0] previous = sum[WIDTH*c+:WIDTH];  // what stands here came before
      always_ff @(posedge clk) begin
        if (reset) gradient[WIDE*c+:WIDE] <= '0;
        else if (latch.valid && 9'(c) < lanes)
          gradient[WIDE*c+:WIDE] <= {this_sum[WIDTH-1], this_sum} - {previous[WIDTH-1], previous};
      end
      wire signed [WIDE-1:0] slope = gradient[WIDE*c+:WIDE];
      wire signed [BOUND-1:0] low = least[BOUND*c+:BOUND];
      wire signed [BOUND-1:0] high = most[BOUND*c+:BOUND];
      wire below = slope < WIDE'(low);
      wire above = slope > WIDE'(high);
      assign out[OUT_BITS*c+:OUT_BITS] =
          OUT_BITS == 2 ? OUT_BITS'({above, below}) : OUT_BITS'(above || below);
    end
  end

  if (1) begin : compare
    logic valid;
    logic flag;
    logic [31:0] address;
    logic [COLUMNS*WIDTH-1:0] sum;
    logic last;
    logic [COLUMNS*OUT_BITS-1:0] out;  // of a line's first: 0
    wire leaves = valid && (difference.valid || last);
    always_ff @(posedge clk) begin
      if (reset) begin
        {valid, last} <= '0;
        address <= '0;
        sum <= '0;
      end else begin
        valid <= difference.valid || (valid && !leaves);
        if (difference.valid) begin
          last <= difference.edge_[1];
          address <= difference.address;
          sum <= difference.sum;
        end
      end
    end
    if (FLAG != 0) begin : flagged
      always_ff @(posedge clk) begin
        if (reset) flag <= 1'b0;
        else if (difference.valid) flag <= difference.flag;
      end
    end else begin : unflagged
      assign flag = 1'b0;
    end
    for (genvar c = 0; c < COLUMNS; c = c + 1) begin : lane
      always_ff @(posedge clk) begin
        if (reset) out[OUT_BITS*c+:OUT_BITS] <= '0;
        else if (difference.valid && 9'(c) < lanes)
          out[OUT_BITS*c+:OUT_BITS] <=
              difference.edge_[0] ? '0 : difference.out[OUT_BITS*c+:OUT_BITS];
      end
    end
  end
  // The vector before the one in `compare`, where it may take its place.
  wire [COLUMNS*WIDTH-1:0] before_;
  if (SUPPRESS != 0) begin : memory
    logic [COLUMNS*WIDTH-1:0] previous;
    always_ff @(posedge clk) begin
      if (reset) previous <= '0;
      else if (difference.valid) previous <= compare.sum;
    end
    assign before_ = previous;
  end else begin : forgets
    assign before_ = '0;
  end

  wire [COLUMNS-1:0] latched_cells, differed_cells, cells;
  cell_stage #(.COLUMNS(COLUMNS), .CELLS(CELLS)) latch_cell (
      .clk, .reset, .in_valid(input_valid), .in_cells(input_cells), .cells(latched_cells));
  cell_stage #(.COLUMNS(COLUMNS), .CELLS(CELLS)) difference_cell (
      .clk, .reset, .in_valid(latch.valid), .in_cells(latched_cells), .cells(differed_cells));
  cell_stage #(.COLUMNS(COLUMNS), .CELLS(CELLS)) compare_cell (
      .clk, .reset, .in_valid(difference.valid), .in_cells(differed_cells), .cells);

  wire opens;
  checker_gate #(.GATE(GATE)) gate (
      .clk, .reset, .enabled, .next_layer, .valid(compare.leaves), .flag(compare.flag), .opens);
  wire acts = opens && !compare.last;
  wire [COLUMNS*WIDTH-1:0] passed;
  for (genvar c = 0; c < COLUMNS; c = c + 1) begin : lane
    wire blamed;
    wire [WIDTH-1:0] replaced;
    gradient_rule #(.WIDTH(WIDTH), .BOUND(BOUND), .SPIKE(SPIKE), .SUPPRESS(SUPPRESS)) rule (
        .out(compare.out[OUT_BITS*c+:OUT_BITS]), .out_after(difference.out[OUT_BITS*c+:OUT_BITS]),
        .previous(before_[WIDTH*c+:WIDTH]), .following(difference.sum[WIDTH*c+:WIDTH]),
        .low(least[BOUND*c+:BOUND]), .high(most[BOUND*c+:BOUND]), .zero, .blamed, .replaced);
    assign passed[WIDTH*c+:WIDTH] =
        acts && (GATE != 3 || cells[c]) && 9'(c) < lanes && blamed ? replaced : compare.sum[WIDTH*c+:WIDTH];
  end
  sum_stage #(.COLUMNS(COLUMNS), .WIDTH(WIDTH), .FLAG(RESULT_FLAG)) result (
      .clk, .reset, .in_valid(compare.leaves), .in_flag(compare.flag), .in_address(compare.address),
      .in_sum(passed), .valid(result_valid), .flag(result_flag), .address(result_address),
      .sum(result_sum));
  cell_stage #(.COLUMNS(COLUMNS), .CELLS(RESULT_CELLS)) result_cell (
      .clk, .reset, .in_valid(compare.leaves), .in_cells(cells), .cells(result_cells));
endmodule

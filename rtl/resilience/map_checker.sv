// A gradient checker whose neighbours are those left, right, above and below in the output map. A
// vector is blamed where its differences to three of them are above the high bound, or to three
// below the low one; a missing neighbour is in bounds. Vectors come in the order of the map's
// pixels. One waits in `compare` until the one after it has its difference, or leaves at once where
// it is its line's last. It leaves for `below`, and on to the line memory; beside it the vector of
// the line above comes from there to `above`, where it is judged. The last line of the last image is
// pushed out. Layers in whose maps no pixel has three neighbours go past the line memory.
module map_checker #(
    parameter int COLUMNS = 1,
    parameter int FLOWS = 1,
    parameter int PIXELS = 1,      // words of the line memory
    parameter int CHANNEL = 0,     // bounds of each lane instead of one pair
    parameter int WIDTH = 32,      // of a sum, or of an output
    parameter int BOUND = 32,      // of a bound
    parameter int GATE = 0,        // as in checker_gate
    parameter int SUPPRESS = 0,    // as in gradient_rule; the neighbour before is the one on the left
                                   // or of a line's first below, the one after is the one below
    parameter int FLAG = 0,        // the flag travels along, up to the last stage
    parameter int RESULT_FLAG = 0  // ... and on to the next checker
) (
    input  wire clk,
    input  wire reset,
    input  wire enabled,            // as in checker_gate
    input  wire next_layer,
    input  wire [23:0] line,        // pixels of an output row
    input  wire [23:0] map_lines,   // rows of the output map; 0: past the line memory
    input  wire [23:0] rows,        // pixels of all images
    input  wire [8:0] lanes,        // in use by the tile
    input  wire is,                 // as in bounds
    input  wire param1,
    input  wire [8:0] param_lane1,
    input  wire [BOUND-1:0] low_word,
    input  wire [BOUND-1:0] high_word,
    input  wire [WIDTH-1:0] zero,   // what takes a suppressed one's place
    input  wire input_valid,
    input  wire input_flag,
    input  wire [31:0] input_address,
    input  wire [COLUMNS*WIDTH-1:0] input_sum,
    output wire result_valid,
    output wire result_flag,
    output wire [31:0] result_address,
    output wire [COLUMNS*WIDTH-1:0] result_sum
);
  localparam int WIDE = WIDTH + 1;
  localparam int ADDRESS_BITS = PIXELS > 1 ? $clog2(PIXELS) : 1;
  localparam logic [23:0] WORDS = 24'(PIXELS);
  wire [COLUMNS*BOUND-1:0] least, most;
  bounds #(.FLOWS(FLOWS), .COLUMNS(COLUMNS), .WIDTH(BOUND), .CHANNEL(CHANNEL)) bounds (
      .clk, .reset, .is, .param1, .param_lane1, .low_word, .high_word, .arrives(1'b0),
      .row_low('0), .row_high('0), .least, .most);
  wire passes = map_lines == '0;

  wire latch_valid;
  // verilator lint_off UNUSEDSIGNAL
  wire latch_flag;
  // verilator lint_on UNUSEDSIGNAL
  wire [31:0] latch_address;
  wire [COLUMNS*WIDTH-1:0] latch_sum;
  sum_stage #(.COLUMNS(COLUMNS), .WIDTH(WIDTH), .FLAG(FLAG)) latch (
      .clk, .reset, .in_valid(input_valid), .in_flag(input_flag), .in_address(input_address),
      .in_sum(input_sum), .valid(latch_valid), .flag(latch_flag), .address(latch_address),
      .sum(latch_sum));

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
        .clk, .reset, .in_valid(latch_valid), .in_flag(latch_flag), .in_address(latch_address),
        .in_sum(latch_sum), .valid, .flag, .address, .sum);
    // {above, below} of this vector against the one on its left, and of that one against this.
    wire [COLUMNS*2-1:0] to_left, to_right;
    for (genvar c = 0; c < COLUMNS; c = c + 1) begin : lane
      wire [WIDTH-1:0] this_sum = latch_sum[WIDTH*c+:WIDTH];
      wire [WIDTH-1:0] previous = sum[WIDTH*c+:WIDTH];  // what stands here came before
      always_ff @(posedge clk) begin
        if (reset) gradient[WIDE*c+:WIDE] <= '0;
        else if (latch_valid && 9'(c) < lanes)
          gradient[WIDE*c+:WIDE] <= {this_sum[WIDTH-1], this_sum} - {previous[WIDTH-1], previous};
      end
      both_ends #(.WIDE(WIDE), .BOUND(BOUND)) ends (
          .slope(gradient[WIDE*c+:WIDE]), .low(least[BOUND*c+:BOUND]), .high(most[BOUND*c+:BOUND]),
          .there(to_left[2*c+:2]), .back(to_right[2*c+:2]));
    end
  end

  // Where the vector in `difference` is: in its line, in its map and in the batch.
  logic [23:0] position, row, pixel;
  wire begins = passes || position == '0;
  wire last = passes || {1'b0, position} + 25'd1 >= {1'b0, line};
  wire bottom = {1'b0, row} + 25'd1 >= {1'b0, map_lines};
  wire end_ = !passes && {1'b0, pixel} + 25'd1 >= {1'b0, rows};
  always_ff @(posedge clk) begin
    if (reset || next_layer || (difference.valid && end_)) {position, row, pixel} <= '0;
    else if (difference.valid) begin
      position <= last ? '0 : position + 24'd1;
      if (last) row <= bottom ? '0 : row + 24'd1;
      if (!passes) pixel <= pixel + 24'd1;
    end
  end

  if (1) begin : compare
    logic valid;
    logic flag;
    logic [31:0] address;
    logic [COLUMNS*WIDTH-1:0] sum;
    logic [2:0] edge_;  // the batch's last, in a map's first line, the line's last
    logic [COLUMNS*2-1:0] out;  // against the one on the left; of a line's first: 0
    wire leaves = valid && (difference.valid || edge_[0]);
    always_ff @(posedge clk) begin
      if (reset) begin
        {valid, edge_} <= '0;
        address <= '0;
        sum <= '0;
      end else begin
        valid <= difference.valid || (valid && !leaves);
        if (difference.valid) begin
          edge_ <= {end_, row == '0, last};
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
        if (reset) out[2*c+:2] <= '0;
        else if (difference.valid && 9'(c) < lanes)
          out[2*c+:2] <= begins ? '0 : difference.to_left[2*c+:2];
      end
    end
  end

  // The word of the line memory that the vector in `compare` takes, and that is being read for it;
  // whether the memory holds a line; whether that is the last one, which leaves by itself.
  logic [23:0] slot;
  logic full, pushing;
  wire moves = (compare.leaves && !passes) || pushing;
  wire wraps = moves && {1'b0, slot} + 25'd1 >= {1'b0, line};
  always_ff @(posedge clk) begin
    if (reset || next_layer) begin
      {slot, full, pushing} <= '0;
    end else begin
      if (moves) slot <= wraps ? '0 : slot + 24'd1;
      if (wraps) full <= !pushing;
      pushing <= (compare.leaves && !passes && compare.edge_[2]) || (pushing && !wraps);
    end
  end

  // How many differences are out: above the high bound, below the low one; two bits each.
  logic [COLUMNS*WIDTH-1:0] line_lane[0:PIXELS-1];
  logic [COLUMNS*4-1:0] line_out[0:PIXELS-1];
  logic [31:0] line_address[0:PIXELS-1];
  initial
    for (int i = 0; i < PIXELS; i = i + 1) begin
      line_lane[i] = '0;
      line_out[i] = '0;
      line_address[i] = '0;
    end
  wire inside_ = slot < WORDS;
  wire [ADDRESS_BITS-1:0] read_word = slot[ADDRESS_BITS-1:0];
  wire word_flag;

  if (1) begin : below
    wire valid;
    // verilator lint_off UNUSEDSIGNAL
    wire flag;
    // verilator lint_on UNUSEDSIGNAL
    wire [31:0] address;
    wire [COLUMNS*WIDTH-1:0] sum;
    sum_stage #(.COLUMNS(COLUMNS), .WIDTH(WIDTH), .FLAG(FLAG)) stage (
        .clk, .reset, .in_valid(compare.leaves), .in_flag(compare.flag),
        .in_address(compare.address), .in_sum(compare.sum), .valid, .flag, .address, .sum);
    logic [COLUMNS*4-1:0] out;  // against left and right
    logic top;
    logic [23:0] place;  // in the line memory
    always_ff @(posedge clk) begin
      if (reset) {top, place} <= '0;
      else if (compare.leaves) {top, place} <= {compare.edge_[1], slot};
    end
    for (genvar c = 0; c < COLUMNS; c = c + 1) begin : lane
      wire [1:0] left = compare.out[2*c+:2];
      wire [1:0] right = compare.edge_[0] ? '0 : difference.to_right[2*c+:2];
      always_ff @(posedge clk) begin
        if (reset) out[4*c+:4] <= '0;
        else if (compare.leaves && 9'(c) < lanes)
          out[4*c+:4] <= {{1'b0, left[1]} + {1'b0, right[1]}, {1'b0, left[0]} + {1'b0, right[0]}};
      end
    end
  end

  if (1) begin : above
    wire reads = moves && full;
    wire valid;
    // verilator lint_off UNUSEDSIGNAL
    wire flag;
    // verilator lint_on UNUSEDSIGNAL
    wire [31:0] address;
    wire [COLUMNS*WIDTH-1:0] sum;
    sum_stage #(.COLUMNS(COLUMNS), .WIDTH(WIDTH), .FLAG(FLAG)) stage (
        .clk, .reset, .in_valid(reads), .in_flag(inside_ && word_flag),
        .in_address(inside_ ? line_address[read_word] : '0),
        .in_sum(inside_ ? line_lane[read_word] : '0), .valid, .flag, .address, .sum);
    logic [COLUMNS*4-1:0] out;
    always_ff @(posedge clk) begin
      if (reset) out <= '0;
      else if (reads) out <= inside_ ? line_out[read_word] : '0;
    end
    // The neighbour on the left of the one in `above`, where it may take its place.
    wire [COLUMNS*WIDTH-1:0] left;
    wire starts;
    if (SUPPRESS != 0) begin : neighbour
      logic [COLUMNS*WIDTH-1:0] previous;
      logic first;
      always_ff @(posedge clk) begin
        if (reset) {previous, first} <= '0;
        else if (reads) {previous, first} <= {sum, slot == '0};
      end
      assign {left, starts} = {previous, first};
    end else begin : forgets
      assign {left, starts} = '0;
    end
  end

  // The difference between the two is out, for the one below and for the one above.
  wire adjoin = above.valid && below.valid && !below.top;
  wire [COLUMNS*4-1:0] out_written;
  wire [COLUMNS*2-1:0] to_below;
  for (genvar c = 0; c < COLUMNS; c = c + 1) begin : pair
    wire [WIDTH-1:0] upper = above.sum[WIDTH*c+:WIDTH];
    wire [WIDTH-1:0] lower = below.sum[WIDTH*c+:WIDTH];
    wire [1:0] to_above;
    both_ends #(.WIDE(WIDE), .BOUND(BOUND)) ends (
        .slope({lower[WIDTH-1], lower} - {upper[WIDTH-1], upper}), .low(least[BOUND*c+:BOUND]),
        .high(most[BOUND*c+:BOUND]), .there(to_above), .back(to_below[2*c+:2]));
    wire counts = adjoin && 9'(c) < lanes;
    assign out_written[4*c+2+:2] = below.out[4*c+2+:2] + {1'b0, counts && to_above[1]};
    assign out_written[4*c+:2] = below.out[4*c+:2] + {1'b0, counts && to_above[0]};
  end
  wire writes = below.valid && !passes && below.place < WORDS;
  wire [ADDRESS_BITS-1:0] written_word = below.place[ADDRESS_BITS-1:0];
  always_ff @(posedge clk) begin
    if (writes) begin
      line_lane[written_word] <= below.sum;
      line_out[written_word] <= out_written;
      line_address[written_word] <= below.address;
    end
  end
  if (FLAG != 0) begin : flags
    logic [0:0] line_flag[0:PIXELS-1];  // with a range, by which Verilator knows it for a memory
    initial for (int i = 0; i < PIXELS; i = i + 1) line_flag[i] = 1'b0;
    always_ff @(posedge clk) if (writes) line_flag[written_word] <= below.flag;
    assign word_flag = line_flag[read_word];
  end else begin : no_flags
    assign word_flag = 1'b0;
  end

  wire leaving_valid = passes ? below.valid : above.valid;
  wire leaving_flag = passes ? below.flag : above.flag;
  wire [31:0] leaving_address = passes ? below.address : above.address;
  wire opens;
  checker_gate #(.GATE(GATE)) gate (
      .clk, .reset, .enabled, .next_layer, .valid(leaving_valid), .flag(leaving_flag), .opens);
  wire acts = opens && !passes;
  wire [COLUMNS*WIDTH-1:0] passed;
  for (genvar c = 0; c < COLUMNS; c = c + 1) begin : lane
    wire [1:0] down = adjoin ? to_below[2*c+:2] : '0;
    wire [2:0] peaks = {1'b0, above.out[4*c+2+:2]} + {2'b0, down[1]};
    wire [2:0] dips = {1'b0, above.out[4*c+:2]} + {2'b0, down[0]};
    wire peak = peaks >= 3'd3;
    wire blamed = peak || dips >= 3'd3;
    wire [WIDTH-1:0] lower = below.sum[WIDTH*c+:WIDTH];
    wire [WIDTH-1:0] before_ = above.starts ? lower : above.left[WIDTH*c+:WIDTH];
    // verilator lint_off UNUSEDSIGNAL
    wire one_sided;
    // verilator lint_on UNUSEDSIGNAL
    wire [WIDTH-1:0] replaced;
    gradient_rule #(.WIDTH(WIDTH), .BOUND(BOUND), .SPIKE(1), .SUPPRESS(SUPPRESS)) rule (
        .out({peak, !peak}), .out_after(2'b0), .previous(before_),
        .following(adjoin ? lower : before_), .low(least[BOUND*c+:BOUND]),
        .high(most[BOUND*c+:BOUND]), .zero, .blamed(one_sided), .replaced);
    assign passed[WIDTH*c+:WIDTH] =
        passes ? lower : acts && 9'(c) < lanes && blamed ? replaced : above.sum[WIDTH*c+:WIDTH];
  end
  sum_stage #(.COLUMNS(COLUMNS), .WIDTH(WIDTH), .FLAG(RESULT_FLAG)) result (
      .clk, .reset, .in_valid(leaving_valid), .in_flag(leaving_flag), .in_address(leaving_address),
      .in_sum(passed), .valid(result_valid), .flag(result_flag), .address(result_address),
      .sum(result_sum));
endmodule

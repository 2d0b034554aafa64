// The error detector: one column of PEs whose weights are the row sums of the weight tile. For each
// row that leaves the array, the sum of the biased outputs must equal the column's, modulo 2^32;
// the row's flag says where it does not.
//
// In an input-stationary layer the axes swap: a row is one channel of up to COLUMNS pixels, and
// what stays in the column are the sums of the pixels' activations, which a second tree of LEVELS
// stages adds up as they are loaded; weights, load enable and swap bit wait as long. The channel's
// biases join at the end. Where other layers are not, nothing enters that tree in them, and what
// moves along the rows and what enters the column come to the column at once.
//
// The column has skew registers of its own. The sum of the outputs is a tree of LEVELS stages; the
// sums and the expected value wait beside it.
module checksum #(
    parameter int FLOWS = 1,
    parameter int ROWS = 1,
    parameter int COLUMNS = 1,
    parameter int PARTIAL_ROWS = 1,
    parameter int WEIGHT_BITS = 8,
    parameter int OVERLAP = 0,
    parameter int ACTIVATION_LANES = 1,
    parameter int CODE = 0,  // of the partial sums' check bits
    parameter int DIFFERENCE = 0  // how much a row's sums lack, for the checksums of columns
) (
    input  wire clk,
    input  wire reset,
    input  wire os,  // the layer is output stationary
    input  wire is,  // ... or input stationary
    input  wire [ACTIVATION_LANES*8-1:0] activations,
    input  wire [WEIGHT_BITS-1:0] weight,  // the row sum
    input  wire [ROWS*8-1:0] weights,      // input stationary: one a row
    input  wire [1:0] mode,  // output stationary
    input  wire load,        // weight or input stationary, as are tags and rows
    input  wire swap_in,     // overlap: as in the array
    input  wire shift,
    input  wire [3:0] tag,
    input  wire [3:0] next_tag,
    input  wire [23:0] read_row,
    input  wire [23:0] write_row,
    input  wire [8:0] lanes,  // in use by the tile
    input  wire param1,
    input  wire [8:0] param_lane1,
    // The sum of the biases, valid beside lane 0's parameters; input stationary, in every cycle,
    // that of a channel's whole tile of pixels and of the layer's last one.
    input  wire [31:0] bias_word,
    input  wire [31:0] last_bias_word,
    input  wire leaving_valid,     // a row of sums is on its way to the bias adder
    input  wire sums_valid,        // from the bias adder
    input  wire [31:0] sums_address,
    input  wire [COLUMNS*32-1:0] sums_sum,
    output wire output_valid,
    output wire output_flag,
    output logic [31:0] difference,
    output wire [31:0] output_address,
    output wire [COLUMNS*32-1:0] output_sum,
    output wire uncorrected
);
  localparam int LEVELS = $clog2(COLUMNS);
  localparam bit OS = (FLOWS & 1) != 0;
  localparam bit WS = (FLOWS & 2) != 0;
  localparam bit IS = (FLOWS & 4) != 0;

  logic [31:0] bias_sum;
  always_ff @(posedge clk) begin
    if (reset) bias_sum <= '0;
    else if (is) bias_sum <= lanes == 9'(COLUMNS) ? bias_word : last_bias_word;
    else if (param1 && param_lane1 == 9'd0) bias_sum <= bias_word;
  end

  // What moves along the rows, what stays in the column or passes down it, and its load enable.
  wire [ROWS*8-1:0] moving;
  wire [WEIGHT_BITS-1:0] entering;
  wire load_now;
  wire swap_now;
  if (IS) begin : inputs
    for (genvar l = 0; l <= LEVELS; l = l + 1) begin : input_tree
      localparam int ENTRIES = (COLUMNS + (1 << l) - 1) >> l;
      localparam int BELOW = l > 0 ? (COLUMNS + (1 << (l - 1)) - 1) >> (l - 1) : 0;
      localparam int WIDTH = 8 + l;
      wire [ENTRIES*WIDTH-1:0] terms;
      if (l == 0) begin : leaves
        // Lanes without a pixel read padding.
        for (genvar c = 0; c < COLUMNS; c = c + 1) begin : lane
          assign terms[8*c+:8] = is && 9'(c) < lanes ? activations[8*c+:8] : '0;
        end
      end else begin : later
        logic [ENTRIES*WIDTH-1:0] entry;
        assign terms = entry;
        for (genvar i = 0; i < ENTRIES; i = i + 1) begin : pair
          wire signed [WIDTH-2:0] first = input_tree[l-1].terms[2*i*(WIDTH-1)+:WIDTH-1];
          wire signed [WIDTH-2:0] second;
          if (2 * i + 1 < BELOW) begin : whole
            assign second = input_tree[l-1].terms[(2*i+1)*(WIDTH-1)+:WIDTH-1];
          end else begin : half
            assign second = '0;
          end
          always_ff @(posedge clk) begin
            if (reset) entry[WIDTH*i+:WIDTH] <= '0;
            else entry[WIDTH*i+:WIDTH] <= WIDTH'(first) + WIDTH'(second);
          end
        end
      end
    end
    wire [ROWS*8-1:0] weights_late;
    wire load_late;
    wire swap_late;
    if (LEVELS == 0) begin : at_once
      assign weights_late = weights;
      assign load_late = load;
      assign swap_late = swap_in;
    end else begin : delayed
      delay_line #(.STAGES(LEVELS), .WIDTH(ROWS * 8)) late_weight (
          .clk, .reset, .in(weights), .out(weights_late));
      delay_line #(.STAGES(LEVELS), .WIDTH(1)) late_load (
          .clk, .reset, .in(load), .out(load_late));
      if (OVERLAP != 0) begin : swaps
        delay_line #(.STAGES(LEVELS), .WIDTH(1)) late_swap (
            .clk, .reset, .in(swap_in), .out(swap_late));
      end else begin : no_swaps
        assign swap_late = swap_in;
      end
    end
    if (FLOWS == 4) begin : every_layer
      assign moving = weights_late;
      assign entering = input_tree[LEVELS].terms;
    end else begin : some_layers
      assign moving = is ? weights_late : activations[ROWS*8-1:0];
      assign entering = is ? input_tree[LEVELS].terms : weight;
    end
    assign load_now = is ? load_late : load;
    assign swap_now = is ? swap_late : swap_in;
    wire unused = &{1'b0, activations, weight, param1, param_lane1};
  end else begin : weight_sums
    assign moving = activations;
    assign entering = weight;
    assign load_now = load;
    assign swap_now = swap_in;
    wire unused = &{1'b0, weights, last_bias_word};
  end

  for (genvar r = 0; r < ROWS; r = r + 1) begin : skew
    wire [7:0] now;
    if (r == 0) begin : at_once
      assign now = moving[7:0];
    end else begin : delayed
      delay_line #(.STAGES(r), .WIDTH(8)) line (
          .clk, .reset, .in(moving[8*r+:8]), .out(now));
    end
  end

  wire [ROWS-1:0] swaps;
  for (genvar r = 0; r < ROWS; r = r + 1) begin : skew_swap
    if (OVERLAP == 0 || r == 0) begin : at_once
      assign swaps[r] = OVERLAP != 0 && swap_now;
    end else begin : delayed
      delay_line #(.STAGES(r), .WIDTH(1)) line (.clk, .reset, .in(swap_now), .out(swaps[r]));
    end
  end

  // Weight sums come from above, sums of activations from below; sums leave at the top where
  // outputs are stationary, else at the bottom.
  for (genvar r = 0; r < ROWS; r = r + 1) begin : pe
    wire [WEIGHT_BITS-1:0] above, below;
    wire [WEIGHT_BITS-1:0] onwards;
    wire [31:0] sum_above, sum_below;
    wire [31:0] acc_out;
    wire [31:0] leaving;
    wire unused = &{1'b0, onwards, acc_out, leaving};  // of the last PE, or of other dataflows

    if (r == 0) begin : top
      assign above = entering;
      assign sum_above = '0;
    end else begin : below_another
      assign above = pe[r-1].onwards;
      assign sum_above = pe[r-1].acc_out;
    end
    if (r == ROWS - 1) begin : bottom
      assign below = entering;
      assign sum_below = OVERLAP == 0 ? bias_sum : '0;
    end else begin : above_another
      assign below = pe[r+1].onwards;
      assign sum_below = pe[r+1].leaving;
    end

    checksum_pe #(.FLOWS(FLOWS), .WEIGHT_BITS(WEIGHT_BITS), .OVERLAP(OVERLAP)) unit (
        .clk, .reset, .os, .mode, .load(load_now), .swap_in(swaps[r]), .shift, .left(skew[r].now),
        .from_column(is ? below : above), .sum_above, .sum_below, .bias_sum, .onwards, .acc_out,
        .leaving);
  end

  // The column's sum for the row that goes to the bias adder in this cycle.
  wire [31:0] column_sum;
  if (FLOWS == 1) begin : from_top
    assign column_sum = pe[0].leaving;
    assign uncorrected = 1'b0;
    wire unused = &{1'b0, tag, next_tag, read_row, write_row};
  end else begin : from_partial
    wire [31:0] aligned;
    wire [31:0] finished;
    // As long as a row of the array waits for its last column; in an input-stationary layer the
    // tree has taken some of the cycles.
    localparam int SHORT = COLUMNS - 1 - LEVELS;
    localparam int STAGES = WS ? COLUMNS - 1 : SHORT;
    // Stage s is what stood below the column s cycles ago.
    wire [(STAGES+1)*32-1:0] since;
    assign since[31:0] = pe[ROWS-1].acc_out;
    if (STAGES > 0) begin : wait_
      logic [STAGES*32-1:0] stage;
      always_ff @(posedge clk) stage <= reset ? '0 : since[STAGES*32-1:0];
      assign since[(STAGES+1)*32-1:32] = stage;
    end
    assign aligned = is ? since[SHORT*32+:32] : since[STAGES*32+:32];
    checksum_partial #(.PARTIAL_ROWS(PARTIAL_ROWS), .CODE(CODE)) partial (
        .clk, .reset, .tag, .next_tag, .read_row, .write_row, .first(is ? '0 : bias_sum),
        .aligned, .finished, .uncorrected);
    assign column_sum = OS && os ? pe[0].leaving : is ? finished + bias_sum : finished;
  end

  // Level 0 is the bias adder's output, of which lanes that are not in use count as zero. Each
  // level of the tree adds neighbours of the one before it.
  for (genvar l = 0; l <= LEVELS; l = l + 1) begin : delay
    wire valid;
    wire [31:0] address;
    wire [COLUMNS*32-1:0] sum;
    if (l == 0) begin : none
      assign valid = sums_valid;
      assign address = sums_address;
      assign sum = sums_sum;
    end else begin : later
      wire unused_flag;
      sum_stage #(.COLUMNS(COLUMNS)) stage (
          .clk, .reset, .in_valid(delay[l-1].valid), .in_flag(1'b0),
          .in_address(delay[l-1].address), .in_sum(delay[l-1].sum), .valid, .flag(unused_flag),
          .address, .sum);
    end
  end

  for (genvar l = 0; l <= LEVELS; l = l + 1) begin : expected
    logic [31:0] value;
    if (l == 0) begin : first
      always_ff @(posedge clk) begin
        if (reset) value <= '0;
        else if (leaving_valid) value <= column_sum;
      end
    end else begin : later
      always_ff @(posedge clk) begin
        if (reset) value <= '0;
        else if (delay[l-1].valid) value <= expected[l-1].value;
      end
    end
  end

  for (genvar l = 0; l <= LEVELS; l = l + 1) begin : tree
    localparam int ENTRIES = (COLUMNS + (1 << l) - 1) >> l;
    localparam int BELOW = l > 0 ? (COLUMNS + (1 << (l - 1)) - 1) >> (l - 1) : 0;
    wire [ENTRIES*32-1:0] terms;
    if (l == 0) begin : leaves
      for (genvar c = 0; c < COLUMNS; c = c + 1) begin : lane
        assign terms[32*c+:32] = 9'(c) < lanes ? sums_sum[32*c+:32] : '0;
      end
    end else begin : later
      logic [ENTRIES*32-1:0] entry;
      assign terms = entry;
      for (genvar i = 0; i < ENTRIES; i = i + 1) begin : pair
        wire [31:0] second;
        if (2 * i + 1 < BELOW) begin : whole
          assign second = tree[l-1].terms[64*i+32+:32];
        end else begin : half
          assign second = '0;
        end
        always_ff @(posedge clk) begin
          if (reset) entry[32*i+:32] <= '0;
          else if (delay[l-1].valid) entry[32*i+:32] <= tree[l-1].terms[64*i+:32] + second;
        end
      end
    end
  end

  sum_stage #(.COLUMNS(COLUMNS), .FLAG(1)) output_ (
      .clk, .reset, .in_valid(delay[LEVELS].valid),
      .in_flag(tree[LEVELS].terms != expected[LEVELS].value), .in_address(delay[LEVELS].address),
      .in_sum(delay[LEVELS].sum), .valid(output_valid), .flag(output_flag),
      .address(output_address), .sum(output_sum));
  if (DIFFERENCE != 0) begin : differs
    always_ff @(posedge clk) begin
      if (reset) difference <= '0;
      else if (delay[LEVELS].valid) difference <= expected[LEVELS].value - tree[LEVELS].terms;
    end
  end else begin : flag_only
    assign difference = '0;
  end
endmodule

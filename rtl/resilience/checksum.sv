// The error detector: one column of PEs whose weights are the row sums of the weight tile. For each
// row that leaves the array, the sum of the biased outputs must equal the column's, modulo 2^32; the
// row's flag says where it does not.
//
// The column has skew registers of its own. The sum of the outputs is a tree of LEVELS stages; the
// sums and the expected value wait beside it.
module checksum #(
    parameter int DATAFLOW = 0,
    parameter int ROWS = 1,
    parameter int COLUMNS = 1,
    parameter int PARTIAL_ROWS = 1,
    parameter int WEIGHT_BITS = 8
) (
    input  wire clk,
    input  wire reset,
    input  wire [ROWS*8-1:0] activations,
    input  wire [WEIGHT_BITS-1:0] weight,
    input  wire [1:0] mode,  // output stationary
    input  wire load,        // weight stationary, as are tags and rows
    input  wire [3:0] tag,
    input  wire [3:0] next_tag,
    input  wire [23:0] read_row,
    input  wire [23:0] write_row,
    input  wire [8:0] lanes,  // in use by the tile
    input  wire param1,
    input  wire [8:0] param_lane1,
    input  wire [31:0] bias_word,  // valid beside lane 0's parameters
    input  wire leaving_valid,     // a row of sums is on its way to the bias adder
    input  wire sums_valid,        // from the bias adder
    input  wire [31:0] sums_address,
    input  wire [COLUMNS*32-1:0] sums_sum,
    output wire output_valid,
    output wire output_flag,
    output wire [31:0] output_address,
    output wire [COLUMNS*32-1:0] output_sum
);
  localparam int LEVELS = $clog2(COLUMNS);

  logic [31:0] bias_sum;
  always_ff @(posedge clk) begin
    if (reset) bias_sum <= '0;
    else if (param1 && param_lane1 == 9'd0) bias_sum <= bias_word;
  end

  for (genvar r = 0; r < ROWS; r = r + 1) begin : skew
    wire [7:0] entering;
    if (r == 0) begin : at_once
      assign entering = activations[7:0];
    end else begin : delayed
      delay_line #(.STAGES(r), .WIDTH(8)) line (
          .clk, .reset, .in(activations[8*r+:8]), .out(entering));
    end
  end

  for (genvar r = 0; r < ROWS; r = r + 1) begin : pe
    wire [WEIGHT_BITS-1:0] above;
    if (r == 0) begin : first
      assign above = weight;
    end else begin : later
      assign above = pe[r-1].b;
    end

    logic [7:0] a;
    logic [WEIGHT_BITS-1:0] b;
    logic [31:0] acc;
    wire signed [WEIGHT_BITS+7:0] product;
    multiply #(.A_WIDTH(8), .B_WIDTH(WEIGHT_BITS)) times (.a(a), .b(b), .product(product));

    if (DATAFLOW == 0) begin : output_stationary
      wire [31:0] below;
      if (r + 1 == ROWS) begin : last_row
        assign below = bias_sum;
      end else begin : above_another
        assign below = pe[r+1].acc;
      end
      always_ff @(posedge clk) begin
        if (reset) begin
          a <= '0;
          b <= '0;
          acc <= '0;
        end else begin
          a <= skew[r].entering;
          b <= above;
          if (mode == 2'd0) acc <= acc + 32'(product);
          else if (mode == 2'd1) acc <= below;
          else acc <= bias_sum;
        end
      end
    end else begin : weight_stationary
      wire [31:0] acc_above;
      if (r == 0) begin : first_row
        assign acc_above = '0;
      end else begin : below_another
        assign acc_above = pe[r-1].acc;
      end
      always_ff @(posedge clk) begin
        if (reset) begin
          a <= '0;
          b <= '0;
          acc <= '0;
        end else begin
          a <= skew[r].entering;
          if (load) b <= above;
          acc <= acc_above + 32'(product);
        end
      end
    end
  end

  // The column's sum for the row that goes to the bias adder in this cycle.
  wire [31:0] column_sum;
  if (DATAFLOW == 0) begin : from_top
    assign column_sum = pe[0].acc;
    wire unused = &{1'b0, load, tag, next_tag, read_row, write_row};
  end else begin : from_partial
    wire [31:0] aligned;
    if (COLUMNS == 1) begin : narrow
      assign aligned = pe[ROWS-1].acc;
    end else begin : wait_
      // As long as a row of the array waits for its last column.
      delay_line #(.STAGES(COLUMNS - 1), .WIDTH(32)) line (
          .clk, .reset, .in(pe[ROWS-1].acc), .out(aligned));
    end
    checksum_partial #(.PARTIAL_ROWS(PARTIAL_ROWS)) partial (
        .clk, .reset, .tag, .next_tag, .read_row, .write_row, .bias_sum, .aligned,
        .finished(column_sum));
    wire unused = &{1'b0, mode};
  end

  // Level 0 is the bias adder's output, of which lanes that are not in use count as zero. Each level
  // of the tree adds neighbours of the one before it.
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
endmodule

// Replaces a sum by zero when its differences to both neighbouring lanes are out of bounds
// (Amarnath et al., IOLTS 2022). Neighbours wrap over the lanes in use. Four stages: latch,
// difference, compare, result.
module gradient_checker #(
    parameter int FLOWS = 1,
    parameter int COLUMNS = 1,
    parameter int CHANNEL = 0,   // bounds of each lane instead of one pair
    parameter int ROW_GATE = 0,  // only in rows whose checksum failed
    parameter int FLAG = 0,        // the checksum flag travels along, up to the last stage
    parameter int RESULT_FLAG = 0  // ... and on to the next checker
) (
    input  wire clk,
    input  wire reset,
    input  wire [8:0] lanes,        // in use by the tile
    input  wire is,                 // as in bounds
    input  wire param1,
    input  wire [8:0] param_lane1,
    input  wire [31:0] low_word,
    input  wire [31:0] high_word,
    input  wire input_valid,
    input  wire input_flag,
    input  wire [31:0] input_address,
    input  wire [COLUMNS*32-1:0] input_sum,
    output wire result_valid,
    output wire result_flag,
    output wire [31:0] result_address,
    output wire [COLUMNS*32-1:0] result_sum
);
  wire [COLUMNS*32-1:0] least, most;
  bounds #(.FLOWS(FLOWS), .COLUMNS(COLUMNS), .CHANNEL(CHANNEL)) bounds (
      .clk, .reset, .is, .param1, .param_lane1, .low_word, .high_word, .least, .most);

  wire latched_valid;
  wire latched_flag;
  wire [31:0] latched_address;
  wire [COLUMNS*32-1:0] latched_sum;
  sum_stage #(.COLUMNS(COLUMNS), .FLAG(FLAG)) latch (
      .clk, .reset, .in_valid(input_valid), .in_flag(input_flag), .in_address(input_address),
      .in_sum(input_sum), .valid(latched_valid), .flag(latched_flag), .address(latched_address),
      .sum(latched_sum));

  // A lane minus the one before it; before lane 0 comes the last lane in use.
  logic [31:0] last_sum;
  always_comb begin
    last_sum = '0;
    for (int c = 0; c < COLUMNS; c = c + 1)
      if (lanes == 9'(c + 1)) last_sum = latched_sum[32*c+:32];
  end

  if (1) begin : difference
    // Named as the site is, which is also the name of this module's instance in the machine.
    /* verilator lint_off VARHIDDEN */
    logic [COLUMNS*33-1:0] gradient;
    /* verilator lint_on VARHIDDEN */
    wire valid;
    wire flag;
    wire [31:0] address;
    wire [COLUMNS*32-1:0] sum;
    sum_stage #(.COLUMNS(COLUMNS), .FLAG(FLAG)) stage (
        .clk, .reset, .in_valid(latched_valid), .in_flag(latched_flag),
        .in_address(latched_address), .in_sum(latched_sum), .valid, .flag, .address, .sum);
    for (genvar c = 0; c < COLUMNS; c = c + 1) begin : lane
      wire [31:0] this_sum = latched_sum[32*c+:32];
      wire [31:0] previous = c == 0 ? last_sum : latched_sum[32*(c>0?c-1:0)+:32];
      always_ff @(posedge clk) begin
        if (reset) gradient[33*c+:33] <= '0;
        else if (latched_valid && 9'(c) < lanes)
          gradient[33*c+:33] <= {this_sum[31], this_sum} - {previous[31], previous};
      end
    end
  end

  if (1) begin : compare
    logic [COLUMNS-1:0] out;
    wire valid;
    wire flag;
    wire [31:0] address;
    wire [COLUMNS*32-1:0] sum;
    sum_stage #(.COLUMNS(COLUMNS), .FLAG(FLAG)) stage (
        .clk, .reset, .in_valid(difference.valid), .in_flag(difference.flag),
        .in_address(difference.address), .in_sum(difference.sum), .valid, .flag, .address, .sum);
    for (genvar c = 0; c < COLUMNS; c = c + 1) begin : lane
        wire signed [32:0] slope = difference.gradient[33*c+:33];
      wire signed [31:0] low = least[32*c+:32];
      wire signed [31:0] high = most[32*c+:32];
      always_ff @(posedge clk) begin
        if (reset) out[c] <= 1'b0;
        else if (difference.valid && 9'(c) < lanes)
          out[c] <= slope < 33'(low) || slope > 33'(high);
      end
    end
  end

  // Two lanes share both differences, so blame needs three.
  wire open = lanes >= 9'd3 && (ROW_GATE == 0 || compare.flag);
  wire [COLUMNS*32-1:0] passed;
  for (genvar c = 0; c < COLUMNS; c = c + 1) begin : lane
    wire out_after = 9'(c + 1) < lanes ? compare.out[c+1<COLUMNS?c+1:0] : compare.out[0];
    assign passed[32*c+:32] =
        open && 9'(c) < lanes && compare.out[c] && out_after ? '0 : compare.sum[32*c+:32];
  end
  sum_stage #(.COLUMNS(COLUMNS), .FLAG(RESULT_FLAG)) result (
      .clk, .reset, .in_valid(compare.valid), .in_flag(compare.flag), .in_address(compare.address),
      .in_sum(passed), .valid(result_valid), .flag(result_flag), .address(result_address),
      .sum(result_sum));
endmodule

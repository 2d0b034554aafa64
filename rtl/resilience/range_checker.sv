// Replaces sums outside of [low, high] by zero, the value that means zero before requantisation.
// Two stages: latch, result.
module range_checker #(
    parameter int FLOWS = 1,
    parameter int COLUMNS = 1,
    parameter int CHANNEL = 0,      // bounds of each lane instead of one pair
    parameter int ROW_GATE = 0,     // only in rows whose checksum failed
    parameter int LATCH_FLAG = 0,   // the flag travels as far as the latch
    parameter int RESULT_FLAG = 0   // ... and on to the next checker
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
  sum_stage #(.COLUMNS(COLUMNS), .FLAG(LATCH_FLAG)) latch (
      .clk, .reset, .in_valid(input_valid), .in_flag(input_flag), .in_address(input_address),
      .in_sum(input_sum), .valid(latched_valid), .flag(latched_flag), .address(latched_address),
      .sum(latched_sum));

  wire open = ROW_GATE == 0 || latched_flag;
  wire [COLUMNS*32-1:0] passed;
  for (genvar c = 0; c < COLUMNS; c = c + 1) begin : lane
    wire signed [31:0] sum = latched_sum[32*c+:32];
    wire outside = sum < signed'(least[32*c+:32]) || sum > signed'(most[32*c+:32]);
    assign passed[32*c+:32] = open && 9'(c) < lanes && outside ? '0 : sum;
  end
  sum_stage #(.COLUMNS(COLUMNS), .FLAG(RESULT_FLAG)) result (
      .clk, .reset, .in_valid(latched_valid), .in_flag(latched_flag), .in_address(latched_address),
      .in_sum(passed), .valid(result_valid), .flag(result_flag), .address(result_address),
      .sum(result_sum));
endmodule

// The vector unit: bias at the head of the drain path, requantisation and activation behind the
// resilience unit, max pooling, and average pooling and adding, whose taps the requantiser's
// multipliers add up. One row of COLUMNS lanes a cycle, no stalls.
//
//   row of sums -> bias_add -> [resilience unit] -> requantise -> output -> [checkers of outputs] ->
//   activation scratchpad -> requantise -> output -> the same
//   activation scratchpad -> pool -> output -> the same
//
// A lane has its own parameters. In an input-stationary layer a row is one channel, so all lanes
// take the next channel's in every cycle; where all layers are, they share one set.
module vector_unit #(
    parameter int FLOWS = 1,
    parameter int COLUMNS = 1,
    parameter int CHECK = 0,  // as in output_stage
    localparam int SETS = FLOWS == 4 ? 1 : COLUMNS
) (
    input  wire clk,
    input  wire reset,

    input wire is,  // the layer is input stationary

    // From the sequencer. Bits of pool1 and pool2: 0 tap under way, 1 first of its pixel, 2 last,
    // 3 outside of the map, 4 (pool1 only) of the second operand.
    input  wire raw,  // the layer leaves its sums in the accumulator buffer
    input  wire [7:0] output_zero_point,
    input  wire [7:0] output_min,
    input  wire [7:0] output_max,
    input  wire [1:0] operation,  // 0 sums, 1 maximum, 2 sum of taps
    input  wire [7:0] input_zero_point,
    input  wire [7:0] second_zero_point,
    input  wire [23:0] tap_scale,
    input  wire [23:0] second_scale,
    input  wire [5:0] tap_shift,
    input  wire [4:0] pool1,
    input  wire [31:0] pool_address1,
    input  wire [3:0] pool2,
    input  wire [31:0] pool_address2,
    input  wire param1,             // lane_words are those of a lane ...
    input  wire [8:0] param_lane1,  // ... of this one
    input  wire [63:0] lane_words,  // bias; mantissa 24, shift 6

    input  wire row_valid,  // from the array, or from the partial-sum memory
    input  wire [31:0] row_address,
    input  wire [COLUMNS*32-1:0] row_sum,
    output wire bias_add_valid,  // towards the resilience unit
    output wire [31:0] bias_add_address,
    output wire [COLUMNS*32-1:0] bias_add_sum,
    input  wire checked_valid,  // from it
    input  wire [31:0] checked_address,
    input  wire [COLUMNS*32-1:0] checked_sum,
    input  wire [COLUMNS*8-1:0] pool_operand,  // from the activation scratchpad
    input  wire [8:0] lanes,                   // in use by the tile
    output wire output_valid,                  // towards it
    output wire output_flag,
    output wire [31:0] output_address,
    output wire [COLUMNS*8-1:0] output_value
);
  logic [SETS*32-1:0] bias;
  logic [SETS*24-1:0] scale;
  logic [SETS*6-1:0] shift;

  always_ff @(posedge clk) begin
    if (reset) begin
      bias <= '0;
      scale <= '0;
      shift <= '0;
    end else if (param1 || is) begin
      for (int i = 0; i < SETS; i = i + 1) begin
        if (param_lane1 == 9'(i) || is) begin
          bias[32*i+:32] <= lane_words[31:0];
          scale[24*i+:24] <= lane_words[55:32];
          shift[6*i+:6] <= lane_words[61:56];
        end
      end
    end
  end

  wire [COLUMNS*32-1:0] biased;
  for (genvar c = 0; c < COLUMNS; c = c + 1) begin : lane
    localparam int SET = SETS == 1 ? 0 : c;
    assign biased[32*c+:32] = row_sum[32*c+:32] + bias[32*SET+:32];
  end
  wire unused_flag;
  sum_stage #(.COLUMNS(COLUMNS)) bias_add (
      .clk, .reset, .in_valid(row_valid), .in_flag(1'b0), .in_address(row_address),
      .in_sum(biased), .valid(bias_add_valid), .flag(unused_flag), .address(bias_add_address),
      .sum(bias_add_sum));

  wire product_valid;
  wire [31:0] product_address;
  wire [COLUMNS*56-1:0] product;
  wire [SETS*6-1:0] product_shift;
  requantise_stage #(
      .CHANNELS((FLOWS & 4) != 0 ? 1 : 0), .COLUMNS(COLUMNS), .SETS(SETS)
  ) requantise (
      .clk, .reset, .is, .in_valid(checked_valid && !raw), .in_address(checked_address),
      .in_sum(checked_sum), .scale, .in_shift(shift), .tap(pool1[0] && operation == 2'd2),
      .first(pool1[1]), .last(pool1[2]), .padded(pool1[3]), .tap_address(pool_address1),
      .operand(pool_operand), .zero_point(pool1[4] ? second_zero_point : input_zero_point),
      .tap_scale(pool1[4] ? second_scale : tap_scale), .valid(product_valid),
      .address(product_address), .product, .out_shift(product_shift));

  wire [COLUMNS*8-1:0] largest;
  max_pool #(.COLUMNS(COLUMNS)) pool (
      .clk, .reset, .tap(pool1[0] && operation == 2'd1), .first(pool1[1]), .padded(pool1[3]),
      .operand(pool_operand), .value(largest));

  output_stage #(.COLUMNS(COLUMNS), .CHECK(CHECK), .SETS(SETS)) output_ (
      .clk, .reset, .in_valid(product_valid), .in_address(product_address),
      .in_product(product), .shift(operation == 2'd2 ? {SETS{tap_shift}} : product_shift),
      .zero_point(output_zero_point), .low(output_min), .high(output_max),
      .pooled(pool2[0] && pool2[2] && operation == 2'd1), .pool_address(pool_address2),
      .pool_value(largest), .lanes, .has_product(operation == 2'd0), .flag(output_flag),
      .valid(output_valid), .address(output_address),
      .value(output_value));

  // Two bits of the word that holds the scale, and what only the other stage of pooling looks at.
  wire unused = &{1'b0, lane_words[63:62], pool2[1], pool2[3]};
endmodule

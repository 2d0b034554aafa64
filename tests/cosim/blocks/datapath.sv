// The blocks that values pass through, wired as in the machine (rtl/sagitta.sv), with the registers
// of control and of the scratchpads' read ports as inputs: the block bench drives those at random.
module datapath #(
    parameter int DATAFLOW = 0,
    parameter int ROWS = 1,
    parameter int COLUMNS = 1,
    parameter int COPIES = 1,
    parameter int PARTIAL_ROWS = 1,
    parameter int CHECKSUM = 0,
    parameter int RANGE = 0,
    parameter int RANGE_CHANNEL = 0,
    parameter int RANGE_ROW_GATE = 0,
    parameter int GRADIENT = 0,
    parameter int GRADIENT_CHANNEL = 0,
    parameter int GRADIENT_ROW_GATE = 0,
    localparam int CHECKSUM_BITS = 8 + $clog2(COLUMNS)
) (
    input wire clk,
    input wire reset,
    input wire [ROWS*8-1:0] activations,
    input wire [COLUMNS*8-1:0] weights,
    input wire [COLUMNS*8-1:0] pool_operand,
    input wire [CHECKSUM_BITS-1:0] checksum_weight,
    input wire [63:0] lane_words,
    input wire [31:0] bias_sum_word,
    input wire [63:0] range_words,
    input wire [63:0] gradient_words,
    input wire [1:0] mode,
    input wire load,
    input wire row_leaves,
    input wire [31:0] row_leaves_address,
    input wire [3:0] tag,
    input wire [3:0] next_tag,
    input wire [23:0] first_row,
    input wire [31:0] output_address,
    input wire [23:0] result_columns,
    input wire [8:0] lanes,
    input wire raw,
    input wire [7:0] output_zero_point,
    input wire [7:0] output_min,
    input wire [7:0] output_max,
    input wire [3:0] pool1,
    input wire [3:0] pool2,
    input wire [31:0] pool_address2,
    input wire param1,
    input wire [8:0] param_lane1,
    output wire output_valid,
    output wire [31:0] output_address_out,
    output wire [COLUMNS*8-1:0] output_value
);
  localparam int RANGE_FLAG = CHECKSUM != 0 && RANGE != 0 && RANGE_ROW_GATE != 0 ? 1 : 0;
  localparam int GRADIENT_FLAG = CHECKSUM != 0 && GRADIENT != 0 && GRADIENT_ROW_GATE != 0 ? 1 : 0;

  wire [COLUMNS*32-1:0] sums;
  array #(.DATAFLOW(DATAFLOW), .ROWS(ROWS), .COLUMNS(COLUMNS), .COPIES(COPIES)) array (
      .clk, .reset, .activations, .weights, .mode, .load, .sums);

  wire row_valid;
  wire [31:0] row_address;
  wire [COLUMNS*32-1:0] row_sum;
  wire [23:0] read_row;
  wire [23:0] write_row;
  if (DATAFLOW == 0) begin : outputs_stay
    assign {row_valid, row_address, row_sum} = {row_leaves, row_leaves_address, sums};
    assign {read_row, write_row} = '0;
  end else begin : memory
    partial_sums #(.COLUMNS(COLUMNS), .PARTIAL_ROWS(PARTIAL_ROWS)) partial (
        .clk, .reset, .tag, .next_tag, .aligned(sums), .first_row, .output_address,
        .columns(result_columns), .read_row, .write_row, .finished_valid(row_valid),
        .finished_address(row_address), .finished_sum(row_sum));
  end

  wire biased_valid;
  wire [31:0] biased_address;
  wire [COLUMNS*32-1:0] biased_sum;
  wire checked_valid;
  wire [31:0] checked_address;
  wire [COLUMNS*32-1:0] checked_sum;
  vector_unit #(.COLUMNS(COLUMNS)) vector (
      .clk, .reset, .raw, .output_zero_point, .output_min, .output_max, .pool1, .pool2,
      .pool_address2, .param1, .param_lane1, .lane_words, .row_valid, .row_address, .row_sum,
      .bias_add_valid(biased_valid), .bias_add_address(biased_address), .bias_add_sum(biased_sum),
      .checked_valid, .checked_address, .checked_sum, .pool_operand, .output_valid,
      .output_address(output_address_out), .output_value);

  if (1) begin : resilience
    wire summed_valid;
    wire summed_flag;
    wire [31:0] summed_address;
    wire [COLUMNS*32-1:0] summed_sum;
    if (CHECKSUM != 0) begin : detector
      checksum #(
          .DATAFLOW(DATAFLOW), .ROWS(ROWS), .COLUMNS(COLUMNS), .PARTIAL_ROWS(PARTIAL_ROWS),
          .WEIGHT_BITS(CHECKSUM_BITS)
      ) checksum (
          .clk, .reset, .activations, .weight(checksum_weight), .mode, .load, .tag, .next_tag,
          .read_row, .write_row, .lanes, .param1, .param_lane1, .bias_word(bias_sum_word),
          .leaving_valid(row_valid), .sums_valid(biased_valid), .sums_address(biased_address),
          .sums_sum(biased_sum), .output_valid(summed_valid), .output_flag(summed_flag),
          .output_address(summed_address), .output_sum(summed_sum));
    end else begin : no_detector
      assign {summed_valid, summed_flag} = {biased_valid, 1'b0};
      assign {summed_address, summed_sum} = {biased_address, biased_sum};
    end

    wire ranged_valid;
    wire ranged_flag;
    wire [31:0] ranged_address;
    wire [COLUMNS*32-1:0] ranged_sum;
    if (RANGE != 0) begin : values
      range_checker #(
          .COLUMNS(COLUMNS), .CHANNEL(RANGE_CHANNEL), .ROW_GATE(RANGE_ROW_GATE),
          .LATCH_FLAG(RANGE_FLAG | GRADIENT_FLAG), .RESULT_FLAG(GRADIENT_FLAG)
      ) range (
          .clk, .reset, .lanes, .param1, .param_lane1, .low_word(range_words[31:0]),
          .high_word(range_words[63:32]), .input_valid(summed_valid), .input_flag(summed_flag),
          .input_address(summed_address), .input_sum(summed_sum), .result_valid(ranged_valid),
          .result_flag(ranged_flag), .result_address(ranged_address), .result_sum(ranged_sum));
    end else begin : no_values
      assign {ranged_valid, ranged_flag} = {summed_valid, summed_flag};
      assign {ranged_address, ranged_sum} = {summed_address, summed_sum};
    end

    if (GRADIENT != 0) begin : neighbours
      wire unused_flag;
      gradient_checker #(
          .COLUMNS(COLUMNS), .CHANNEL(GRADIENT_CHANNEL), .ROW_GATE(GRADIENT_ROW_GATE),
          .FLAG(GRADIENT_FLAG)
      ) gradient (
          .clk, .reset, .lanes, .param1, .param_lane1, .low_word(gradient_words[31:0]),
          .high_word(gradient_words[63:32]), .input_valid(ranged_valid),
          .input_flag(ranged_flag), .input_address(ranged_address), .input_sum(ranged_sum),
          .result_valid(checked_valid), .result_flag(unused_flag),
          .result_address(checked_address), .result_sum(checked_sum));
    end else begin : no_neighbours
      wire unused_flag = ranged_flag;
      assign checked_valid = ranged_valid;
      assign {checked_address, checked_sum} = {ranged_address, ranged_sum};
    end
  end
endmodule

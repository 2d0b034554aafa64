// The layer descriptor that the sequencer works on. The host's word has the fields that these
// dataflows have registers for, in the order of their declarations in the simulator, the first one
// lowest.
module layer_registers #(
    parameter int FLOWS = 1,
    parameter int MAP_BITS = 1,
    parameter int LINES = 0,
    parameter int HELD_LINES = 0,
    parameter int NEURONS = 0,  // there are bounds of each neuron
    parameter int DESCRIPTOR_BITS = 1
) (
    input logic clk,
    input logic reset,
    input logic takes,
    input logic [DESCRIPTOR_BITS-1:0] next_descriptor,

    output logic          [15:0] height,
    output logic          [23:0] width,
    output logic          [23:0] rows,
    output logic          [23:0] columns,
    output logic          [23:0] group_columns,
    output logic          [15:0] origin_y,
    output logic          [15:0] origin_x,
    output logic          [15:0] stride_y,
    output logic          [15:0] stride_x,
    output logic          [23:0] span_x,
    output logic          [23:0] span_y,
    output logic          [15:0] dilation_y,
    output logic          [15:0] dilation_x,
    output logic           [7:0] kernel_h,
    output logic           [7:0] kernel_w,
    output logic          [23:0] tap_channels,
    output logic          [31:0] tap_step_x,
    output logic          [31:0] tap_step_y,
    output logic          [31:0] origin_address,
    output logic          [31:0] pixel_step,
    output logic          [31:0] line_step,
    output logic          [31:0] image_step,
    output logic          [23:0] tile_y,
    output logic          [23:0] tile_x,
    output logic          [23:0] depth,
    output logic          [23:0] tile_channels,
    output logic          [31:0] tile_address,
    output logic          [31:0] tile_output,
    output logic           [7:0] input_zero_point,
    output logic           [7:0] output_zero_point,
    output logic           [7:0] output_min,
    output logic           [7:0] output_max,
    output logic           [1:0] operation,
    output logic                 raw,
    output logic [MAP_BITS-1:0] input_map,
    output logic [MAP_BITS-1:0] second_map,
    output logic [MAP_BITS-1:0] output_map,
    output logic          [23:0] tap_scale,
    output logic          [23:0] second_scale,
    output logic           [5:0] tap_shift,
    output logic           [7:0] second_zero_point,
    output logic           [1:0] dataflow,  // of several
    output logic          [23:0] line,
    output logic          [23:0] map_lines,
    output logic          [23:0] image_rows
);
  localparam bit OS = (FLOWS & 1) != 0;
  localparam bit WS = (FLOWS & 2) != 0;
  localparam bit IS = (FLOWS & 4) != 0;
  localparam bit MIXED = (FLOWS & (FLOWS - 1)) != 0;
  localparam int LOW_BITS = 488;  // up to the fields of some dataflows
  localparam int TILE_BITS = OS || IS ? 80 : 0;
  localparam int FOLD_BITS = WS || IS ? 24 : 0;
  localparam int CHANNEL_BITS = IS ? 56 : 0;
  localparam int IMAGE_ROWS_AT = DESCRIPTOR_BITS - (NEURONS != 0 ? 24 : 0);
  localparam int MAP_LINES_AT = IMAGE_ROWS_AT - (HELD_LINES != 0 ? 24 : 0);
  localparam int LINE_AT = MAP_LINES_AT - 24 * LINES;
  localparam int HIGH_BITS = LINE_AT - (MIXED ? 2 : 0);

  always_ff @(posedge clk) begin
    if (reset) begin
      {image_step, line_step, pixel_step, origin_address, tap_step_y, tap_step_x} <= '0;
      {tap_channels, kernel_w, kernel_h, dilation_x, dilation_y, span_y, span_x} <= '0;
      {stride_x, stride_y, origin_x, origin_y, group_columns, columns, rows, width} <= '0;
      {second_zero_point, tap_shift, second_scale, tap_scale, height} <= '0;
      {output_map, second_map, input_map} <= '0;
      {raw, operation, output_max, output_min, output_zero_point, input_zero_point} <= '0;
    end else if (takes) begin
      {image_step, line_step, pixel_step, origin_address, tap_step_y, tap_step_x, tap_channels,
       kernel_w, kernel_h, dilation_x, dilation_y, span_y, span_x, stride_x, stride_y, origin_x,
       origin_y, group_columns, columns, rows, width, height} <= next_descriptor[LOW_BITS-1:0];
      {second_zero_point, tap_shift, second_scale, tap_scale, output_map, second_map,
       input_map, raw, operation, output_max, output_min, output_zero_point, input_zero_point} <=
          next_descriptor[HIGH_BITS-1:LOW_BITS+TILE_BITS+FOLD_BITS+CHANNEL_BITS];
    end
  end
  if (TILE_BITS > 0) begin : tiles
    always_ff @(posedge clk) begin
      if (reset) {tile_address, tile_x, tile_y} <= '0;
      else if (takes) {tile_address, tile_x, tile_y} <= next_descriptor[LOW_BITS+:80];
    end
  end else begin : no_tiles
    assign {tile_address, tile_x, tile_y} = '0;
  end
  if (FOLD_BITS > 0) begin : folds
    always_ff @(posedge clk) begin
      if (reset) depth <= '0;
      else if (takes) depth <= next_descriptor[LOW_BITS+TILE_BITS+:24];
    end
  end else begin : no_folds
    assign depth = '0;
  end
  if (IS) begin : channels
    always_ff @(posedge clk) begin
      if (reset) {tile_output, tile_channels} <= '0;
      else if (takes)
        {tile_output, tile_channels} <= next_descriptor[LOW_BITS+TILE_BITS+FOLD_BITS+:56];
    end
  end else begin : no_channels
    assign {tile_output, tile_channels} = '0;
  end
  if (MIXED) begin : mixture
    always_ff @(posedge clk) begin
      if (reset) dataflow <= '0;
      else if (takes) dataflow <= next_descriptor[HIGH_BITS+:2];
    end
  end else begin : one_dataflow
    assign dataflow = '0;
  end
  if (LINES != 0) begin : lines
    always_ff @(posedge clk) begin
      if (reset) line <= '0;
      else if (takes) line <= next_descriptor[LINE_AT+:24];
    end
  end else begin : no_lines
    assign line = '0;
  end
  if (HELD_LINES != 0) begin : maps
    always_ff @(posedge clk) begin
      if (reset) map_lines <= '0;
      else if (takes) map_lines <= next_descriptor[MAP_LINES_AT+:24];
    end
  end else begin : no_maps
    assign map_lines = '0;
  end
  if (NEURONS != 0) begin : neurons
    always_ff @(posedge clk) begin
      if (reset) image_rows <= '0;
      else if (takes) image_rows <= next_descriptor[IMAGE_ROWS_AT+:24];
    end
  end else begin : no_neurons
    assign image_rows = '0;
  end
endmodule

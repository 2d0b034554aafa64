// A position that has left its output row moves to the next one, and from the last one to the first
// of the next image.
module wrap_position (
    input  logic [31:0] y,
    input  logic [31:0] x,
    input  logic [31:0] address,
    input  logic [31:0] origin_y,
    input  logic [31:0] origin_x,
    input  logic [31:0] span_y,
    input  logic [31:0] span_x,
    input  logic [31:0] stride_y,
    input  logic [31:0] line_step,
    input  logic [31:0] image_step,
    output logic [31:0] wrapped_y,
    output logic [31:0] wrapped_x,
    output logic [31:0] wrapped_address
);
  wire row_ends = $signed(x - origin_x) >= $signed(span_x);
  wire [31:0] row_y = row_ends ? y + stride_y : y;
  wire [31:0] row_address = row_ends ? address + line_step : address;
  wire map_ends = $signed(row_y - origin_y) >= $signed(span_y);
  assign wrapped_x = row_ends ? x - span_x : x;
  assign wrapped_y = map_ends ? row_y - span_y : row_y;
  assign wrapped_address = map_ends ? row_address + image_step : row_address;
endmodule

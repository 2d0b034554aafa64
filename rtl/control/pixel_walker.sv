// Walks over the output pixels in raster order: the window origin and its address. Where pixels
// stream past stationary weights (PARTS), every fold returns to the part's first pixel.
module pixel_walker #(
    parameter int PARTS = 0
) (
    input logic clk,
    input logic reset,

    input logic        starts,  // at the first pixel
    input logic [31:0] start_address,
    input logic        part_starts,  // here, or with the first pixel
    input logic        returns,      // to where the part started
    input logic        advances,

    input logic [31:0] origin_y,
    input logic [31:0] origin_x,
    input logic [31:0] span_y,  // of a map of output pixels
    input logic [31:0] span_x,  // of a row of them
    input logic [31:0] stride_y,
    input logic [31:0] stride_x,
    input logic [31:0] pixel_step,
    input logic [31:0] line_step,
    input logic [31:0] image_step,

    output logic [31:0] walk_y,
    output logic [31:0] walk_x,
    output logic [31:0] walk_address
);
  wire [31:0] next_y, next_x, next_address;
  wrap_position wrap (
      .y(walk_y), .x(walk_x + stride_x), .address(walk_address + pixel_step), .origin_y, .origin_x,
      .span_y, .span_x, .stride_y, .line_step, .image_step, .wrapped_y(next_y),
      .wrapped_x(next_x), .wrapped_address(next_address)
  );
  logic [31:0] part_y, part_x, part_address;

  always_ff @(posedge clk) begin
    if (reset) begin
      {walk_y, walk_x, walk_address} <= '0;
    end else if (starts) begin
      {walk_y, walk_x, walk_address} <= {origin_y, origin_x, start_address};
    end else if (returns) begin
      {walk_y, walk_x, walk_address} <= {part_y, part_x, part_address};
    end else if (advances) begin
      {walk_y, walk_x, walk_address} <= {next_y, next_x, next_address};
    end
  end

  if (PARTS != 0) begin : parts
    always_ff @(posedge clk) begin
      if (reset) {part_y, part_x, part_address} <= '0;
      else if (part_starts)
        {part_y, part_x, part_address} <=
            starts ? {origin_y, origin_x, start_address} : {walk_y, walk_x, walk_address};
    end
  end else begin : no_parts
    assign {part_y, part_x, part_address} = '0;
    wire unused = part_starts;
  end
endmodule

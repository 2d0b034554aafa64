// The position that each array row or (input stationary) column works on: the window origin of its
// output pixel, or (weight stationary) its tap. They take theirs one a cycle; from one tile of
// pixels to the next all advance together, by as many pixels in raster order.
module positions #(
    parameter int COUNT = 4
) (
    input logic clk,
    input logic reset,

    input logic        takes,
    input logic [23:0] taken,
    input logic [31:0] taken_y,
    input logic [31:0] taken_x,
    input logic [31:0] taken_address,

    input logic        advances,
    input logic [31:0] step_y,
    input logic [31:0] step_x,
    input logic [31:0] step_address,
    input logic [31:0] origin_y,
    input logic [31:0] origin_x,
    input logic [31:0] span_y,
    input logic [31:0] span_x,
    input logic [31:0] stride_y,
    input logic [31:0] line_step,
    input logic [31:0] image_step,

    output logic [COUNT*32-1:0] positions_y,
    output logic [COUNT*32-1:0] positions_x,
    output logic [COUNT*32-1:0] positions_address
);
  for (genvar r = 0; r < COUNT; r = r + 1) begin : position
    logic [31:0] y, x, address;  // the sites' names
    wire [31:0] next_x, next_y, next_address;
    wrap_position wrap (
        .y(y + step_y), .x(x + step_x), .address(address + step_address), .origin_y, .origin_x,
        .span_y, .span_x, .stride_y, .line_step, .image_step, .wrapped_y(next_y),
        .wrapped_x(next_x), .wrapped_address(next_address)
    );
    always_ff @(posedge clk) begin
      if (reset) begin
        {y, x, address} <= '0;
      end else if (takes && taken == 24'(r)) begin
        {y, x, address} <= {taken_y, taken_x, taken_address};
      end else if (advances) begin
        {y, x, address} <= {next_y, next_x, next_address};
      end
    end
    assign positions_y[r*32+:32] = y;
    assign positions_x[r*32+:32] = x;
    assign positions_address[r*32+:32] = address;
  end
endmodule

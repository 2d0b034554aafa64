// The position that each array row works on: the window origin of its output pixel (output
// stationary) or its tap (weight stationary). Rows take theirs one a cycle; between row tiles all
// advance together, by ROWS output pixels in raster order.
module row_positions #(
    parameter int ROWS = 4
) (
    input logic clk,
    input logic reset,

    input logic        takes,
    input logic [23:0] taken_row,
    input logic [31:0] taken_y,
    input logic [31:0] taken_x,
    input logic [31:0] taken_address,

    input logic        advances,
    input logic [31:0] step_y,
    input logic [31:0] step_x,
    input logic [31:0] step_address,
    input logic [31:0] origin_x,
    input logic [31:0] span_x,
    input logic [31:0] stride_y,
    input logic [31:0] line_step,

    output logic [ROWS*32-1:0] rows_y,
    output logic [ROWS*32-1:0] rows_x,
    output logic [ROWS*32-1:0] rows_address
);
  for (genvar r = 0; r < ROWS; r = r + 1) begin : row
    logic [31:0] y, x, address;  // the sites' names
    wire [31:0] next_x = x + step_x;
    wire [31:0] next_y = y + step_y;
    wire [31:0] next_address = address + step_address;
    wire wraps = $signed(next_x - origin_x) >= $signed(span_x);
    always_ff @(posedge clk) begin
      if (reset) begin
        {y, x, address} <= '0;
      end else if (takes && taken_row == 24'(r)) begin
        {y, x, address} <= {taken_y, taken_x, taken_address};
      end else if (advances) begin
        y <= wraps ? next_y + stride_y : next_y;
        x <= wraps ? next_x - span_x : next_x;
        address <= wraps ? next_address + line_step : next_address;
      end
    end
    assign rows_y[r*32+:32] = y;
    assign rows_x[r*32+:32] = x;
    assign rows_address[r*32+:32] = address;
  end
endmodule

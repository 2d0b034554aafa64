// The position that each array row or (input stationary) column works on: the window origin of its
// output pixel, or (weight stationary) its tap. They take theirs one a cycle; from one tile of
// pixels to the next all advance together, by as many pixels in raster order.
//
// With AHEAD rows may take them into a second set, `next_row`, which comes to use as a whole.
module positions #(
    parameter int COUNT = 4,
    parameter int AHEAD = 0  // rows that have a second one
) (
    input logic clk,
    input logic reset,

    input logic        takes,
    input logic        takes_ahead,  // AHEAD: the same into the second set
    input logic [23:0] taken,
    input logic [31:0] taken_y,
    input logic [31:0] taken_x,
    input logic [31:0] taken_address,
    input logic        uses_next,  // what is taken into the second set in this cycle included

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
  // What enters the positions in use, where `enters` says so.
  wire [95:0] taken_now = {taken_y, taken_x, taken_address};
  wire [COUNT*96-1:0] entering;
  wire [COUNT-1:0] enters;
  for (genvar r = 0; r < COUNT; r = r + 1) begin : next_row
    wire takes_this = takes && taken == 24'(r);
    if (r < AHEAD) begin : held
      logic [31:0] y, x, address;
      wire [95:0] next = takes_ahead && taken == 24'(r) ? taken_now : {y, x, address};
      always_ff @(posedge clk) {y, x, address} <= reset ? '0 : next;
      assign entering[r*96+:96] = uses_next ? next : taken_now;
      assign enters[r] = uses_next || takes_this;
    end else begin : at_once
      assign entering[r*96+:96] = taken_now;
      assign enters[r] = takes_this;
      wire unused = &{1'b0, takes_ahead, uses_next};
    end
  end

  for (genvar r = 0; r < COUNT; r = r + 1) begin : position
    logic [31:0] y, x, address;  // the sites' names
    wire [31:0] next_x, next_y, next_address;
    wrap_position wrap (
        .y(y + step_y), .x(x + step_x), .address(address + step_address), .origin_y, .origin_x,
        .span_y, .span_x, .stride_y, .line_step, .image_step, .wrapped_y(next_y),
        .wrapped_x(next_x), .wrapped_address(next_address)
    );
    always_ff @(posedge clk) begin
      if (reset) {y, x, address} <= '0;
      else if (enters[r]) {y, x, address} <= entering[r*96+:96];
      else if (advances) {y, x, address} <= {next_y, next_x, next_address};
    end
    assign positions_y[r*32+:32] = y;
    assign positions_x[r*32+:32] = x;
    assign positions_address[r*32+:32] = address;
  end
endmodule

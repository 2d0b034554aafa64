// The running maximum of a pooling window, one tap of every lane a cycle.
module max_pool #(
    parameter int COLUMNS = 1
) (
    input  wire clk,
    input  wire reset,
    input  wire tap,
    input  wire first,   // the pixel's first tap
    input  wire padded,  // the tap lies outside of the map
    input  wire [COLUMNS*8-1:0] operand,
    output logic [COLUMNS*8-1:0] value
);
  function automatic [7:0] larger(input signed [7:0] x, input signed [7:0] y);
    larger = x < y ? y : x;
  endfunction

  wire [COLUMNS*8-1:0] so_far = first ? {COLUMNS{8'h80}} : value;  // -128 is below everything

  always_ff @(posedge clk) begin
    if (reset) value <= '0;
    else if (tap) begin
      if (padded) value <= so_far;
      else
        for (int c = 0; c < COLUMNS; c = c + 1)
          value[8*c+:8] <= larger(so_far[8*c+:8], operand[8*c+:8]);
    end
  end
endmodule

// The sums of the lanes before and after each lane, in a ring of the lanes in use.
module neighbours #(
    parameter int COLUMNS = 1,
    parameter int WIDTH = 32
) (
    input  wire [8:0] lanes,  // in use by the tile
    input  wire [COLUMNS*WIDTH-1:0] sum,
    output wire [COLUMNS*WIDTH-1:0] previous,
    output wire [COLUMNS*WIDTH-1:0] following
);
  logic [WIDTH-1:0] last;
  always_comb begin
    last = '0;
    for (int c = 0; c < COLUMNS; c = c + 1)
      if (lanes == 9'(c + 1)) last = sum[WIDTH*c+:WIDTH];
  end
  for (genvar c = 0; c < COLUMNS; c = c + 1) begin : lane
    assign previous[WIDTH*c+:WIDTH] = c == 0 ? last : sum[WIDTH*(c>0?c-1:0)+:WIDTH];
    assign following[WIDTH*c+:WIDTH] =
        9'(c + 1) < lanes ? sum[WIDTH*(c+1<COLUMNS?c+1:0)+:WIDTH] : sum[WIDTH-1:0];
  end
endmodule

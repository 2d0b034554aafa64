// The sums of the lanes before and after each lane, in a ring of the lanes in use.
module neighbours #(
    parameter int COLUMNS = 1
) (
    input  wire [8:0] lanes,  // in use by the tile
    input  wire [COLUMNS*32-1:0] sum,
    output wire [COLUMNS*32-1:0] previous,
    output wire [COLUMNS*32-1:0] following
);
  logic [31:0] last;
  always_comb begin
    last = '0;
    for (int c = 0; c < COLUMNS; c = c + 1)
      if (lanes == 9'(c + 1)) last = sum[32*c+:32];
  end
  for (genvar c = 0; c < COLUMNS; c = c + 1) begin : lane
    assign previous[32*c+:32] = c == 0 ? last : sum[32*(c>0?c-1:0)+:32];
    assign following[32*c+:32] = 9'(c + 1) < lanes ? sum[32*(c+1<COLUMNS?c+1:0)+:32] : sum[31:0];
  end
endmodule

// A difference between two neighbours, held against the bounds as seen from either of them: of a
// value less its neighbour, {above the high bound, below the low one}.
module both_ends #(
    parameter int WIDE = 33,  // of a difference
    parameter int BOUND = 32  // of a bound
) (
    input  wire signed [WIDE-1:0] slope,
    input  wire signed [BOUND-1:0] low,
    input  wire signed [BOUND-1:0] high,
    output wire [1:0] there,  // the slope's
    output wire [1:0] back    // the slope with the other sign's
);
  localparam int SIDE = WIDE + 1;  // holds either with the other sign
  wire signed [SIDE-1:0] rise = SIDE'(slope);
  wire signed [SIDE-1:0] fall = -rise;
  assign there = {rise > SIDE'(high), rise < SIDE'(low)};
  assign back = {fall > SIDE'(high), fall < SIDE'(low)};
endmodule

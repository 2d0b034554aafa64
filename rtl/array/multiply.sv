// Product of two signed numbers, exact. A module of its own, so that synthesis does not fuse it
// with the adder behind it into one wide multiply-add.
module multiply #(
    parameter A_WIDTH = 8,
    parameter B_WIDTH = 8
) (
    input  wire signed [A_WIDTH-1:0] a,
    input  wire signed [B_WIDTH-1:0] b,
    output wire signed [A_WIDTH+B_WIDTH-1:0] product
);
  assign product = a * b;
endmodule

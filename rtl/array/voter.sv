// Bitwise majority of the three copies of a register; one copy passes as it is.
module voter #(
    parameter WIDTH  = 8,
    parameter COPIES = 1
) (
    input  wire [COPIES*WIDTH-1:0] copies,
    output wire [WIDTH-1:0] voted
);
  if (COPIES == 3) begin : three
    wire [WIDTH-1:0] x = copies[0+:WIDTH];
    wire [WIDTH-1:0] y = copies[WIDTH+:WIDTH];
    wire [WIDTH-1:0] z = copies[2*WIDTH+:WIDTH];
    assign voted = (x & y) | (y & z) | (x & z);
  end else begin : one
    assign voted = copies;
  end
endmodule

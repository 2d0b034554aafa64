// A PE of an output-stationary array: a passes to the right, b downwards, and the sum stays in acc
// until the array shifts it upwards.
//
// With COPIES = 3 there are three copies of each register and of the multiply-adder. Voters stand
// between registers and logic, so that voted values feed the next state of all copies and the
// neighbours.
module output_pe #(
    parameter int COPIES = 1
) (
    input  wire clk,
    input  wire reset,
    input  wire [1:0] mode,    // what becomes of acc, see below
    input  wire [7:0] left,    // a of the PE to the left, or what enters the row
    input  wire [7:0] above,   // b of the PE above, or what enters the column
    input  wire [31:0] below,  // acc of the PE below; 0 in the last row
    output wire [7:0] a_out,
    output wire [7:0] b_out,
    output wire [31:0] acc_out
);
  localparam [1:0] ACCUMULATE = 2'd0;  // acc + a * b
  localparam [1:0] SHIFT = 2'd1;       // the acc below; the other two modes: 0

  logic [COPIES*8-1:0] a;
  logic [COPIES*8-1:0] b;
  logic [COPIES*32-1:0] acc;

  voter #(.WIDTH(8), .COPIES(COPIES)) vote_a (.copies(a), .voted(a_out));
  voter #(.WIDTH(8), .COPIES(COPIES)) vote_b (.copies(b), .voted(b_out));
  voter #(.WIDTH(32), .COPIES(COPIES)) vote_acc (.copies(acc), .voted(acc_out));

  for (genvar copy = 0; copy < COPIES; copy = copy + 1) begin : copies
    wire signed [15:0] product;
    (* keep *) multiply times (.a(a_out), .b(b_out), .product(product));

    always_ff @(posedge clk) begin
      if (reset) begin
        a[8*copy+:8] <= '0;
        b[8*copy+:8] <= '0;
        acc[32*copy+:32] <= '0;
      end else begin
        a[8*copy+:8] <= left;
        b[8*copy+:8] <= above;
        if (mode == ACCUMULATE) acc[32*copy+:32] <= acc_out + 32'(product);
        else if (mode == SHIFT) acc[32*copy+:32] <= below;
        else acc[32*copy+:32] <= '0;
      end
    end
  end
endmodule

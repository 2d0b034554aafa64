// A PE of a weight-stationary array: b stays, except while weights sink in from above; a passes to
// the right, and the sum moves down and takes a product along in every row.
//
// With COPIES = 3 there are three copies of each register and of the multiply-adder, as in
// output_pe.
module weight_pe #(
    parameter int COPIES = 1
) (
    input  wire clk,
    input  wire reset,
    input  wire load,               // b takes what is above
    input  wire [7:0] left,         // a of the PE to the left, or what enters the row
    input  wire [7:0] above,        // b of the PE above, or what enters the column
    input  wire [31:0] sum_above,   // acc of the PE above; 0 in the first row
    output wire [7:0] a_out,
    output wire [7:0] b_out,
    output wire [31:0] acc_out
);
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
        b[8*copy+:8] <= load ? above : b_out;
        acc[32*copy+:32] <= sum_above + 32'(product);
      end
    end
  end
endmodule

// A PE of an input-stationary array: a stays, except while activations rise from below; b passes to
// the right, and the sum moves down and takes a product along in every row.
//
// With COPIES = 3 there are three copies of each register and of the multiply-adder, as in
// output_pe.
module activation_pe #(
    parameter int COPIES = 1
) (
    input  wire clk,
    input  wire reset,
    input  wire load,               // a takes what is below
    input  wire [7:0] left,         // b of the PE to the left, or what enters the row
    input  wire [7:0] below,        // a of the PE below, or what enters the column
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
        b[8*copy+:8] <= left;
        a[8*copy+:8] <= load ? below : a_out;
        acc[32*copy+:32] <= sum_above + 32'(product);
      end
    end
  end
endmodule

// A PE of an output-stationary array: a passes to the right, b downwards, and the sum stays in acc
// until the array shifts it upwards.
//
// With OVERLAP the sum is handed over to `drain`, in which it moves upwards, so that acc starts the
// next tile at once. A swap bit, which passes to the right beside the next tile's product 0, says
// when.
//
// With COPIES = 3 there are three copies of each register, and MACS of the multiply-adder: one for
// each copy, or one for all. Voters stand between registers and logic, so that voted values feed the
// next state of all copies and the neighbours.
module output_pe #(
    parameter int COPIES = 1,
    parameter int MACS = 1,
    parameter int OVERLAP = 0
) (
    input  wire clk,
    input  wire reset,
    input  wire [1:0] mode,    // what becomes of acc, see below; not with OVERLAP
    input  wire shift,         // OVERLAP: drain takes the one below
    input  wire [7:0] left,    // a of the PE to the left, or what enters the row
    input  wire [7:0] above,   // b of the PE above, or what enters the column
    input  wire [31:0] below,  // the sum in the PE below; 0 in the last row
    input  wire swap_left,     // of the PE to the left, or what enters the row
    output wire [7:0] a_out,
    output wire [7:0] b_out,
    output wire [31:0] sum_out,  // acc, or drain
    output wire swap_out
);
  localparam [1:0] ACCUMULATE = 2'd0;  // acc + a * b
  localparam [1:0] SHIFT = 2'd1;       // the acc below; the other two modes: 0

  logic [COPIES*8-1:0] a;
  logic [COPIES*8-1:0] b;
  logic [COPIES*32-1:0] acc;
  logic [COPIES-1:0] swap;
  logic [COPIES*32-1:0] drain;
  wire [31:0] acc_now;

  voter #(.WIDTH(8), .COPIES(COPIES)) vote_a (.copies(a), .voted(a_out));
  voter #(.WIDTH(8), .COPIES(COPIES)) vote_b (.copies(b), .voted(b_out));
  voter #(.WIDTH(32), .COPIES(COPIES)) vote_acc (.copies(acc), .voted(acc_now));

  wire [MACS*32-1:0] acc_next;
  for (genvar mac = 0; mac < MACS; mac = mac + 1) begin : macs
    wire signed [15:0] product;
    (* keep *) multiply times (.a(a_out), .b(b_out), .product(product));
    if (OVERLAP != 0) begin : starts_at_swap
      assign acc_next[32*mac+:32] = (swap_out ? '0 : acc_now) + 32'(product);
    end else begin : by_mode
      assign acc_next[32*mac+:32] = mode == ACCUMULATE ? acc_now + 32'(product) :
          mode == SHIFT ? below : '0;
    end
  end

  for (genvar copy = 0; copy < COPIES; copy = copy + 1) begin : copies
    always_ff @(posedge clk) begin
      if (reset) begin
        a[8*copy+:8] <= '0;
        b[8*copy+:8] <= '0;
        acc[32*copy+:32] <= '0;
      end else begin
        a[8*copy+:8] <= left;
        b[8*copy+:8] <= above;
        acc[32*copy+:32] <= acc_next[32*(copy%MACS)+:32];
      end
    end
  end

  if (OVERLAP != 0) begin : handover
    voter #(.WIDTH(1), .COPIES(COPIES)) vote_swap (.copies(swap), .voted(swap_out));
    voter #(.WIDTH(32), .COPIES(COPIES)) vote_drain (.copies(drain), .voted(sum_out));
    always_ff @(posedge clk) begin
      if (reset) begin
        swap <= '0;
        drain <= '0;
      end else begin
        swap <= {COPIES{swap_left}};
        if (swap_out) drain <= {COPIES{acc_now}};
        else if (shift) drain <= {COPIES{below}};
        else drain <= {COPIES{sum_out}};
      end
    end
    wire unused = &{1'b0, mode};
  end else begin : in_place
    assign {swap, drain} = '0;
    assign sum_out = acc_now;
    assign swap_out = 1'b0;
    wire unused = &{1'b0, shift, swap_left, swap, drain};
  end
endmodule

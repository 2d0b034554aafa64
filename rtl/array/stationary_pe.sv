// A PE in which an operand stays: b, or with INPUTS a. It stays, except while `load` lets it move
// on through the column; the other operand passes to the right, and the sum moves down and takes a
// product along in every row.
//
// With OVERLAP operands move through the column in `next`, behind the products. A swap bit, which
// passes to the right a cycle in front of the fold's product 0, says when they come to use.
//
// COPIES and MACS are as in output_pe.
module stationary_pe #(
    parameter int COPIES = 1,
    parameter int MACS = 1,
    parameter int INPUTS = 0,
    parameter int OVERLAP = 0
) (
    input  wire clk,
    input  wire reset,
    input  wire load,
    input  wire [7:0] left,         // what passes to the right, from the PE to the left or the edge
    input  wire [7:0] from_column,  // what stays, from the PE before this one or the edge
    input  wire [31:0] sum_above,   // acc of the PE above; 0 in the first row
    input  wire swap_left,
    output wire [7:0] to_right,
    output wire [7:0] onwards,      // to the next PE of the column
    output wire [31:0] acc_out,
    output wire swap_out
);
  logic [COPIES*8-1:0] a;
  logic [COPIES*8-1:0] b;
  logic [COPIES*32-1:0] acc;
  logic [COPIES-1:0] swap;
  logic [COPIES*8-1:0] next;
  wire [7:0] a_now;
  wire [7:0] b_now;
  voter #(.WIDTH(8), .COPIES(COPIES)) vote_a (.copies(a), .voted(a_now));
  voter #(.WIDTH(8), .COPIES(COPIES)) vote_b (.copies(b), .voted(b_now));
  voter #(.WIDTH(32), .COPIES(COPIES)) vote_acc (.copies(acc), .voted(acc_out));

  wire [7:0] stays = INPUTS != 0 ? a_now : b_now;
  assign to_right = INPUTS != 0 ? b_now : a_now;
  wire [7:0] stays_next;

  wire [MACS*32-1:0] acc_next;
  for (genvar mac = 0; mac < MACS; mac = mac + 1) begin : macs
    wire signed [15:0] product;
    (* keep *) multiply times (.a(a_now), .b(b_now), .product(product));
    assign acc_next[32*mac+:32] = sum_above + 32'(product);
  end

  for (genvar copy = 0; copy < COPIES; copy = copy + 1) begin : copies
    always_ff @(posedge clk) begin
      if (reset) begin
        a[8*copy+:8] <= '0;
        b[8*copy+:8] <= '0;
        acc[32*copy+:32] <= '0;
      end else begin
        a[8*copy+:8] <= INPUTS != 0 ? stays_next : left;
        b[8*copy+:8] <= INPUTS != 0 ? left : stays_next;
        acc[32*copy+:32] <= acc_next[32*(copy%MACS)+:32];
      end
    end
  end

  if (OVERLAP != 0) begin : shadow
    voter #(.WIDTH(1), .COPIES(COPIES)) vote_swap (.copies(swap), .voted(swap_out));
    voter #(.WIDTH(8), .COPIES(COPIES)) vote_next (.copies(next), .voted(onwards));
    assign stays_next = swap_out ? onwards : stays;
    always_ff @(posedge clk) begin
      if (reset) begin
        swap <= '0;
        next <= '0;
      end else begin
        swap <= {COPIES{swap_left}};
        next <= load ? {COPIES{from_column}} : {COPIES{onwards}};
      end
    end
  end else begin : in_place
    assign onwards = stays;
    assign stays_next = load ? from_column : stays;
    assign {swap, next} = '0;
    assign swap_out = 1'b0;
    wire unused = &{1'b0, swap_left, swap, next};
  end
endmodule

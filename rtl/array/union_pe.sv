// A PE of an array that is built for layers of several dataflows: it has the registers of all, and
// the layer's says in every cycle where each takes its next value from (docs/machine.md, "A
// dataflow a layer"). What only other layers use rests.
//
// OVERLAP, COPIES and MACS are as in output_pe and stationary_pe.
module union_pe #(
    parameter int FLOWS = 3,
    parameter int COPIES = 1,
    parameter int MACS = 1,
    parameter int OVERLAP = 0
) (
    input  wire clk,
    input  wire reset,
    input  wire os,                // the layer is output stationary
    input  wire is,                // ... or input stationary
    input  wire [1:0] mode,        // output stationary, as in output_pe
    input  wire shift,
    input  wire load,              // else, as in stationary_pe
    input  wire [7:0] left,        // what passes to the right, from the PE to the left or the edge
    input  wire [7:0] above,       // what moves down, from the PE above or the edge
    input  wire [7:0] below,       // what moves up (input stationary)
    input  wire [31:0] sum_above,  // acc of the PE above; 0 in the first row
    input  wire [31:0] sum_below,  // the sum that leaves upwards; 0 in the last row
    input  wire swap_left,
    output wire [7:0] to_right,
    output wire [7:0] down,
    output wire [7:0] up,
    output wire [31:0] acc_out,
    output wire [31:0] leaving,    // acc, or drain
    output wire swap_out
);
  localparam bit OS = (FLOWS & 1) != 0;
  localparam [1:0] ACCUMULATE = 2'd0;
  localparam [1:0] SHIFT = 2'd1;

  logic [COPIES*8-1:0] a;
  logic [COPIES*8-1:0] b;
  logic [COPIES*32-1:0] acc;
  logic [COPIES-1:0] swap;
  logic [COPIES*8-1:0] next;
  logic [COPIES*32-1:0] drain;
  wire [7:0] a_now;
  wire [7:0] b_now;
  voter #(.WIDTH(8), .COPIES(COPIES)) vote_a (.copies(a), .voted(a_now));
  voter #(.WIDTH(8), .COPIES(COPIES)) vote_b (.copies(b), .voted(b_now));
  voter #(.WIDTH(32), .COPIES(COPIES)) vote_acc (.copies(acc), .voted(acc_out));

  wire [7:0] stays = is ? a_now : b_now;
  assign to_right = is ? b_now : a_now;
  wire [7:0] from_column = is ? below : above;
  wire [7:0] stays_next;
  // A sum that is in this PE goes on, or one that passes through it, or none.
  wire [31:0] so_far;
  wire adds;

  wire [MACS*32-1:0] acc_next;
  for (genvar mac = 0; mac < MACS; mac = mac + 1) begin : macs
    wire signed [15:0] product;
    (* keep *) multiply times (.a(a_now), .b(b_now), .product(product));
    assign acc_next[32*mac+:32] = so_far + (adds ? 32'(product) : '0);
  end

  for (genvar copy = 0; copy < COPIES; copy = copy + 1) begin : copies
    always_ff @(posedge clk) begin
      if (reset) begin
        a[8*copy+:8] <= '0;
        b[8*copy+:8] <= '0;
        acc[32*copy+:32] <= '0;
      end else begin
        a[8*copy+:8] <= is ? stays_next : left;
        b[8*copy+:8] <= is ? left : os ? above : stays_next;
        acc[32*copy+:32] <= acc_next[32*(copy%MACS)+:32];
      end
    end
  end

  if (OVERLAP != 0) begin : second
    wire [7:0] next_now;
    voter #(.WIDTH(1), .COPIES(COPIES)) vote_swap (.copies(swap), .voted(swap_out));
    voter #(.WIDTH(8), .COPIES(COPIES)) vote_next (.copies(next), .voted(next_now));
    assign stays_next = swap_out ? next_now : stays;
    assign down = os ? b_now : next_now;
    assign up = next_now;
    assign so_far = !os ? sum_above : swap_out ? '0 : acc_out;
    assign adds = 1'b1;
    always_ff @(posedge clk) begin
      if (reset) begin
        swap <= '0;
        next <= '0;
      end else begin
        swap <= {COPIES{swap_left}};
        next <= load && !os ? {COPIES{from_column}} : {COPIES{next_now}};
      end
    end
    wire unused = &{1'b0, mode};
  end else begin : in_place
    assign {swap, next} = '0;
    assign swap_out = 1'b0;
    assign stays_next = load ? from_column : stays;
    assign down = b_now;
    assign up = a_now;
    assign so_far = !os ? sum_above : mode == ACCUMULATE ? acc_out : mode == SHIFT ? sum_below : '0;
    assign adds = !os || mode == ACCUMULATE;
    wire unused = &{1'b0, shift, swap_left, swap, next};
  end

  if (OVERLAP != 0 && OS) begin : handover
    voter #(.WIDTH(32), .COPIES(COPIES)) vote_drain (.copies(drain), .voted(leaving));
    always_ff @(posedge clk) begin
      if (reset) drain <= '0;
      else if (os && swap_out) drain <= {COPIES{acc_out}};
      else if (os && shift) drain <= {COPIES{sum_below}};
      else drain <= {COPIES{leaving}};
    end
  end else begin : no_handover
    assign drain = '0;
    assign leaving = acc_out;
    wire unused = &{1'b0, sum_below, shift, drain};
  end
endmodule

// A PE of the checksum column: as those of the array (output_pe, stationary_pe), but sums begin
// with those of the biases, and the operand of the column, a sum itself, is wider: a where all
// layers are input stationary, else b.
module checksum_pe #(
    parameter int FLOWS = 1,
    parameter int WEIGHT_BITS = 8,
    parameter int OVERLAP = 0,
    localparam int A_BITS = FLOWS == 4 ? WEIGHT_BITS : 8,
    localparam int B_BITS = FLOWS == 4 ? 8 : WEIGHT_BITS
) (
    input  wire clk,
    input  wire reset,
    input  wire os,          // the layer is output stationary
    input  wire [1:0] mode,  // output stationary
    input  wire load,        // else
    input  wire swap_in,     // overlap
    input  wire shift,       // overlap, output stationary
    input  wire [7:0] left,  // what moves along the row
    input  wire [WEIGHT_BITS-1:0] from_column,
    input  wire [31:0] sum_above,
    input  wire [31:0] sum_below,  // what leaves upwards
    input  wire [31:0] bias_sum,
    output wire [WEIGHT_BITS-1:0] onwards,
    output wire [31:0] acc_out,
    output wire [31:0] leaving
);
  localparam bit OS = (FLOWS & 1) != 0;

  logic [A_BITS-1:0] a;
  logic [B_BITS-1:0] b;
  logic [31:0] acc;
  logic swap;
  logic [31:0] drain;
  logic [WEIGHT_BITS-1:0] next;

  wire signed [WEIGHT_BITS+7:0] product;
  multiply #(.A_WIDTH(A_BITS), .B_WIDTH(B_BITS)) times (.a(a), .b(b), .product(product));

  if (OVERLAP != 0) begin : overlap
    always_ff @(posedge clk) swap <= !reset && swap_in;
  end else begin : no_overlap
    assign swap = 1'b0;
  end

  // What stays in the column, or passes down it; and what moves along the row.
  wire [WEIGHT_BITS-1:0] stays;
  wire [WEIGHT_BITS-1:0] stays_next;
  if (FLOWS == 4) begin : activations_stay
    assign stays = a;
    always_ff @(posedge clk) begin
      a <= reset ? '0 : stays_next;
      b <= reset ? '0 : left;
    end
  end else begin : weights_stay
    assign stays = b;
    always_ff @(posedge clk) begin
      a <= reset ? '0 : left;
      b <= reset ? '0 : stays_next;
    end
  end

  if (OVERLAP != 0) begin : second
    assign stays_next = os ? from_column : swap ? next : stays;
    assign onwards = os ? stays : next;
    always_ff @(posedge clk) begin
      if (reset) acc <= '0;
      else acc <= (!os ? sum_above : swap ? bias_sum : acc) + 32'(product);
    end
    if (FLOWS == 1) begin : no_next
      assign next = '0;
    end else begin : shadow
      always_ff @(posedge clk) begin
        if (reset) next <= '0;
        else if (load && !os) next <= from_column;
      end
    end
    if (OS) begin : handover
      always_ff @(posedge clk) begin
        if (reset) drain <= '0;
        else if (os && swap) drain <= acc;
        else if (os && shift) drain <= sum_below;
      end
    end else begin : no_drain
      assign drain = '0;
    end
    assign leaving = drain;
  end else begin : in_place
    assign stays_next = os || load ? from_column : stays;
    assign onwards = stays;
    always_ff @(posedge clk) begin
      if (reset) acc <= '0;
      else if (!os) acc <= sum_above + 32'(product);
      else if (mode == 2'd0) acc <= acc + 32'(product);
      else if (mode == 2'd1) acc <= sum_below;
      else acc <= bias_sum;
    end
    assign {next, drain} = '0;
    assign leaving = acc;
  end
  assign acc_out = acc;

  // Each dataflow leaves some of these to the others.
  wire unused = &{1'b0, mode, load, swap_in, shift, bias_sum, swap, drain, next, sum_above,
                  sum_below};
endmodule

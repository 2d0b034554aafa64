// A PE of the checksum column: as those of the array (output_pe, stationary_pe), but sums begin
// with those of the biases, and the operand of the column, a sum itself, is wider.
module checksum_pe #(
    parameter int DATAFLOW = 0,
    parameter int WEIGHT_BITS = 8,
    parameter int OVERLAP = 0,
    localparam int A_BITS = DATAFLOW == 2 ? WEIGHT_BITS : 8,
    localparam int B_BITS = DATAFLOW == 2 ? 8 : WEIGHT_BITS
) (
    input  wire clk,
    input  wire reset,
    input  wire [1:0] mode,  // output stationary
    input  wire load,        // else
    input  wire swap_in,     // overlap
    input  wire shift,       // overlap, output stationary
    input  wire [7:0] left,  // what moves along the row
    input  wire [WEIGHT_BITS-1:0] from_column,
    input  wire [31:0] sum_in,  // of the PE below (output stationary) or above
    input  wire [31:0] bias_sum,
    output wire [WEIGHT_BITS-1:0] onwards,
    output wire [31:0] sum_out
);
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

  if (DATAFLOW == 0) begin : output_stationary
    always_ff @(posedge clk) begin
      if (reset) begin
        a <= '0;
        b <= '0;
        acc <= '0;
      end else begin
        a <= left;
        b <= from_column;
        if (OVERLAP != 0) acc <= (swap ? bias_sum : acc) + 32'(product);
        else if (mode == 2'd0) acc <= acc + 32'(product);
        else if (mode == 2'd1) acc <= sum_in;
        else acc <= bias_sum;
      end
    end
    if (OVERLAP != 0) begin : handover
      always_ff @(posedge clk) begin
        if (reset) drain <= '0;
        else if (swap) drain <= acc;
        else if (shift) drain <= sum_in;
      end
      assign sum_out = drain;
    end else begin : in_place
      assign drain = '0;
      assign sum_out = acc;
    end
    assign next = '0;
    assign onwards = b;
  end else begin : operand_stationary
    wire [WEIGHT_BITS-1:0] stays;
    wire [WEIGHT_BITS-1:0] stays_next;
    if (DATAFLOW == 1) begin : weights_stay
      assign stays = b;
      always_ff @(posedge clk) begin
        a <= reset ? '0 : left;
        b <= reset ? '0 : stays_next;
      end
    end else begin : activations_stay
      assign stays = a;
      always_ff @(posedge clk) begin
        a <= reset ? '0 : stays_next;
        b <= reset ? '0 : left;
      end
    end
    always_ff @(posedge clk) begin
      if (reset) acc <= '0;
      else acc <= sum_in + 32'(product);
    end
    if (OVERLAP != 0) begin : shadow
      always_ff @(posedge clk) begin
        if (reset) next <= '0;
        else if (load) next <= from_column;
      end
      assign stays_next = swap ? next : stays;
      assign onwards = next;
    end else begin : in_place
      assign next = '0;
      assign stays_next = load ? from_column : stays;
      assign onwards = stays;
    end
    assign drain = '0;
    assign sum_out = acc;
  end

  // Each dataflow leaves some of these to the others.
  wire unused = &{1'b0, mode, load, swap_in, shift, bias_sum, swap, drain, next};
endmodule

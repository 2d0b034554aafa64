// First half of requantisation: the exact product of each sum with its lane's mantissa. Input
// stationary, where a row is one channel, all lanes share one scale, whose shift accompanies the
// products, since the next channel's follows at once.
module requantise_stage #(
    parameter int DATAFLOW = 0,
    parameter int COLUMNS = 1,
    localparam int SETS = DATAFLOW == 2 ? 1 : COLUMNS
) (
    input  wire clk,
    input  wire reset,
    input  wire in_valid,
    input  wire [31:0] in_address,
    input  wire [COLUMNS*32-1:0] in_sum,
    input  wire [SETS*24-1:0] scale,
    input  wire [SETS*6-1:0] in_shift,
    output logic valid,
    output logic [31:0] address,
    output logic [COLUMNS*56-1:0] product,
    output wire [SETS*6-1:0] out_shift
);
  always_ff @(posedge clk) begin
    if (reset) begin
      valid <= 1'b0;
      address <= '0;
    end else begin
      valid <= in_valid;
      if (in_valid) address <= in_address;
    end
  end

  for (genvar c = 0; c < COLUMNS; c = c + 1) begin : lane
    localparam int SET = SETS == 1 ? 0 : c;
    wire signed [56:0] exact;
    wire unused = exact[56];  // the mantissa is not negative, so this repeats the sign below it
    multiply #(.A_WIDTH(32), .B_WIDTH(25)) times (
        .a(in_sum[32*c+:32]), .b({1'b0, scale[24*SET+:24]}), .product(exact));
    always_ff @(posedge clk) begin
      if (reset) product[56*c+:56] <= '0;
      else if (in_valid) product[56*c+:56] <= exact[55:0];
    end
  end

  if (DATAFLOW == 2) begin : shift_moves
    logic [5:0] shift;
    always_ff @(posedge clk) begin
      if (reset) shift <= '0;
      else if (in_valid) shift <= in_shift;
    end
    assign out_shift = shift;
  end else begin : shift_stays
    assign out_shift = in_shift;
  end
endmodule

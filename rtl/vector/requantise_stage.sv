// First half of requantisation: the exact product of each sum with its lane's mantissa.
module requantise_stage #(
    parameter int COLUMNS = 1
) (
    input  wire clk,
    input  wire reset,
    input  wire in_valid,
    input  wire [31:0] in_address,
    input  wire [COLUMNS*32-1:0] in_sum,
    input  wire [COLUMNS*24-1:0] scale,
    output logic valid,
    output logic [31:0] address,
    output logic [COLUMNS*56-1:0] product
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
    wire signed [56:0] exact;
    wire unused = exact[56];  // the mantissa is not negative, so this repeats the sign below it
    multiply #(.A_WIDTH(32), .B_WIDTH(25)) times (
        .a(in_sum[32*c+:32]), .b({1'b0, scale[24*c+:24]}), .product(exact));
    always_ff @(posedge clk) begin
      if (reset) product[56*c+:56] <= '0;
      else if (in_valid) product[56*c+:56] <= exact[55:0];
    end
  end
endmodule

// Second half of requantisation: value = clamp(round half to even(product / 2^shift) + zero point);
// or a finished maximum of pooling, which takes precedence.
module output_stage #(
    parameter int COLUMNS = 1
) (
    input  wire clk,
    input  wire reset,
    input  wire in_valid,
    input  wire [31:0] in_address,
    input  wire [COLUMNS*56-1:0] in_product,
    input  wire [COLUMNS*6-1:0] shift,
    input  wire [7:0] zero_point,
    input  wire [7:0] low,
    input  wire [7:0] high,
    input  wire pooled,
    input  wire [31:0] pool_address,
    input  wire [COLUMNS*8-1:0] pool_value,
    output logic valid,
    output logic [31:0] address,
    output logic [COLUMNS*8-1:0] value
);
  // A corrupt configuration may have `least` above `most`, which then wins.
  function automatic [7:0] activate(input signed [55:0] product, input [5:0] by,
                                    input signed [7:0] zero, input signed [7:0] least,
                                    input signed [7:0] most);
    logic signed [63:0] exact;
    logic [63:0] rest;  // the bits that are shifted out, from the top on
    logic signed [63:0] q;
    exact = 64'(product);
    rest = (exact <<< 1) << ~by;  // in all by 64 - by, which is too far for one shift if by is 0
    q = exact >>> by;
    if (rest[63] && (rest[62:0] != 63'd0 || q[0])) q = q + 64'sd1;
    q = q + 64'(zero);
    if (q < 64'(least)) q = 64'(least);
    if (q > 64'(most)) q = 64'(most);
    activate = q[7:0];
  endfunction

  always_ff @(posedge clk) begin
    if (reset) begin
      valid <= 1'b0;
      address <= '0;
      value <= '0;
    end else begin
      valid <= pooled || in_valid;
      if (pooled) begin
        address <= pool_address;
        value <= pool_value;
      end else if (in_valid) begin
        address <= in_address;
        for (int c = 0; c < COLUMNS; c = c + 1)
          value[8*c+:8] <= activate(in_product[56*c+:56], shift[6*c+:6], zero_point, low, high);
      end
    end
  end
endmodule

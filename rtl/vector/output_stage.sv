// Second half of requantisation: value = clamp(round half to even(product / 2^shift) + zero point);
// or a finished maximum of pooling, which takes precedence.
module output_stage #(
    parameter int COLUMNS = 1,
    parameter int CHECK = 0,  // a check register beside the outputs, for the gates of their checkers
    parameter int SETS = 1  // of parameters: one a lane, or one for all
) (
    input  wire clk,
    input  wire reset,
    input  wire in_valid,
    input  wire [31:0] in_address,
    input  wire [COLUMNS*56-1:0] in_product,
    input  wire [SETS*6-1:0] shift,
    input  wire [7:0] zero_point,
    input  wire [7:0] low,
    input  wire [7:0] high,
    input  wire [8:0] lanes,    // in use
    input  wire has_product,    // the layer's outputs are checked
    input  wire pooled,
    input  wire [31:0] pool_address,
    input  wire [COLUMNS*8-1:0] pool_value,
    output logic valid,
    output logic [31:0] address,
    output logic [COLUMNS*8-1:0] value,
    output wire flag  // they are not those that were computed
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

  wire [COLUMNS*8-1:0] computed;
  for (genvar c = 0; c < COLUMNS; c = c + 1) begin : lane
    assign computed[8*c+:8] = pooled ? pool_value[8*c+:8] :
        activate(in_product[56*c+:56], shift[6*(SETS==1?0:c)+:6], zero_point, low, high);
  end
  always_ff @(posedge clk) begin
    if (reset) begin
      valid <= 1'b0;
      address <= '0;
      value <= '0;
    end else begin
      valid <= pooled || in_valid;
      if (pooled || in_valid) begin
        address <= pooled ? pool_address : in_address;
        value <= computed;
      end
    end
  end

  // The XOR over the lanes in use: as they are computed, and as they stand here a cycle later.
  function automatic [7:0] check_of(input [COLUMNS*8-1:0] values, input [8:0] used);
    check_of = '0;
    for (int c = 0; c < COLUMNS; c = c + 1)
      if (9'(c) < used) check_of = check_of ^ values[8*c+:8];
  endfunction
  if (CHECK != 0) begin : checked
    logic [7:0] check;
    always_ff @(posedge clk) begin
      if (reset) check <= '0;
      else if (pooled || in_valid) check <= check_of(computed, lanes);
    end
    assign flag = has_product && check_of(value, lanes) != check;
  end else begin : unchecked
    // verilator lint_off UNUSEDSIGNAL
    wire unused = &{lanes, has_product};
    // verilator lint_on UNUSEDSIGNAL
    assign flag = 1'b0;
  end
endmodule

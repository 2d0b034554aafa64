// The check bits of a word: one even parity bit (CODE 1), or SECDED (CODE 2), Hsiao's odd-weight
// columns: bit i of the word enters the check bits of its column, three of them. BITS is 32, or up
// to 8, whose columns are the first ones of a byte's. docs/machine.md has the tables.
module check_encoder #(
    parameter int CODE = 2,
    parameter int BITS = 8,
    localparam int CHECK = CODE == 1 ? 1 : BITS == 32 ? 7 : 5
) (
    input  wire [ BITS-1:0] data,
    output wire [CHECK-1:0] check
);
  if (CODE == 1) begin : parity
    assign check = ^data;
  end else begin : secded
    // The highest bit's column comes first.
    localparam logic [32*7-1:0] WORD = {
        7'h68, 7'h58, 7'h38, 7'h64, 7'h54, 7'h34, 7'h4c, 7'h2c,
        7'h1c, 7'h62, 7'h52, 7'h32, 7'h4a, 7'h2a, 7'h1a, 7'h46,
        7'h26, 7'h16, 7'h0e, 7'h61, 7'h51, 7'h31, 7'h49, 7'h29,
        7'h19, 7'h45, 7'h25, 7'h15, 7'h0d, 7'h43, 7'h23, 7'h13};
    localparam logic [8*7-1:0] BYTE_ = {
        7'h1c, 7'h1a, 7'h16, 7'h0e, 7'h15, 7'h0d, 7'h13, 7'h0b};
    localparam logic [32*7-1:0] COLUMNS = BITS == 32 ? WORD : 224'(BYTE_);
    for (genvar k = 0; k < CHECK; k = k + 1) begin : check_bit
      wire [BITS-1:0] terms;
      for (genvar i = 0; i < BITS; i = i + 1) begin : term
        assign terms[i] = data[i] && COLUMNS[7*i+k];
      end
      assign check[k] = ^terms;
    end
  end
endmodule

// A stored word on its way to a read register: SECDED (CODE 2) corrects one wrong bit. What cannot
// be corrected, with parity (CODE 1) an odd number of wrong bits, passes as it is.
module check_decoder #(
    parameter int CODE = 2,
    parameter int BITS = 8,
    localparam int CHECK = CODE == 1 ? 1 : BITS == 32 ? 7 : 5
) (
    input  wire [ BITS-1:0] stored,
    input  wire [CHECK-1:0] check,
    output wire [ BITS-1:0] data,
    output wire uncorrected
);
  wire [CHECK-1:0] expected;
  check_encoder #(.CODE(CODE), .BITS(BITS)) encoder (.data(stored), .check(expected));
  wire [CHECK-1:0] syndrome = expected ^ check;

  if (CODE == 1) begin : parity
    assign data = stored;
    assign uncorrected = syndrome != 0;
  end else begin : secded
    // A wrong bit's syndrome is its column, which is what the encoder makes of that bit alone.
    wire [BITS-1:0] wrong;
    for (genvar i = 0; i < BITS; i = i + 1) begin : column
      localparam logic [BITS-1:0] ALONE = BITS'(1) << i;
      wire [CHECK-1:0] own;
      check_encoder #(.CODE(CODE), .BITS(BITS)) encoder (.data(ALONE), .check(own));
      assign wrong[i] = syndrome == own;
    end
    wire check_bit_wrong = (syndrome & (syndrome - CHECK'(1))) == 0;  // at most one bit is set
    assign data = stored ^ wrong;
    assign uncorrected = !check_bit_wrong && wrong == 0;
  end
endmodule

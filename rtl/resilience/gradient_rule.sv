// What a gradient checker does with one sum: whether its two differences blame it, and what then
// takes its place.
module gradient_rule #(
    parameter int WIDTH = 32,    // of a value
    parameter int BOUND = 32,    // of a bound
    parameter int SPIKE = 0,     // only where the two differences have opposite signs
    parameter int SUPPRESS = 0,  // by 0: zero, 1: the neighbour before and the bound that was
                                 // passed, 2: the neighbours' mean, 3: the neighbour before
    localparam int WIDE = WIDTH + 1,
    localparam int OUT_BITS = SPIKE != 0 || SUPPRESS == 1 ? 2 : 1
) (
    // Out of bounds: a bit, or below (bit 0) and above (bit 1).
    input  wire [OUT_BITS-1:0] out,        // of the difference to the neighbour before
    input  wire [OUT_BITS-1:0] out_after,  // of that from here to the neighbour after
    // Not every way of suppressing reads them all.
    // verilator lint_off UNUSEDSIGNAL
    input  wire signed [WIDTH-1:0] previous,
    input  wire signed [WIDTH-1:0] following,
    input  wire signed [BOUND-1:0] low,
    input  wire signed [BOUND-1:0] high,
    input  wire [WIDTH-1:0] zero,
    // verilator lint_on UNUSEDSIGNAL
    output wire blamed,
    output wire [WIDTH-1:0] replaced
);
  if (SPIKE != 0) begin : spike
    assign blamed = (out[1] && out_after[0]) || (out[0] && out_after[1]);
  end else begin : both
    assign blamed = out != '0 && out_after != '0;
  end
  if (SUPPRESS == 1) begin : clamp
    wire signed [BOUND-1:0] bound = out[OUT_BITS-1] ? high : low;
    wire signed [BOUND:0] moved = (BOUND + 1)'(previous) + (BOUND + 1)'(bound);
    wire [BOUND-WIDTH+1:0] top = moved[BOUND:WIDTH-1];
    wire fits = top == '0 || &top;
    assign replaced = fits ? moved[WIDTH-1:0] : {moved[BOUND], {(WIDTH - 1) {!moved[BOUND]}}};
  end else if (SUPPRESS == 2) begin : mean
    assign replaced = WIDTH'((WIDE'(previous) + WIDE'(following)) >>> 1);
  end else begin : hold
    assign replaced = SUPPRESS == 3 ? previous : zero;
  end
endmodule

// What a gradient checker does with one sum: whether its two differences blame it, and what then
// takes its place.
module gradient_rule #(
    parameter int SPIKE = 0,     // only where the two differences have opposite signs
    parameter int SUPPRESS = 0,  // by 0: zero, 1: the neighbour before and the bound that was
                                 // passed, 2: the neighbours' mean, 3: the neighbour before
    localparam int OUT_BITS = SPIKE != 0 || SUPPRESS == 1 ? 2 : 1
) (
    // Out of bounds: a bit, or below (bit 0) and above (bit 1).
    input  wire [OUT_BITS-1:0] out,        // of the difference to the neighbour before
    input  wire [OUT_BITS-1:0] out_after,  // of that from here to the neighbour after
    // Not every way of suppressing reads them all.
    // verilator lint_off UNUSEDSIGNAL
    input  wire signed [31:0] previous,
    input  wire signed [31:0] following,
    input  wire signed [31:0] low,
    input  wire signed [31:0] high,
    // verilator lint_on UNUSEDSIGNAL
    output wire blamed,
    output wire [31:0] replaced
);
  if (SPIKE != 0) begin : spike
    assign blamed = (out[1] && out_after[0]) || (out[0] && out_after[1]);
  end else begin : both
    assign blamed = out != '0 && out_after != '0;
  end
  if (SUPPRESS == 1) begin : clamp
    wire signed [31:0] bound = out[OUT_BITS-1] ? high : low;
    wire signed [32:0] moved = 33'(previous) + 33'(bound);
    assign replaced = moved[32] == moved[31] ? moved[31:0] : {moved[32], {31{!moved[32]}}};
  end else if (SUPPRESS == 2) begin : mean
    assign replaced = 32'((33'(previous) + 33'(following)) >>> 1);
  end else begin : hold
    assign replaced = SUPPRESS == 3 ? previous : '0;
  end
endmodule

// STAGES registers in a row; stage 0 takes what enters.
module delay_line #(
    parameter int STAGES = 1,
    parameter int WIDTH = 8
) (
    input  wire clk,
    input  wire reset,
    input  wire [WIDTH-1:0] in,
    output wire [WIDTH-1:0] out
);
  logic [STAGES*WIDTH-1:0] stage;
  assign out = stage[(STAGES-1)*WIDTH+:WIDTH];

  if (STAGES == 1) begin : one
    always_ff @(posedge clk) stage <= reset ? '0 : in;
  end else begin : several
    always_ff @(posedge clk) stage <= reset ? '0 : {stage[0+:(STAGES-1)*WIDTH], in};
  end
endmodule

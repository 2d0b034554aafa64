// Compares what two copies of the array let out: a row of sums at the top (output stationary), or
// the sums aligned below the last row. A row that differs in a lane in use sets the status, which
// stays until reset.
module array_comparator #(
    parameter int COLUMNS = 1
) (
    input  wire clk,
    input  wire reset,
    input  wire os,            // the layer is output stationary
    input  wire row_leaves,    // a row stands at the top
    input  wire sums_aligned,  // a row of sums stands below the last row
    input  wire [8:0] lanes,
    input  wire [2*COLUMNS*32-1:0] leaving,  // of both copies
    input  wire [2*COLUMNS*32-1:0] aligned,
    output logic uncorrected
);
  localparam int BITS = COLUMNS * 32;
  wire [COLUMNS-1:0] differs;
  for (genvar c = 0; c < COLUMNS; c = c + 1) begin : lane
    wire top_differs = leaving[32*c+:32] != leaving[BITS+32*c+:32];
    wire aligned_differs = aligned[32*c+:32] != aligned[BITS+32*c+:32];
    assign differs[c] = 9'(c) < lanes && (os ? top_differs : aligned_differs);
  end
  wire mismatch = (os ? row_leaves : sums_aligned) && differs != '0;

  always_ff @(posedge clk) begin
    if (reset) uncorrected <= '0;
    else uncorrected <= uncorrected || mismatch;
  end
endmodule

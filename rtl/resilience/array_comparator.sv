// Compares what two copies of the array let out: a row of sums at the top (output stationary), or
// the sums aligned below the last row. A row that differs in a lane in use is a mismatch, and with
// STATUS sets a bit that stays until reset.
module array_comparator #(
    parameter int COLUMNS = 1,
    parameter int STATUS = 1
) (
    input  wire clk,
    input  wire reset,
    input  wire os,            // the layer is output stationary
    input  wire row_leaves,    // a row stands at the top
    input  wire sums_aligned,  // a row of sums stands below the last row
    input  wire [8:0] lanes,
    input  wire [2*COLUMNS*32-1:0] leaving,  // of both copies
    input  wire [2*COLUMNS*32-1:0] aligned,
    output wire mismatch,
    output logic uncorrected
);
  localparam int BITS = COLUMNS * 32;
  wire [COLUMNS-1:0] differs;
  for (genvar c = 0; c < COLUMNS; c = c + 1) begin : lane
    wire top_differs = leaving[32*c+:32] != leaving[BITS+32*c+:32];
    wire aligned_differs = aligned[32*c+:32] != aligned[BITS+32*c+:32];
    assign differs[c] = 9'(c) < lanes && (os ? top_differs : aligned_differs);
  end
  assign mismatch = (os ? row_leaves : sums_aligned) && differs != '0;

  if (STATUS != 0) begin : status
    always_ff @(posedge clk) begin
      if (reset) uncorrected <= '0;
      else uncorrected <= uncorrected || mismatch;
    end
  end else begin : no_status
    assign uncorrected = 1'b0;
    wire unused = &{1'b0, clk, reset};
  end
endmodule

// Which tiles run again. A tile of which a detector flagged a row runs once more, up to RETRIES
// times; one that fails every time leaves a status bit for the host. docs/machine.md, "Running a
// tile again".
module recompute #(
    parameter int RETRIES = 1
) (
    input logic clk,
    input logic reset,

    input  logic judges,  // all rows of the tile have passed the detector
    input  logic mismatch,  // it flags one in this cycle
    output logic again,  // the tile runs once more
    output logic uncorrected
);
  localparam int BITS = $clog2(RETRIES + 1);

  logic failed;  // a row of the tile was flagged
  logic [BITS-1:0] attempt;  // how often the tile has run again
  wire fails = failed || mismatch;
  assign again = judges && fails && attempt < BITS'(RETRIES);

  always_ff @(posedge clk) begin
    if (reset) begin
      {failed, attempt, uncorrected} <= '0;
    end else begin
      failed <= fails && !judges;
      if (judges) attempt <= again ? attempt + BITS'(1) : '0;
      if (judges && fails && !again) uncorrected <= 1'b1;
    end
  end
endmodule

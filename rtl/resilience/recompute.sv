// Which tiles run again. A tile of which a detector flagged a row runs once more, up to RETRIES
// times; one that fails every time leaves a status bit for the host. docs/machine.md, "Running a
// tile again". With PASSES a tile runs as often in each try, and only the last run is judged.
module recompute #(
    parameter int RETRIES = 1,
    parameter int PASSES = 1  // 1 or 3
) (
    input logic clk,
    input logic reset,

    input  logic       ends,  // all rows of this run have passed the detector
    input  logic       mismatch,  // it flags one in this cycle
    output logic       again,  // the tile runs once more
    output logic [1:0] pass,  // of this try
    output logic       uncorrected
);
  wire last = PASSES == 1 || pass >= 2'd2;
  wire judges = ends && last;
  wire fails;
  assign again = (ends && !last) || fails;

  if (PASSES > 1) begin : passes
    always_ff @(posedge clk) begin
      if (reset) pass <= '0;
      else if (ends) pass <= last ? '0 : pass + 2'd1;
    end
  end else begin : one_pass
    assign pass = '0;
  end

  if (RETRIES > 0) begin : retries
    localparam int BITS = $clog2(RETRIES + 1);
    logic failed;  // a row of the tile was flagged
    logic [BITS-1:0] attempt;  // how often the tile has been tried again
    wire wrong = failed || mismatch;
    assign fails = judges && wrong && attempt < BITS'(RETRIES);
    always_ff @(posedge clk) begin
      if (reset) begin
        {failed, attempt, uncorrected} <= '0;
      end else begin
        failed <= wrong && !judges;
        if (judges) attempt <= fails ? attempt + BITS'(1) : '0;
        if (judges && wrong && !fails) uncorrected <= 1'b1;
      end
    end
  end else begin : no_retries
    assign {fails, uncorrected} = '0;
    wire unused = &{1'b0, mismatch, judges};
  end
endmodule

// Redundancy in time: the sums of a tile's first two passes, a row of COLUMNS sums for each, and
// the vote of the third pass on them, bit by bit. Nothing goes on to the bias adder but in the last
// pass. docs/machine.md, "Three passes".
module vote_buffer #(
    parameter int COLUMNS = 1,
    parameter int ROWS = 1  // of a tile
) (
    input logic clk,
    input logic reset,

    input  logic [           1:0] pass,  // 0, 1, or the last one
    input  logic                  ends,  // all rows of this pass have gone by
    input  logic                  row_valid,
    input  logic [COLUMNS*32-1:0] row_sum,
    output logic                  voted_valid,
    output logic [COLUMNS*32-1:0] voted_sum
);
  localparam int BITS = COLUMNS * 32;
  localparam int ADDRESS_BITS = $clog2(2 * ROWS);

  logic [BITS-1:0] bank_row_lane[0:2*ROWS-1];
  logic [2*BITS-1:0] read;  // of the row that comes next
  logic [23:0] row;
  initial for (int i = 0; i < 2 * ROWS; i = i + 1) bank_row_lane[i] = '0;

  wire last = pass >= 2'd2;
  wire [23:0] next = ends ? '0 : row_valid ? row + 24'd1 : row;
  always_ff @(posedge clk) begin
    if (reset) begin
      {row, read} <= '0;
    end else begin
      row <= next;
      if (row_valid || ends)
        read <= next < 24'(ROWS) ? {bank_row_lane[ADDRESS_BITS'(24'(ROWS)+next)],
                                    bank_row_lane[ADDRESS_BITS'(next)]} : '0;
    end
  end
  always_ff @(posedge clk) begin
    if (row_valid && !last && row < 24'(ROWS))
      bank_row_lane[ADDRESS_BITS'((pass[0] ? 24'(ROWS) : 24'd0)+row)] <= row_sum;
  end

  wire [BITS-1:0] first = read[BITS-1:0];
  wire [BITS-1:0] second = read[2*BITS-1:BITS];
  assign voted_valid = row_valid && last;
  assign voted_sum = (first & second) | (first & row_sum) | (second & row_sum);
endmodule

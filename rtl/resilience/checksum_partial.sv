// The checksum column's partial sums, one a pixel, beside those of the data (partial_sums), whose
// row numbers it takes. The sum of the biases stands before the first fold.
module checksum_partial #(
    parameter int PARTIAL_ROWS = 1
) (
    input  wire clk,
    input  wire reset,
    input  wire [3:0] tag,  // as in partial_sums
    input  wire [3:0] next_tag,
    input  wire [23:0] read_row,
    input  wire [23:0] write_row,
    input  wire [31:0] bias_sum,
    input  wire [31:0] aligned,
    output logic [31:0] finished
);
  localparam int ROW_BITS = PARTIAL_ROWS > 1 ? $clog2(PARTIAL_ROWS) : 1;

  logic [31:0] row[0:PARTIAL_ROWS-1];
  logic [31:0] read;

  initial for (int i = 0; i < PARTIAL_ROWS; i = i + 1) row[i] = '0;

  wire [31:0] total = aligned + read;

  always_ff @(posedge clk) begin
    if (reset) begin
      read <= '0;
      finished <= '0;
    end else begin
      if (next_tag[1]) read <= bias_sum;
      else if (next_tag[0] && read_row < 24'(PARTIAL_ROWS)) read <= row[read_row[ROW_BITS-1:0]];
      else read <= '0;
      if (tag[0] && tag[2]) finished <= total;
    end
  end

  always_ff @(posedge clk) begin
    if (tag[0] && !tag[2] && write_row < 24'(PARTIAL_ROWS))
      row[write_row[ROW_BITS-1:0]] <= total;
  end

  wire unused = &{1'b0, tag[1], tag[3], next_tag[3:2]};
endmodule

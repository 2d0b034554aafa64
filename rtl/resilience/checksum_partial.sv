// The checksum column's partial sums, one a pixel, beside those of the data (partial_sums), whose
// row numbers it takes.
module checksum_partial #(
    parameter int PARTIAL_ROWS = 1,
    parameter int CODE = 0  // of a word's check bits: 0 none, 1 parity, 2 SECDED
) (
    input  wire clk,
    input  wire reset,
    input  wire [3:0] tag,  // as in partial_sums
    input  wire [3:0] next_tag,
    input  wire [23:0] read_row,
    input  wire [23:0] write_row,
    input  wire [31:0] first,  // stands before the first fold
    input  wire [31:0] aligned,
    output logic [31:0] finished,
    output logic uncorrected  // sticky: a word was wrong
);
  localparam int ROW_BITS = PARTIAL_ROWS > 1 ? $clog2(PARTIAL_ROWS) : 1;

  logic [31:0] row[0:PARTIAL_ROWS-1];
  logic [31:0] read;

  initial for (int i = 0; i < PARTIAL_ROWS; i = i + 1) row[i] = '0;

  wire [31:0] total = aligned + read;
  wire reads_sum = next_tag[0] && !next_tag[1] && read_row < 24'(PARTIAL_ROWS);
  wire [31:0] stored = row[read_row[ROW_BITS-1:0]];
  wire [31:0] delivered;

  always_ff @(posedge clk) begin
    if (reset) begin
      read <= '0;
      finished <= '0;
    end else begin
      if (next_tag[1]) read <= first;
      else read <= reads_sum ? delivered : '0;
      if (tag[0] && tag[2]) finished <= total;
    end
  end

  always_ff @(posedge clk) begin
    if (tag[0] && !tag[2] && write_row < 24'(PARTIAL_ROWS))
      row[write_row[ROW_BITS-1:0]] <= total;
  end

  if (CODE != 0) begin : code
    localparam int CHECK = CODE == 1 ? 1 : 7;
    logic [CHECK-1:0] row_check[0:PARTIAL_ROWS-1];
    initial for (int i = 0; i < PARTIAL_ROWS; i = i + 1) row_check[i] = '0;
    wire [CHECK-1:0] total_check;
    wire wrong;
    check_encoder #(.CODE(CODE), .BITS(32)) encoder (.data(total), .check(total_check));
    check_decoder #(.CODE(CODE), .BITS(32)) decoder (
        .stored, .check(row_check[read_row[ROW_BITS-1:0]]), .data(delivered),
        .uncorrected(wrong));
    always_ff @(posedge clk) begin
      if (tag[0] && !tag[2] && write_row < 24'(PARTIAL_ROWS))
        row_check[write_row[ROW_BITS-1:0]] <= total_check;
    end
    always_ff @(posedge clk) uncorrected <= !reset && (uncorrected || (reads_sum && wrong));
  end else begin : no_code
    assign delivered = stored;
    assign uncorrected = 1'b0;
  end

  wire unused = &{1'b0, tag[1], tag[3], next_tag[3:2]};
endmodule

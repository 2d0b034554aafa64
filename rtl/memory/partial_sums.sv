// What the folds so far add up to: a row of COLUMNS sums for each output pixel of a part (input
// stationary: for each channel of the column tile). A row is read in the cycle before its sums
// arrive from the array, and written in the one in which they do; the last fold's sums go on to the
// vector unit.
module partial_sums #(
    parameter int COLUMNS = 1,
    parameter int PARTIAL_ROWS = 1,
    parameter int CODE = 0,  // of a word's check bits: 0 none, 1 parity, 2 SECDED
    parameter int RERUNS = 0  // weight-stationary parts may run again
) (
    input  wire clk,
    input  wire reset,
    // Of the sums that stand aligned below the array in this cycle, and in the next. Bits: 0 valid,
    // 1 first fold, 2 last fold, 3 last one of the part.
    input  wire [3:0] tag,
    input  wire [3:0] next_tag,
    input  wire [COLUMNS*32-1:0] aligned,
    input  wire is,                // the layer is input stationary
    input  wire [23:0] first_row,  // of the part
    input  wire [31:0] output_address,
    input  wire [23:0] columns,  // of the layer: N, from one pixel's results to the next one's
    input  wire run_ends,  // the present part's run ends in this cycle ...
    input  wire again,   // ... and it runs once more
    output logic [23:0] read_row,
    output logic [23:0] write_row,
    output wire finished_valid,
    output wire [31:0] finished_address,
    output wire [COLUMNS*32-1:0] finished_sum,
    input wire [8:0] lanes,  // of the tile: whose sums are used
    output logic uncorrected  // sticky: a word was wrong that somebody takes
);
  localparam int ROW_BITS = PARTIAL_ROWS > 1 ? $clog2(PARTIAL_ROWS) : 1;

  logic [COLUMNS*32-1:0] row_lane[0:PARTIAL_ROWS-1];
  logic [COLUMNS*32-1:0] read;
  logic [31:0] address;

  initial for (int i = 0; i < PARTIAL_ROWS; i = i + 1) row_lane[i] = '0;

  wire reads = next_tag[0];
  wire valid = tag[0];
  wire last = tag[2];
  // Results of a column tile lie N elements apart, from its first pixel's on; input stationary,
  // side by side from the first channel's on, anew for each tile of pixels.
  wire first = write_row == 0 && (is || first_row == 0);
  wire [31:0] address_now = first ? output_address : address;
  wire [COLUMNS*32-1:0] total;
  for (genvar c = 0; c < COLUMNS; c = c + 1) begin : lane
    assign total[32*c+:32] = aligned[32*c+:32] + read[32*c+:32];
  end

  wire reads_sums = reads && !next_tag[1] && read_row < 24'(PARTIAL_ROWS);
  wire [COLUMNS*32-1:0] stored = row_lane[read_row[ROW_BITS-1:0]];
  wire [COLUMNS*32-1:0] delivered;
  always_ff @(posedge clk) begin
    if (reset) begin
      read <= '0;
      read_row <= '0;
      write_row <= '0;
      address <= '0;
    end else begin
      read <= reads_sums ? delivered : '0;
      if (reads) begin
        write_row <= read_row;
        read_row <= next_tag[3] ? '0 : read_row + 24'd1;
      end
      if (run_ends && again && RERUNS != 0) address <= retry_address;
      else if (valid && last) address <= address_now + (is ? 32'd1 : 32'(columns));
    end
  end

  always_ff @(posedge clk) begin
    if (valid && !last && write_row < 24'(PARTIAL_ROWS))
      row_lane[write_row[ROW_BITS-1:0]] <= total;
  end

  if (CODE != 0) begin : code
    localparam int CHECK = CODE == 1 ? 1 : 7;
    logic [COLUMNS*CHECK-1:0] row_lane_check[0:PARTIAL_ROWS-1];
    initial for (int i = 0; i < PARTIAL_ROWS; i = i + 1) row_lane_check[i] = '0;
    wire [COLUMNS*CHECK-1:0] stored_check = row_lane_check[read_row[ROW_BITS-1:0]];
    wire [COLUMNS*CHECK-1:0] total_check;
    wire [COLUMNS-1:0] wrongs;
    for (genvar c = 0; c < COLUMNS; c = c + 1) begin : lane
      wire wrong;
      check_encoder #(.CODE(CODE), .BITS(32)) encoder (
          .data(total[32*c+:32]), .check(total_check[CHECK*c+:CHECK]));
      check_decoder #(.CODE(CODE), .BITS(32)) decoder (
          .stored(stored[32*c+:32]), .check(stored_check[CHECK*c+:CHECK]),
          .data(delivered[32*c+:32]), .uncorrected(wrong));
      assign wrongs[c] = wrong && 9'(c) < lanes;
    end
    always_ff @(posedge clk) begin
      if (valid && !last && write_row < 24'(PARTIAL_ROWS))
        row_lane_check[write_row[ROW_BITS-1:0]] <= total_check;
    end
    always_ff @(posedge clk)
      uncorrected <= !reset && (uncorrected || (reads_sums && wrongs != 0));
  end else begin : no_code
    assign delivered = stored;
    assign uncorrected = 1'b0;
    wire unused = &{1'b0, lanes};
  end

  // Parts lie one behind the other, so that one that runs again starts where it did.
  logic [31:0] retry_address;
  if (RERUNS != 0) begin : retries
    always_ff @(posedge clk) begin
      if (reset) retry_address <= '0;
      else if (run_ends && !again) retry_address <= address;
    end
  end else begin : no_retries
    assign retry_address = '0;
    wire unused_verdict = &{1'b0, run_ends, again};
  end

  wire unused_flag;
  sum_stage #(.COLUMNS(COLUMNS)) finished (
      .clk, .reset, .in_valid(valid && last), .in_flag(1'b0), .in_address(address_now),
      .in_sum(total), .valid(finished_valid), .flag(unused_flag), .address(finished_address),
      .sum(finished_sum));

  wire unused = &{1'b0, tag[1], tag[3], next_tag[2], first_row, columns};
endmodule

// Checksums of a tile's columns, and the buffer in which its rows wait for them. Output stationary.
// docs/machine.md, "Row and column checksums".
//
// Level 0 of the activations' tree are the read registers of the rows in use; its sum meets the
// weights, which wait as long, and the products of a column add up in `difference`, with the biases
// and less the sums of the rows that leave the detector. What is left, and whether there is any, a
// second tree adds up over the lanes in use, while rows count what they lack themselves.
module column_checksum #(
    parameter int ROWS = 1,
    parameter int COLUMNS = 1,
    parameter int JUDGES = 0,  // tiles, to correct them or run them again; else it marks cells
    parameter int CORRECT = 0,
    parameter int STATUS = 0,  // a tile that is wrong goes on, and the host is told
    parameter int FLAG = 0,  // rows that were not corrected are marked
    parameter int CELLS = 0,  // and in them the lanes of columns that are wrong
    localparam int BITS = COLUMNS * 32,
    localparam int WORD_BITS = BITS + 64  // a row of the buffer
) (
    input wire clk,
    input wire reset,

    input wire [ROWS*8-1:0] activations,  // the read registers
    input wire [COLUMNS*8-1:0] weights,
    input wire [8:0] rows_used,
    input wire [8:0] lanes,
    input wire param1,
    input wire [8:0] param_lane1,
    input wire [31:0] bias_word,

    // From the sequencer, of the tile whose rows wait.
    input wire clears,  // the next one begins
    input wire judges,
    input wire reads,  // a row leaves the buffer
    input wire [8:0] read_row,

    input wire input_valid,
    input wire [31:0] input_address,
    input wire [BITS-1:0] input_sum,
    input wire [31:0] input_lacks,  // how much less its sums are than they should be

    output wire output_valid,
    output wire output_flag,
    output wire [COLUMNS-1:0] output_cells,
    output wire [31:0] output_address,
    output wire [BITS-1:0] output_sum,
    output wire wrong,  // of the tile that is judged
    output logic uncorrected
);
  localparam int ROW_LEVELS = $clog2(ROWS);
  localparam int LEVELS = $clog2(COLUMNS);
  localparam int SUM_BITS = 8 + ROW_LEVELS;
  localparam int ROW_BITS = $clog2(ROWS + 1);
  localparam int ADDRESS_BITS = ROWS > 1 ? $clog2(ROWS) : 1;

  // The sum of the activations.
  for (genvar l = 0; l <= ROW_LEVELS; l = l + 1) begin : tree
    localparam int ENTRIES = (ROWS + (1 << l) - 1) >> l;
    localparam int BELOW = l > 0 ? (ROWS + (1 << (l - 1)) - 1) >> (l - 1) : 0;
    localparam int WIDTH = 8 + l;
    wire [ENTRIES*WIDTH-1:0] terms;
    if (l == 0) begin : leaves
      for (genvar r = 0; r < ROWS; r = r + 1) begin : row
        assign terms[8*r+:8] = 9'(r) < rows_used ? activations[8*r+:8] : '0;
      end
    end else begin : later
      logic [ENTRIES*WIDTH-1:0] entry;
      assign terms = entry;
      for (genvar i = 0; i < ENTRIES; i = i + 1) begin : pair
        wire signed [WIDTH-2:0] first = tree[l-1].terms[2*i*(WIDTH-1)+:WIDTH-1];
        wire signed [WIDTH-2:0] second;
        if (2 * i + 1 < BELOW) begin : whole
          assign second = tree[l-1].terms[(2*i+1)*(WIDTH-1)+:WIDTH-1];
        end else begin : half
          assign second = '0;
        end
        always_ff @(posedge clk) begin
          if (reset) entry[WIDTH*i+:WIDTH] <= '0;
          else entry[WIDTH*i+:WIDTH] <= WIDTH'(first) + WIDTH'(second);
        end
      end
    end
  end
  wire [COLUMNS*8-1:0] weights_late;
  if (ROW_LEVELS == 0) begin : at_once
    assign weights_late = weights;
  end else begin : delayed
    delay_line #(.STAGES(ROW_LEVELS), .WIDTH(COLUMNS * 8)) weight (
        .clk, .reset, .in(weights), .out(weights_late));
  end

  // What each column lacks.
  logic [BITS-1:0] bias;
  logic [BITS-1:0] difference;
  for (genvar c = 0; c < COLUMNS; c = c + 1) begin : column
    wire signed [SUM_BITS+7:0] product;
    multiply #(.A_WIDTH(SUM_BITS), .B_WIDTH(8)) times (
        .a(tree[ROW_LEVELS].terms), .b(weights_late[8*c+:8]), .product(product));
    wire [31:0] with_product = difference[32*c+:32] + 32'(product);
    wire [31:0] row = input_valid ? bias[32*c+:32] - input_sum[32*c+:32] : '0;
    always_ff @(posedge clk) begin
      if (reset || clears) difference[32*c+:32] <= '0;
      else difference[32*c+:32] <= with_product + row;
    end
    always_ff @(posedge clk) begin
      if (reset) bias[32*c+:32] <= '0;
      else if (param1 && param_lane1 == 9'(c)) bias[32*c+:32] <= bias_word;
    end
  end

  // All columns together: what they lack, and whether none, one or more of them lack something.
  function automatic logic [1:0] add_flags(input logic [1:0] a, input logic [1:0] b);
    add_flags = a == 0 ? b : b == 0 ? a : 2'd2;
  endfunction
  for (genvar l = 0; l <= (CORRECT != 0 ? LEVELS : 0); l = l + 1) begin : total
    localparam int ENTRIES = (COLUMNS + (1 << l) - 1) >> l;
    localparam int BELOW = l > 0 ? (COLUMNS + (1 << (l - 1)) - 1) >> (l - 1) : 0;
    wire [ENTRIES*32-1:0] terms;
    if (l == 0) begin : leaves
      for (genvar c = 0; c < COLUMNS; c = c + 1) begin : lane
        assign terms[32*c+:32] = 9'(c) < lanes ? difference[32*c+:32] : '0;
      end
    end else begin : later
      logic [ENTRIES*32-1:0] entry;
      assign terms = entry;
      for (genvar i = 0; i < ENTRIES; i = i + 1) begin : pair
        wire [31:0] second;
        if (2 * i + 1 < BELOW) begin : whole
          assign second = total[l-1].terms[64*i+32+:32];
        end else begin : half
          assign second = '0;
        end
        always_ff @(posedge clk) begin
          if (reset) entry[32*i+:32] <= '0;
          else entry[32*i+:32] <= total[l-1].terms[64*i+:32] + second;
        end
      end
    end
  end
  for (genvar l = 0; l <= (JUDGES != 0 ? LEVELS : 0); l = l + 1) begin : flagged
    localparam int ENTRIES = (COLUMNS + (1 << l) - 1) >> l;
    localparam int BELOW = l > 0 ? (COLUMNS + (1 << (l - 1)) - 1) >> (l - 1) : 0;
    wire [ENTRIES*2-1:0] terms;
    if (l == 0) begin : leaves
      for (genvar c = 0; c < COLUMNS; c = c + 1) begin : lane
        assign terms[2*c+:2] = {1'b0, total[0].terms[32*c+:32] != 0};
      end
    end else begin : later
      logic [ENTRIES*2-1:0] entry;
      assign terms = entry;
      for (genvar i = 0; i < ENTRIES; i = i + 1) begin : pair
        wire [1:0] second;
        if (2 * i + 1 < BELOW) begin : whole
          assign second = flagged[l-1].terms[4*i+2+:2];
        end else begin : half
          assign second = '0;
        end
        always_ff @(posedge clk) begin
          if (reset) entry[2*i+:2] <= '0;
          else entry[2*i+:2] <= add_flags(flagged[l-1].terms[4*i+:2], second);
        end
      end
    end
  end

  // The rows, which wait in the buffer: the sums, their address and what they lack.
  logic [ROW_BITS-1:0] row;
  logic [1:0] flagged_rows;
  logic [31:0] row_total;
  always_ff @(posedge clk) begin
    if (reset || clears) row <= '0;
    else if (input_valid) row <= row + ROW_BITS'(1);
  end
  if (JUDGES != 0) begin : counts
    wire row_wrong = input_valid && input_lacks != 0;
    always_ff @(posedge clk) begin
      if (reset || clears) flagged_rows <= '0;
      else flagged_rows <= add_flags(flagged_rows, {1'b0, row_wrong});
    end
  end else begin : no_counts
    assign flagged_rows = '0;
  end
  if (CORRECT != 0) begin : totals
    always_ff @(posedge clk) begin
      if (reset || clears) row_total <= '0;
      else if (input_valid) row_total <= row_total + input_lacks;
    end
  end else begin : no_totals
    assign row_total = '0;
  end
  wire [WORD_BITS-1:0] word;
  if (1) begin : buffer
    logic [WORD_BITS-1:0] row_word[0:ROWS-1];
    initial for (int i = 0; i < ROWS; i = i + 1) row_word[i] = '0;
    always_ff @(posedge clk) begin
      if (input_valid && 9'(row) < 9'(ROWS))
        row_word[ADDRESS_BITS'(row)] <= {input_lacks, input_address, input_sum};
    end
    assign word = row_word[ADDRESS_BITS'(read_row)];
    wire unused = &{1'b0, read_row};  // as wide as the count of rows
  end

  if (1) begin : read
    wire valid;
    wire [31:0] address;
    wire [BITS-1:0] sum;
    wire unused_flag;
    sum_stage #(.COLUMNS(COLUMNS)) stage (
        .clk, .reset, .in_valid(reads), .in_flag(1'b0), .in_address(word[BITS+:32]),
        .in_sum(word[BITS-1:0]), .valid, .flag(unused_flag), .address, .sum);
    logic [31:0] lacks;
    always_ff @(posedge clk) begin
      if (reset) lacks <= '0;
      else if (reads) lacks <= word[BITS+32+:32];
    end
  end

  // One row: the columns say what each of its sums lacks. One column: the rows do. Both together
  // lack the same.
  wire located;
  if (CORRECT != 0) begin : locates
    wire [1:0] columns_wrong = flagged[LEVELS].terms;
    wire crosses = flagged_rows == 2'd1 ? columns_wrong != 0
                                        : flagged_rows != 0 && columns_wrong == 2'd1;
    assign located = crosses && total[LEVELS].terms == row_total;
  end else begin : locates_nothing
    wire unused = &{1'b0, row_total};
    assign located = 1'b0;
  end
  if (JUDGES != 0) begin : verdict
    assign wrong = flagged_rows == 0 ? flagged[LEVELS].terms > 2'd1 : !located;
  end else begin : no_verdict
    wire unused = &{1'b0, flagged[0].terms};
    assign wrong = 1'b0;
  end
  wire marks = read.lacks != 0 && !located;
  wire [BITS-1:0] passed;
  wire [COLUMNS-1:0] marked;
  for (genvar c = 0; c < COLUMNS; c = c + 1) begin : lane
    wire [31:0] lacks = total[0].terms[32*c+:32];
    wire [31:0] correction = flagged_rows == 2'd1 ? lacks : read.lacks;
    wire corrects = located && read.lacks != 0 && lacks != 0;
    assign passed[32*c+:32] = read.sum[32*c+:32] + (corrects ? correction : '0);
    assign marked[c] = marks && lacks != 0;
  end
  sum_stage #(.COLUMNS(COLUMNS), .FLAG(FLAG)) output_ (
      .clk, .reset, .in_valid(read.valid), .in_flag(marks), .in_address(read.address),
      .in_sum(passed), .valid(output_valid), .flag(output_flag), .address(output_address),
      .sum(output_sum));
  cell_stage #(.COLUMNS(COLUMNS), .CELLS(CELLS)) output_cell (
      .clk, .reset, .in_valid(read.valid), .in_cells(marked), .cells(output_cells));

  if (STATUS != 0) begin : status
    always_ff @(posedge clk) uncorrected <= !reset && (uncorrected || (judges && wrong));
  end else begin : no_status
    assign uncorrected = 1'b0;
    wire unused = judges;
  end
endmodule

// The bounds of a checker that has a pair for each neuron: two banks that DMA fills, one column
// tile each, with a row for each pixel of an image, and the row that the next vector takes. They
// stand in the tile's stream between its parameters and its weights, ALL_WORDS words a lane, of
// which this checker's begin with FIRST.
module neuron_bounds #(
    parameter int COLUMNS = 1,
    parameter int ROWS = 1,
    parameter int BOUND = 32,          // bits of a bound; with less than 32 two share a word
    parameter int ALL_WORDS = 2,
    parameter int FIRST = 0,
    parameter int PARAMETER_BYTES = 0,  // before them
    parameter int DMA_WIDTH = 16
) (
    input  wire clk,
    input  wire reset,
    input  wire param1,                // lane 0's parameters: a column tile begins
    input  wire [8:0] param_lane1,
    input  wire reads,                 // a vector takes its row
    input  wire read_bank,
    input  wire [23:0] image_rows,
    output wire [COLUMNS*BOUND-1:0] low,
    output wire [COLUMNS*BOUND-1:0] high,

    input wire dma_valid,
    input wire dma_bank,
    input wire [31:0] dma_address,
    input wire [15:0] dma_bytes,
    input wire [31:0] dma_header,
    input wire [DMA_WIDTH*8-1:0] dma_data
);
  localparam int WORDS = BOUND == 32 ? 2 : 1;
  localparam int INDEX_BITS = $clog2(2 * ROWS);
  localparam int BIT_BITS = $clog2(COLUMNS * WORDS * 32);

  logic [COLUMNS*WORDS*32-1:0] bank_row_lane_word[2*ROWS];
  initial for (int i = 0; i < 2 * ROWS; i = i + 1) bank_row_lane_word[i] = '0;

  // The row is below ROWS, and the place in it within a row:
  // verilator lint_off UNUSEDSIGNAL
  function automatic logic [INDEX_BITS-1:0] index_of(input logic bank, input logic [31:0] row);
    index_of = INDEX_BITS'(row) + (bank ? INDEX_BITS'(ROWS) : '0);
  endfunction
  // Where each byte of a beat belongs.
  logic [DMA_WIDTH-1:0] byte_valid;
  logic [DMA_WIDTH*32-1:0] byte_row, byte_bit;
  always_comb begin
    logic [31:0] from, word, lane;
    for (int i = 0; i < DMA_WIDTH; i = i + 1) begin
      from = dma_address + 32'(i) - PARAMETER_BYTES;
      word = from / 4 % ALL_WORDS - FIRST;
      lane = from / 4 / ALL_WORDS % COLUMNS;
      byte_row[i*32+:32] = from / (4 * ALL_WORDS * COLUMNS);
      byte_bit[i*32+:32] = (lane * WORDS + word) * 32 + from % 4 * 8;
      byte_valid[i] = dma_valid && 16'(i) < dma_bytes &&
          {1'b0, dma_address} + 33'(i) < {1'b0, dma_header} &&
          {1'b0, dma_address} + 33'(i) >= 33'(PARAMETER_BYTES) && word < WORDS &&
          byte_row[i*32+:32] < ROWS;
    end
  end
  // verilator lint_on UNUSEDSIGNAL
  always_ff @(posedge clk) begin
    for (int i = 0; i < DMA_WIDTH; i = i + 1) begin
      if (byte_valid[i])
        bank_row_lane_word[index_of(
            dma_bank, byte_row[i*32+:32]
        )][BIT_BITS'(byte_bit[i*32+:32])+:8] <= dma_data[i*8+:8];
    end
  end

  // Counts the vectors of a column tile, image by image.
  logic [23:0] row;
  wire [24:0] following = {1'b0, row} + 25'd1;
  always_ff @(posedge clk) begin
    if (reset || (param1 && param_lane1 == 9'd0)) row <= '0;
    else if (reads) row <= following == {1'b0, image_rows} ? '0 : following[23:0];
  end
  // verilator lint_off UNUSEDSIGNAL
  wire [COLUMNS*WORDS*32-1:0] words =
      row < 24'(ROWS) ? bank_row_lane_word[index_of(read_bank, {8'b0, row})] : '0;
  // verilator lint_on UNUSEDSIGNAL
  for (genvar c = 0; c < COLUMNS; c = c + 1) begin : lane
    assign low[BOUND*c+:BOUND] = words[32*WORDS*c+:BOUND];
    assign high[BOUND*c+:BOUND] = words[32*WORDS*c+(WORDS==2?32:16)+:BOUND];
  end
endmodule

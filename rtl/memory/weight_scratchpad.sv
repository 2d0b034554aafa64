// Two banks that DMA fills, one column tile each: the parameters of the drain path and the rows of
// weights, with the checksum weight of each row where there is a detector. A tile's stream is
// [COLUMNS x LANE_WORDS words][TILE_WORDS words][rows of COLUMNS weights and 2 checksum bytes].
module weight_scratchpad #(
    parameter int COLUMNS = 4,
    parameter int ROWS = 64,
    parameter int LANE_WORDS = 2,
    parameter int TILE_WORDS = 0,
    parameter int CHECKSUM = 0,
    parameter int CHECKSUM_BITS = 8,
    parameter int DMA_WIDTH = 16,
    localparam int TILE_PORT = TILE_WORDS > 0 ? TILE_WORDS : 1
) (
    input logic clk,
    input logic reset,

    input  logic                     read_bank,
    input  logic                     reads_weights,
    input  logic [             24:0] weight_index,
    output logic [    COLUMNS*8-1:0] read,
    output logic [CHECKSUM_BITS-1:0] checksum_weight,

    input  logic                     reads_parameters,
    input  logic [              8:0] parameter_lane,
    output logic [LANE_WORDS*32-1:0] lane_words,
    output logic [ TILE_PORT*32-1:0] tile_words,

    input logic                   dma_valid,
    input logic                   dma_bank,
    input logic [           31:0] dma_address,
    input logic [           15:0] dma_bytes,
    input logic [DMA_WIDTH*8-1:0] dma_data
);
  localparam int LANE_AREA = COLUMNS * LANE_WORDS;                // words of one bank
  localparam int HEADER = 4 * (LANE_AREA + TILE_WORDS);           // bytes
  localparam int STRIDE = COLUMNS + (CHECKSUM != 0 ? 2 : 0);      // bytes of a row in the stream
  localparam int ROW_BITS = $clog2(2 * ROWS);
  localparam int LANE_AREA_BITS = $clog2(2 * LANE_AREA);
  localparam int TILE_AREA_BITS = $clog2(2 * TILE_PORT);

  logic [COLUMNS*8-1:0] bank_row_lane[2*ROWS];
  initial for (int i = 0; i < 2 * ROWS; i = i + 1) bank_row_lane[i] = '0;

  // The row is below ROWS:
  // verilator lint_off UNUSEDSIGNAL
  function automatic logic [ROW_BITS-1:0] row_of(input logic bank, input logic [31:0] row);
    row_of = ROW_BITS'(row) + (bank ? ROW_BITS'(ROWS) : '0);
  endfunction
  // verilator lint_on UNUSEDSIGNAL

  // Where each byte of a beat belongs: row and column count on from those of the first byte.
  logic [DMA_WIDTH-1:0] byte_valid, byte_in_header, byte_in_rows;
  logic [DMA_WIDTH*32-1:0] byte_row, byte_column;
  always_comb begin
    logic [31:0] row, column;
    row = dma_address < HEADER ? '0 : (dma_address - HEADER) / STRIDE;
    column = dma_address < HEADER ? '0 : (dma_address - HEADER) % STRIDE;
    for (int i = 0; i < DMA_WIDTH; i = i + 1) begin
      byte_valid[i] = dma_valid && 16'(i) < dma_bytes;
      byte_in_header[i] = {1'b0, dma_address} + 33'(i) < 33'(HEADER);
      byte_in_rows[i] = !byte_in_header[i] && row < ROWS;
      byte_row[i*32+:32] = row;
      byte_column[i*32+:32] = column;
      if (!byte_in_header[i]) begin
        row = column + 1 == STRIDE ? row + 1 : row;
        column = column + 1 == STRIDE ? '0 : column + 1;
      end
    end
  end

  always_ff @(posedge clk) begin
    for (int i = 0; i < DMA_WIDTH; i = i + 1) begin
      if (byte_valid[i] && byte_in_rows[i] && byte_column[i*32+:32] < COLUMNS)
        bank_row_lane[row_of(
            dma_bank, byte_row[i*32+:32]
        )][byte_column[i*32+:32]*8+:8] <= dma_data[i*8+:8];
    end
  end
  wire reads_row = reads_weights && weight_index < 25'(ROWS);
  always_ff @(posedge clk) begin
    if (reset || !reads_row) read <= '0;
    else read <= bank_row_lane[row_of(read_bank, {7'b0, weight_index})];
  end

  // A checksum weight travels as two bytes; the memory has the bits of its width.
  if (CHECKSUM != 0) begin : checksum
    logic [CHECKSUM_BITS-1:0] bank_row[2*ROWS];
    // verilator lint_off VARHIDDEN
    logic [CHECKSUM_BITS-1:0] read;  // the site's name
    // verilator lint_on VARHIDDEN
    initial for (int i = 0; i < 2 * ROWS; i = i + 1) bank_row[i] = '0;
    always_ff @(posedge clk) begin
      for (int i = 0; i < DMA_WIDTH; i = i + 1) begin
        if (byte_valid[i] && byte_in_rows[i] && byte_column[i*32+:32] == COLUMNS)
          bank_row[row_of(dma_bank, byte_row[i*32+:32])][7:0] <= dma_data[i*8+:8];
      end
    end
    if (CHECKSUM_BITS > 8) begin : high
      always_ff @(posedge clk) begin
        for (int i = 0; i < DMA_WIDTH; i = i + 1) begin
          if (byte_valid[i] && byte_in_rows[i] && byte_column[i*32+:32] == COLUMNS + 1)
            bank_row[row_of(dma_bank, byte_row[i*32+:32])][CHECKSUM_BITS-1:8] <=
                dma_data[i*8+:CHECKSUM_BITS-8];
        end
      end
    end
    always_ff @(posedge clk) begin
      if (reset || !reads_row) read <= '0;
      else read <= bank_row[row_of(read_bank, {7'b0, weight_index})];
    end
    assign checksum_weight = read;
  end else begin : no_checksum
    assign checksum_weight = '0;
  end

  // The words of every lane, then those of the whole tile. Words are little endian.
  if (1) begin : parameter_
    logic [31:0] bank_lane_word[2*LANE_AREA];
    logic [LANE_WORDS*32-1:0] lane_read;
    initial for (int i = 0; i < 2 * LANE_AREA; i = i + 1) bank_lane_word[i] = '0;
    always_ff @(posedge clk) begin
      for (int i = 0; i < DMA_WIDTH; i = i + 1) begin
        if (byte_valid[i] && dma_address + i < 4 * LANE_AREA && byte_in_header[i])
          bank_lane_word[LANE_AREA_BITS'((dma_address+i)/4)+
              (dma_bank ? LANE_AREA_BITS'(LANE_AREA) : '0)][(dma_address+i)%4*8+:8] <=
              dma_data[i*8+:8];
      end
    end
    for (genvar w = 0; w < LANE_WORDS; w = w + 1) begin : lane_port
      always_ff @(posedge clk) begin
        if (reset) lane_read[w*32+:32] <= '0;
        else if (reads_parameters)
          lane_read[w*32+:32] <= bank_lane_word[LANE_AREA_BITS'(parameter_lane*LANE_WORDS+w)+
              (read_bank ? LANE_AREA_BITS'(LANE_AREA) : '0)];
      end
    end
    assign lane_words = lane_read;
    if (TILE_WORDS > 0) begin : tile
      logic [31:0] bank_tile_word[2*TILE_WORDS];
      logic [TILE_WORDS*32-1:0] tile_read;
      initial for (int i = 0; i < 2 * TILE_WORDS; i = i + 1) bank_tile_word[i] = '0;
      always_ff @(posedge clk) begin
        for (int i = 0; i < DMA_WIDTH; i = i + 1) begin
          if (byte_valid[i] && byte_in_header[i] && dma_address + i >= 4 * LANE_AREA)
            bank_tile_word[TILE_AREA_BITS'((dma_address+i)/4-LANE_AREA)+
                (dma_bank ? TILE_AREA_BITS'(TILE_WORDS) : '0)][(dma_address+i)%4*8+:8] <=
                dma_data[i*8+:8];
        end
      end
      for (genvar w = 0; w < TILE_WORDS; w = w + 1) begin : tile_port
        always_ff @(posedge clk) begin
          if (reset) tile_read[w*32+:32] <= '0;
          else if (reads_parameters && parameter_lane == 0)
            tile_read[w*32+:32] <=
                bank_tile_word[TILE_AREA_BITS'(w)+(read_bank ? TILE_AREA_BITS'(TILE_WORDS) : '0)];
        end
      end
      assign tile_words = tile_read;
    end else begin : no_tile
      assign tile_words = '0;
    end
  end
endmodule

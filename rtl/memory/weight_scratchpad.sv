// Two banks that DMA fills, one column tile each: the parameters of the drain path and the rows of
// weights, with the checksum weight of each row where there is a detector. A tile's stream is
// [PARAMETER_LANES x LANE_WORDS words][TILE_WORDS words][rows of LANES weights, 2 checksum bytes].
//
// Input stationary a row has the weights of one channel and one fold. A tile has any number of
// channels, up to PARAMETER_LANES, so that where layers may be that (CHANNELS) the tile's words
// come first and `dma_header` says where the weights begin; a channel's words wait until its sums
// are where they are used.
module weight_scratchpad #(
    parameter int CHANNELS = 0,
    parameter int LANES = 4,
    parameter int ROWS = 64,
    parameter int PARAMETER_LANES = 4,
    parameter int LANE_WORDS = 2,
    parameter int TILE_WORDS = 0,
    parameter int CHECKSUM = 0,
    parameter int CHECKSUM_BITS = 8,
    parameter int DMA_WIDTH = 16,
    parameter logic [95:0] WAITS = '0,  // cycles of lane word w: bits 8 w and up
    localparam int TILE_PORT = TILE_WORDS > 0 ? TILE_WORDS : 1
) (
    input logic clk,
    input logic reset,

    input  logic                     by_channel,  // an input-stationary layer
    input  logic                     read_bank,
    input  logic                     reads_weights,
    input  logic [             24:0] weight_index,
    output logic [      LANES*8-1:0] read,
    output logic [CHECKSUM_BITS-1:0] checksum_weight,

    // Parameters of a lane, or of a channel; the tile's words beside lane 0.
    input  logic                     reads_parameters,
    input  logic [              8:0] parameter_lane,
    input  logic                     reads_channel,
    input  logic [             23:0] parameter_channel,
    output logic [LANE_WORDS*32-1:0] lane_words,
    output logic [ TILE_PORT*32-1:0] tile_words,

    input logic                   dma_valid,
    input logic                   dma_bank,
    input logic [           31:0] dma_address,
    input logic [           15:0] dma_bytes,
    input logic [           31:0] dma_header,
    input logic [DMA_WIDTH*8-1:0] dma_data
);
  // Words of one bank, and which of them come first.
  localparam int LANE_AREA = PARAMETER_LANES * LANE_WORDS;
  localparam int LANES_AT = CHANNELS != 0 ? TILE_WORDS : 0;
  localparam int TILE_AT = CHANNELS != 0 ? 0 : LANE_AREA;
  localparam int STRIDE = LANES + (CHECKSUM != 0 ? 2 : 0);  // bytes of a row in the stream
  localparam int ROW_BITS = $clog2(2 * ROWS);
  localparam int LANE_AREA_BITS = $clog2(2 * LANE_AREA);
  localparam int TILE_AREA_BITS = $clog2(2 * TILE_PORT);

  logic [LANES*8-1:0] bank_row_lane[2*ROWS];
  initial for (int i = 0; i < 2 * ROWS; i = i + 1) bank_row_lane[i] = '0;

  // The row is below ROWS:
  // verilator lint_off UNUSEDSIGNAL
  function automatic logic [ROW_BITS-1:0] row_of(input logic bank, input logic [31:0] row);
    row_of = ROW_BITS'(row) + (bank ? ROW_BITS'(ROWS) : '0);
  endfunction
  // verilator lint_on UNUSEDSIGNAL

  // Where each byte of a beat belongs: row and column count on from those of the first byte.
  wire [31:0] header = CHANNELS != 0 ? dma_header : 32'(4 * (LANE_AREA + TILE_WORDS));
  logic [DMA_WIDTH-1:0] byte_valid, byte_in_header, byte_in_rows;
  logic [DMA_WIDTH*32-1:0] byte_row, byte_column;
  always_comb begin
    logic [31:0] row, column;
    row = dma_address < header ? '0 : (dma_address - header) / STRIDE;
    column = dma_address < header ? '0 : (dma_address - header) % STRIDE;
    for (int i = 0; i < DMA_WIDTH; i = i + 1) begin
      byte_valid[i] = dma_valid && 16'(i) < dma_bytes;
      byte_in_header[i] = {1'b0, dma_address} + 33'(i) < {1'b0, header};
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
      if (byte_valid[i] && byte_in_rows[i] && byte_column[i*32+:32] < LANES)
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
        if (byte_valid[i] && byte_in_rows[i] && byte_column[i*32+:32] == LANES)
          bank_row[row_of(dma_bank, byte_row[i*32+:32])][7:0] <= dma_data[i*8+:8];
      end
    end
    if (CHECKSUM_BITS > 8) begin : high
      always_ff @(posedge clk) begin
        for (int i = 0; i < DMA_WIDTH; i = i + 1) begin
          if (byte_valid[i] && byte_in_rows[i] && byte_column[i*32+:32] == LANES + 1)
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

  // Words are little endian. What a corrupt header takes for words beyond the bank is dropped.
  logic [DMA_WIDTH*32-1:0] byte_word;
  always_comb begin
    for (int i = 0; i < DMA_WIDTH; i = i + 1) byte_word[i*32+:32] = (dma_address + i) / 4;
  end
  if (1) begin : parameter_
    logic [31:0] bank_lane_word[2*LANE_AREA];
    // Two bits of the scale's word wait for nobody.
    // verilator lint_off UNUSEDSIGNAL
    logic [LANE_WORDS*32-1:0] lane_read;
    // verilator lint_on UNUSEDSIGNAL
    initial for (int i = 0; i < 2 * LANE_AREA; i = i + 1) bank_lane_word[i] = '0;
    always_ff @(posedge clk) begin
      for (int i = 0; i < DMA_WIDTH; i = i + 1) begin
        if (byte_valid[i] && byte_in_header[i] && byte_word[i*32+:32] - LANES_AT < LANE_AREA)
          bank_lane_word[LANE_AREA_BITS'(byte_word[i*32+:32]-LANES_AT)+
              (dma_bank ? LANE_AREA_BITS'(LANE_AREA) : '0)][(dma_address+i)%4*8+:8] <=
              dma_data[i*8+:8];
      end
    end
    wire reads_lane = by_channel ? reads_channel : reads_parameters;
    wire [23:0] lane = by_channel ? parameter_channel : {15'b0, parameter_lane};
    for (genvar w = 0; w < LANE_WORDS; w = w + 1) begin : wait_
      localparam int WAIT = 32'(WAITS[w*8+:8]);
      always_ff @(posedge clk) begin
        if (reset) lane_read[w*32+:32] <= '0;
        else if (reads_lane)
          lane_read[w*32+:32] <= lane >= 24'(PARAMETER_LANES) ? '0 :
              bank_lane_word[LANE_AREA_BITS'(lane*LANE_WORDS+w)+
                  (read_bank ? LANE_AREA_BITS'(LANE_AREA) : '0)];
      end
      if (WAIT > 0) begin : waits
        localparam int BITS = w == 1 ? 30 : 32;  // mantissa and shift; all other words are whole
        wire [BITS-1:0] waited;
        delay_line #(
            .STAGES(WAIT), .WIDTH(BITS)
        ) line (
            .clk, .reset, .in(lane_read[w*32+:BITS]), .out(waited)
        );
        assign lane_words[w*32+:32] = by_channel ? 32'(waited) : lane_read[w*32+:32];
      end else begin : at_once
        assign lane_words[w*32+:32] = lane_read[w*32+:32];
      end
    end
    if (TILE_WORDS > 0) begin : tile
      logic [31:0] bank_tile_word[2*TILE_WORDS];
      logic [TILE_WORDS*32-1:0] tile_read;
      initial for (int i = 0; i < 2 * TILE_WORDS; i = i + 1) bank_tile_word[i] = '0;
      always_ff @(posedge clk) begin
        for (int i = 0; i < DMA_WIDTH; i = i + 1) begin
          if (byte_valid[i] && byte_in_header[i] && byte_word[i*32+:32] - TILE_AT < TILE_WORDS)
            bank_tile_word[TILE_AREA_BITS'(byte_word[i*32+:32]-TILE_AT)+
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
  // Each dataflow reads by one of the two, and only one has headers of its own.
  wire unused = &{1'b0, reads_channel, parameter_channel, dma_header, parameter_lane};
endmodule

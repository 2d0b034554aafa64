// Two banks that DMA fills, one column tile each: the parameters of the drain path and the rows of
// weights, with the checksum weight of each row where there is a detector. A tile's stream is
// [PARAMETER_LANES x LANE_WORDS words][TILE_WORDS words][rows of LANES weights, 2 checksum bytes].
//
// Input stationary a row has the weights of one channel and one fold. A tile has any number of
// channels, up to PARAMETER_LANES, so that where layers may be that (CHANNELS) the tile's words
// come first and `dma_header` says where the weights begin; a channel's words wait until its sums
// are where they are used. It says so, too, where checkers' bounds of each neuron (neuron_bounds)
// stand before the weights.
module weight_scratchpad #(
    parameter int CHANNELS = 0,
    parameter int HEADER = CHANNELS,  // `dma_header` says where the weights begin
    parameter int LANES = 4,
    parameter int ROWS = 64,
    parameter int PARAMETER_LANES = 4,
    parameter int LANE_WORDS = 2,
    parameter int TILE_WORDS = 0,
    parameter int CHECKSUM = 0,
    parameter int CHECKSUM_BITS = 8,
    parameter int DMA_WIDTH = 16,
    parameter logic [95:0] WAITS = '0,  // cycles of lane word w: bits 8 w and up
    parameter int CODE = 0,  // of the check bits of each byte: 0 none, 1 parity, 2 SECDED
    parameter int BIAS_SUMS = 0,  // a channel's words 2 and 3 are sums of biases, for the checksum
    localparam int TILE_PORT = TILE_WORDS > 0 ? TILE_WORDS : 1
) (
    input logic clk,
    input logic reset,

    input  logic                     by_channel,  // an input-stationary layer
    input  logic                     read_bank,
    input  logic                     reads_weights,
    input  logic [             24:0] weight_index,
    input  logic [              8:0] weights_used,  // of the row
    output logic [      LANES*8-1:0] read,
    output logic [CHECKSUM_BITS-1:0] checksum_weight,

    // Parameters of a lane, or of a channel; the tile's words beside lane 0.
    input  logic                     reads_parameters,
    input  logic [              8:0] parameter_lane,
    input  logic                     reads_channel,
    input  logic [             23:0] parameter_channel,
    output logic [LANE_WORDS*32-1:0] lane_words,
    output logic [ TILE_PORT*32-1:0] tile_words,
    input  logic [              8:0] lanes_used,
    input  logic                     all_lanes,  // ... are all that there are
    output logic                     uncorrected,  // sticky: a byte was wrong that somebody takes

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
  wire [31:0] header = HEADER != 0 ? dma_header : 32'(4 * (LANE_AREA + TILE_WORDS));
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
    else read <= delivered_row;
  end
  wire [ROW_BITS-1:0] row_read = row_of(read_bank, {7'b0, weight_index});
  wire [LANES*8-1:0] stored_row = bank_row_lane[row_read];
  wire [LANES*8-1:0] delivered_row;
  wire row_wrong, checksum_wrong, words_wrong, tile_wrong;

  // Every byte of a beat is encoded once, wherever it goes.
  localparam int CHECK = CODE == 2 ? 5 : 1;
  wire [DMA_WIDTH*CHECK-1:0] byte_check;
  if (CODE != 0) begin : code
    for (genvar i = 0; i < DMA_WIDTH; i = i + 1) begin : encodes
      check_encoder #(.CODE(CODE), .BITS(8)) encoder (
          .data(dma_data[i*8+:8]), .check(byte_check[i*CHECK+:CHECK]));
    end
    logic [LANES*CHECK-1:0] bank_row_lane_check[2*ROWS];
    initial for (int i = 0; i < 2 * ROWS; i = i + 1) bank_row_lane_check[i] = '0;
    always_ff @(posedge clk) begin
      for (int i = 0; i < DMA_WIDTH; i = i + 1) begin
        if (byte_valid[i] && byte_in_rows[i] && byte_column[i*32+:32] < LANES)
          bank_row_lane_check[row_of(
              dma_bank, byte_row[i*32+:32]
          )][byte_column[i*32+:32]*CHECK+:CHECK] <= byte_check[i*CHECK+:CHECK];
      end
    end
    wire [LANES*CHECK-1:0] stored_check = bank_row_lane_check[row_read];
    wire [LANES-1:0] wrongs;
    for (genvar l = 0; l < LANES; l = l + 1) begin : lane
      wire wrong;
      check_decoder #(.CODE(CODE), .BITS(8)) decoder (
          .stored(stored_row[l*8+:8]), .check(stored_check[l*CHECK+:CHECK]),
          .data(delivered_row[l*8+:8]), .uncorrected(wrong));
      assign wrongs[l] = wrong && 9'(l) < weights_used;
    end
    assign row_wrong = reads_row && wrongs != 0;
    always_ff @(posedge clk)
      uncorrected <=
          !reset && (uncorrected || row_wrong || checksum_wrong || words_wrong || tile_wrong);
  end else begin : no_code
    assign delivered_row = stored_row;
    assign byte_check = '0;
    assign {row_wrong, uncorrected} = '0;
    wire unused = &{1'b0, byte_check, weights_used, lanes_used, all_lanes, row_wrong,
                    checksum_wrong, words_wrong, tile_wrong};
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
    wire [CHECKSUM_BITS-1:0] stored = bank_row[row_read];
    wire [CHECKSUM_BITS-1:0] delivered;
    always_ff @(posedge clk) begin
      if (reset || !reads_row) read <= '0;
      else read <= delivered;
    end
    assign checksum_weight = read;

    // A byte of the lower eight bits, and one of the others.
    if (CODE != 0) begin : code
      localparam int BYTES = CHECKSUM_BITS > 8 ? 2 : 1;
      localparam int UPPER = CHECKSUM_BITS > 8 ? CHECKSUM_BITS - 8 : 1;
      logic [BYTES*CHECK-1:0] bank_row_byte_check[2*ROWS];
      initial for (int i = 0; i < 2 * ROWS; i = i + 1) bank_row_byte_check[i] = '0;
      always_ff @(posedge clk) begin
        for (int i = 0; i < DMA_WIDTH; i = i + 1) begin
          if (byte_valid[i] && byte_in_rows[i] && byte_column[i*32+:32] == LANES)
            bank_row_byte_check[row_of(dma_bank, byte_row[i*32+:32])][CHECK-1:0] <=
                byte_check[i*CHECK+:CHECK];
        end
      end
      wire [BYTES*CHECK-1:0] stored_check = bank_row_byte_check[row_read];
      wire lower_wrong, upper_wrong;
      check_decoder #(.CODE(CODE), .BITS(8)) lower (
          .stored(stored[7:0]), .check(stored_check[CHECK-1:0]), .data(delivered[7:0]),
          .uncorrected(lower_wrong));
      if (BYTES > 1) begin : two
        wire [DMA_WIDTH*CHECK-1:0] upper_check;
        for (genvar i = 0; i < DMA_WIDTH; i = i + 1) begin : encodes
          check_encoder #(.CODE(CODE), .BITS(UPPER)) encoder (
              .data(dma_data[i*8+:UPPER]), .check(upper_check[i*CHECK+:CHECK]));
        end
        always_ff @(posedge clk) begin
          for (int i = 0; i < DMA_WIDTH; i = i + 1) begin
            if (byte_valid[i] && byte_in_rows[i] && byte_column[i*32+:32] == LANES + 1)
              bank_row_byte_check[row_of(dma_bank, byte_row[i*32+:32])][CHECK+:CHECK] <=
                  upper_check[i*CHECK+:CHECK];
          end
        end
        check_decoder #(.CODE(CODE), .BITS(UPPER)) upper (
            .stored(stored[8+:UPPER]), .check(stored_check[CHECK+:CHECK]),
            .data(delivered[8+:UPPER]), .uncorrected(upper_wrong));
      end else begin : one
        assign upper_wrong = 1'b0;
      end
      assign checksum_wrong = reads_row && !by_channel && (lower_wrong || upper_wrong);
    end else begin : no_code
      assign delivered = stored;
      assign checksum_wrong = 1'b0;
    end
  end else begin : no_checksum
    assign checksum_weight = '0;
    assign checksum_wrong = 1'b0;
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
    wire lane_held = lane < 24'(PARAMETER_LANES);
    wire lane_used = by_channel || lane < 24'(lanes_used);
    wire [LANE_WORDS-1:0] wrongs;
    assign words_wrong = reads_lane && lane_held && lane_used && wrongs != 0;
    if (CODE != 0) begin : code
      logic [4*CHECK-1:0] bank_lane_word_byte_check[2*LANE_AREA];
      initial for (int i = 0; i < 2 * LANE_AREA; i = i + 1) bank_lane_word_byte_check[i] = '0;
      always_ff @(posedge clk) begin
        for (int i = 0; i < DMA_WIDTH; i = i + 1) begin
          if (byte_valid[i] && byte_in_header[i] && byte_word[i*32+:32] - LANES_AT < LANE_AREA)
            bank_lane_word_byte_check[LANE_AREA_BITS'(byte_word[i*32+:32]-LANES_AT)+
                (dma_bank ? LANE_AREA_BITS'(LANE_AREA) : '0)][(dma_address+i)%4*CHECK+:CHECK] <=
                byte_check[i*CHECK+:CHECK];
        end
      end
    end
    for (genvar w = 0; w < LANE_WORDS; w = w + 1) begin : wait_
      localparam int WAIT = 32'(WAITS[w*8+:8]);
      wire [LANE_AREA_BITS-1:0] place = LANE_AREA_BITS'(lane * LANE_WORDS + w) +
          (read_bank ? LANE_AREA_BITS'(LANE_AREA) : '0);
      wire [31:0] stored = bank_lane_word[place];
      wire [31:0] delivered;
      if (CODE != 0) begin : decodes
        wire [3:0] wrong;
        wire [4*CHECK-1:0] stored_check = code.bank_lane_word_byte_check[place];
        for (genvar b = 0; b < 4; b = b + 1) begin : byte_
          check_decoder #(.CODE(CODE), .BITS(8)) decoder (
              .stored(stored[b*8+:8]), .check(stored_check[b*CHECK+:CHECK]),
              .data(delivered[b*8+:8]), .uncorrected(wrong[b]));
        end
        // A channel takes one of the two sums of biases.
        if (BIAS_SUMS != 0 && (w == 2 || w == 3)) begin : bias_sum
          assign wrongs[w] = wrong != 0 && by_channel && all_lanes == (w == 2);
        end else begin : always_taken
          assign wrongs[w] = wrong != 0;
        end
      end else begin : plain
        assign delivered = stored;
        assign wrongs[w] = 1'b0;
      end
      always_ff @(posedge clk) begin
        if (reset) lane_read[w*32+:32] <= '0;
        else if (reads_lane)
          lane_read[w*32+:32] <= lane_held ? delivered : '0;
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
      wire reads_tile = reads_parameters && parameter_lane == 0;
      wire [TILE_WORDS-1:0] tile_wrongs;
      assign tile_wrong = reads_tile && tile_wrongs != 0;
      if (CODE != 0) begin : code
        logic [4*CHECK-1:0] bank_tile_word_byte_check[2*TILE_WORDS];
        initial for (int i = 0; i < 2 * TILE_WORDS; i = i + 1) bank_tile_word_byte_check[i] = '0;
        always_ff @(posedge clk) begin
          for (int i = 0; i < DMA_WIDTH; i = i + 1) begin
            if (byte_valid[i] && byte_in_header[i] && byte_word[i*32+:32] - TILE_AT < TILE_WORDS)
              bank_tile_word_byte_check[TILE_AREA_BITS'(byte_word[i*32+:32]-TILE_AT)+
                  (dma_bank ? TILE_AREA_BITS'(TILE_WORDS) : '0)][(dma_address+i)%4*CHECK+:CHECK] <=
                  byte_check[i*CHECK+:CHECK];
          end
        end
      end
      for (genvar w = 0; w < TILE_WORDS; w = w + 1) begin : tile_port
        wire [TILE_AREA_BITS-1:0] place =
            TILE_AREA_BITS'(w) + (read_bank ? TILE_AREA_BITS'(TILE_WORDS) : '0);
        wire [31:0] stored = bank_tile_word[place];
        wire [31:0] delivered;
        if (CODE != 0) begin : decodes
          wire [3:0] wrong;
          wire [4*CHECK-1:0] stored_check = code.bank_tile_word_byte_check[place];
          for (genvar b = 0; b < 4; b = b + 1) begin : byte_
            check_decoder #(.CODE(CODE), .BITS(8)) decoder (
                .stored(stored[b*8+:8]), .check(stored_check[b*CHECK+:CHECK]),
                .data(delivered[b*8+:8]), .uncorrected(wrong[b]));
          end
          // The first is a sum of biases, which a channel has among its own words.
          assign tile_wrongs[w] = wrong != 0 && !(CHECKSUM != 0 && w == 0 && by_channel);
        end else begin : plain
          assign delivered = stored;
          assign tile_wrongs[w] = 1'b0;
        end
        always_ff @(posedge clk) begin
          if (reset) tile_read[w*32+:32] <= '0;
          else if (reads_tile) tile_read[w*32+:32] <= delivered;
        end
      end
      assign tile_words = tile_read;
    end else begin : no_tile
      assign tile_words = '0;
      assign tile_wrong = 1'b0;
    end
  end
  // Each dataflow reads by one of the two, and only one has headers of its own.
  wire unused = &{1'b0, reads_channel, parameter_channel, dma_header, parameter_lane, all_lanes};
endmodule

// Two banks of feature maps: a layer reads one and writes the other. One read port a row of the
// array, with its own address (im2col), and one of COLUMNS consecutive elements for pooling and
// for the host.
module activation_scratchpad #(
    parameter int ROWS = 4,
    parameter int COLUMNS = 4,
    parameter int BYTES = 1024,
    parameter int RAW = 0,
    parameter int DMA_WIDTH = 16
) (
    input logic clk,
    input logic reset,

    input logic        input_bank,
    input logic [15:0] map_height,
    input logic [23:0] map_width,
    input logic [ 7:0] zero_point,
    input logic [ 8:0] rows_used,
    input logic [ 8:0] lanes,

    input  logic               issues_rows,
    input  logic [ROWS*32-1:0] rows_y,
    input  logic [ROWS*32-1:0] rows_x,
    input  logic [ROWS*32-1:0] rows_address,
    input  logic [       31:0] shared_y,
    input  logic [       31:0] shared_x,
    input  logic [       31:0] shared_address,
    output logic [ ROWS*8-1:0] read,

    input  logic                 reads_pool,
    input  logic [         31:0] pool_operand_address,
    input  logic                 reads_results,
    input  logic [         31:0] results_address,
    // The site's name:
    // verilator lint_off SYMRSVDWORD
    output logic [COLUMNS*8-1:0] vector,
    // verilator lint_on SYMRSVDWORD

    input logic                   dma_valid,
    input logic [           31:0] dma_address,
    input logic [           15:0] dma_bytes,
    input logic [DMA_WIDTH*8-1:0] dma_data,
    input logic                   write_valid,
    input logic [           31:0] write_address,
    input logic [  COLUMNS*8-1:0] write_value
);
  localparam int ADDRESS_BITS = $clog2(2 * BYTES);

  logic [7:0] bank_word[2*BYTES];
  initial for (int i = 0; i < 2 * BYTES; i = i + 1) bank_word[i] = '0;

  // The address is below BYTES:
  // verilator lint_off UNUSEDSIGNAL
  function automatic logic [ADDRESS_BITS-1:0] word_of(input logic bank, input logic [31:0] address);
    word_of = ADDRESS_BITS'(address) + (bank ? ADDRESS_BITS'(BYTES) : '0);
  endfunction
  // verilator lint_on UNUSEDSIGNAL

  for (genvar r = 0; r < ROWS; r = r + 1) begin : row_port
    wire [31:0] y = rows_y[r*32+:32] + shared_y;
    wire [31:0] x = rows_x[r*32+:32] + shared_x;
    wire [31:0] address = rows_address[r*32+:32] + shared_address;
    // Unsigned: a negative position is a large one. Outside is the padding.
    wire inside_map = y < {16'b0, map_height} && x < {8'b0, map_width};
    always_ff @(posedge clk) begin
      if (reset || !issues_rows || 9'(r) >= rows_used) read[r*8+:8] <= '0;
      else if (!inside_map) read[r*8+:8] <= zero_point;
      else read[r*8+:8] <= address < BYTES ? bank_word[word_of(input_bank, address)] : '0;
    end
  end

  for (genvar c = 0; c < COLUMNS; c = c + 1) begin : vector_port
    wire [31:0] address = (reads_pool ? pool_operand_address : results_address) + c;
    always_ff @(posedge clk) begin
      if (reset) vector[c*8+:8] <= '0;
      else if (reads_pool || (RAW == 0 && reads_results))
        vector[c*8+:8] <= address < BYTES ? bank_word[word_of(input_bank, address)] : '0;
    end
  end

  // A read in the same cycle sees the old word; the vector unit's write is the later one.
  always_ff @(posedge clk) begin
    for (int i = 0; i < DMA_WIDTH; i = i + 1) begin
      if (dma_valid && 16'(i) < dma_bytes && dma_address + i < BYTES)
        bank_word[word_of(1'b0, dma_address+i)] <= dma_data[i*8+:8];
    end
    for (int c = 0; c < COLUMNS; c = c + 1) begin
      if (write_valid && 9'(c) < lanes && write_address + c < BYTES)
        bank_word[word_of(!input_bank, write_address+c)] <= write_value[c*8+:8];
    end
  end
endmodule

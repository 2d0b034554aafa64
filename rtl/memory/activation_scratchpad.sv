// Feature maps, as many as live at once: a layer reads one, or two to add them, and writes another.
// Each operand that enters the array in a cycle has an address of its own (im2col), or COLUMNS
// consecutive elements are read for pooling, adding and the host: each through a read port of its
// own, or all from BANKS. Writes have ports of their own. A map that does not exist reads as 0 and
// takes nothing.
module activation_scratchpad #(
    parameter int PORTS = 4,
    parameter int COLUMNS = 4,
    parameter int MAPS = 2,
    parameter int MAP_BITS = 1,
    parameter int BYTES = 1024,
    parameter int RAW = 0,
    parameter int DMA_WIDTH = 16,
    parameter int BANKS = 0,  // 0: everybody who reads has a port
    parameter int WORD_BYTES = 1,  // of a bank
    parameter int CODE = 0  // of an element's check bits: 0 none, 1 parity, 2 SECDED
) (
    input logic clk,
    input logic reset,

    input logic [MAP_BITS-1:0] positions_map,
    input logic [MAP_BITS-1:0] vector_map,
    input logic [MAP_BITS-1:0] results_map,
    input logic [15:0] map_height,
    input logic [23:0] map_width,
    input logic [ 7:0] zero_point,

    input  logic [         8:0] ports_used,
    input  logic [PORTS*32-1:0] positions_y,
    input  logic [PORTS*32-1:0] positions_x,
    input  logic [PORTS*32-1:0] positions_address,
    input  logic [        31:0] shared_y,
    input  logic [        31:0] shared_x,
    input  logic [        31:0] shared_address,
    output logic [ PORTS*8-1:0] read,
    output logic                reads_wait,  // for banks, which deliver the rest later

    input  logic                 reads_pool,
    input  logic                 pool_operand_inside,
    input  logic [         31:0] pool_operand_address,
    input  logic                 reads_results,
    input  logic [         31:0] results_address,
    input  logic [         31:0] results,  // how many
    // The site's name:
    // verilator lint_off SYMRSVDWORD
    output logic [COLUMNS*8-1:0] vector,
    // verilator lint_on SYMRSVDWORD

    input logic                   dma_valid,
    input logic [           31:0] dma_address,
    input logic [           15:0] dma_bytes,
    input logic [DMA_WIDTH*8-1:0] dma_data,
    input logic                   write_valid,
    input logic [            8:0] lanes,
    input logic [           31:0] lane_step,
    input logic [           31:0] write_address,
    input logic [  COLUMNS*8-1:0] write_value,

    output logic uncorrected  // sticky: an element was wrong that somebody takes
);
  localparam int ADDRESS_BITS = $clog2(MAPS * BYTES);

  logic [7:0] map_element[MAPS*BYTES];
  initial for (int i = 0; i < MAPS * BYTES; i = i + 1) map_element[i] = '0;

  // Constant where every number is that of a map:
  // verilator lint_off CMPCONST
  function automatic logic holds(input logic [MAP_BITS-1:0] map, input logic [31:0] address);
    holds = 32'(map) < MAPS && address < BYTES;
  endfunction
  // verilator lint_on CMPCONST
  // The address is below BYTES, the map below MAPS:
  // verilator lint_off UNUSEDSIGNAL
  function automatic logic [ADDRESS_BITS-1:0] element_of(input logic [MAP_BITS-1:0] map,
                                                      input logic [31:0] address);
    element_of = ADDRESS_BITS'(32'(map) * BYTES + address);
  endfunction
  // verilator lint_on UNUSEDSIGNAL

  // Who asks for an element of the memory: operands of the array, or lanes of the wide port, never
  // both; whose turn it is, and whose element the memory delivers.
  localparam int READERS = PORTS > COLUMNS ? PORTS : COLUMNS;
  logic [READERS-1:0] turn, served;
  wire reads_operands = ports_used != 0;
  wire reads_vector = reads_pool || (RAW == 0 && reads_results);
  wire [PORTS-1:0] operand_asks;
  wire [PORTS*32-1:0] operand_address;
  wire [COLUMNS-1:0] lane_asks;
  wire [COLUMNS*32-1:0] lane_address;
  wire [PORTS-1:0] operand_wrong;
  wire [COLUMNS-1:0] lane_wrong;
  if (BANKS > 0) begin : banks
    bank_arbiter #(
        .READERS(READERS), .BANKS(BANKS), .WORD_BYTES(WORD_BYTES)
    ) arbiter (
        .clk, .reset,
        .asks(reads_operands ? READERS'(operand_asks) : READERS'(lane_asks)),
        .address(reads_operands ? (READERS * 32)'(operand_address) : (READERS * 32)'(lane_address)),
        .turn, .served, .waits(reads_wait)
    );
  end else begin : ports
    assign {turn, served} = '1;
    assign reads_wait = 1'b0;
    wire unused = &{1'b0, operand_address, lane_address};
  end

  for (genvar r = 0; r < PORTS; r = r + 1) begin : operand_port
    wire [31:0] y = positions_y[r*32+:32] + shared_y;
    wire [31:0] x = positions_x[r*32+:32] + shared_x;
    wire [31:0] address = positions_address[r*32+:32] + shared_address;
    // Unsigned: a negative position is a large one. Outside is the padding.
    wire inside_map = y < {16'b0, map_height} && x < {8'b0, map_width};
    wire in_use = 9'(r) < ports_used;
    assign operand_asks[r] = in_use && inside_map && holds(positions_map, address);
    assign operand_address[r*32+:32] = address;
    wire [7:0] stored = map_element[element_of(positions_map, address)];
    wire [7:0] delivered;
    wire wrong;
    if (CODE != 0) begin : decodes
      check_decoder #(.CODE(CODE), .BITS(8)) decoder (
          .stored, .check(code.map_element_check[element_of(positions_map, address)]),
          .data(delivered), .uncorrected(wrong));
    end else begin : plain
      assign {delivered, wrong} = {stored, 1'b0};
    end
    assign operand_wrong[r] =
        reads_operands && turn[r] && operand_asks[r] && served[r] && wrong;
    always_ff @(posedge clk) begin
      if (reset || !reads_operands) read[r*8+:8] <= '0;
      else if (turn[r] && !operand_asks[r])
        read[r*8+:8] <= in_use && !inside_map ? zero_point : '0;
      else if (turn[r] && served[r])
        read[r*8+:8] <= delivered;
    end
  end

  for (genvar c = 0; c < COLUMNS; c = c + 1) begin : vector_port
    wire [31:0] address = (reads_pool ? pool_operand_address : results_address) + c;
    // With banks only lanes in use read, and no padding.
    wire signed [32:0] left = $signed(results) - $signed(results_address);
    wire taken = reads_pool ? 9'(c) < lanes && pool_operand_inside : left > c;
    wire in_use = BANKS == 0 || taken;
    assign lane_asks[c] = reads_vector && in_use && holds(vector_map, address);
    assign lane_address[c*32+:32] = address;
    wire [7:0] stored = map_element[element_of(vector_map, address)];
    wire [7:0] delivered;
    wire wrong;
    if (CODE != 0) begin : decodes
      check_decoder #(.CODE(CODE), .BITS(8)) decoder (
          .stored, .check(code.map_element_check[element_of(vector_map, address)]),
          .data(delivered), .uncorrected(wrong));
    end else begin : plain
      assign {delivered, wrong} = {stored, 1'b0};
    end
    assign lane_wrong[c] = reads_vector && turn[c] && lane_asks[c] && served[c] && taken && wrong;
    always_ff @(posedge clk) begin
      if (reset) vector[c*8+:8] <= '0;
      else if (reads_vector && turn[c] && !lane_asks[c]) vector[c*8+:8] <= '0;
      else if (reads_vector && turn[c] && served[c])
        vector[c*8+:8] <= delivered;
    end
  end

  wire [COLUMNS-1:0] writes;
  wire [COLUMNS*ADDRESS_BITS-1:0] places;
  for (genvar c = 0; c < COLUMNS; c = c + 1) begin : write_port
    assign writes[c] =
        write_valid && 9'(c) < lanes && holds(results_map, write_address + c * lane_step);
    assign places[c*ADDRESS_BITS+:ADDRESS_BITS] =
        element_of(results_map, write_address+c*lane_step);
  end

  // A read in the same cycle sees the old word; the vector unit's write is the later one.
  always_ff @(posedge clk) begin
    for (int i = 0; i < DMA_WIDTH; i = i + 1) begin
      if (dma_valid && 16'(i) < dma_bytes && dma_address + i < BYTES)
        map_element[element_of('0, dma_address+i)] <= dma_data[i*8+:8];
    end
    for (int c = 0; c < COLUMNS; c = c + 1)
      if (writes[c]) map_element[places[c*ADDRESS_BITS+:ADDRESS_BITS]] <= write_value[c*8+:8];
  end

  if (CODE != 0) begin : code
    localparam int CHECK = CODE == 1 ? 1 : 5;
    logic [CHECK-1:0] map_element_check[MAPS*BYTES];
    initial for (int i = 0; i < MAPS * BYTES; i = i + 1) map_element_check[i] = '0;
    wire [DMA_WIDTH*CHECK-1:0] dma_check;
    for (genvar i = 0; i < DMA_WIDTH; i = i + 1) begin : encodes_beat
      check_encoder #(.CODE(CODE), .BITS(8)) encoder (
          .data(dma_data[i*8+:8]), .check(dma_check[i*CHECK+:CHECK]));
    end
    wire [COLUMNS*CHECK-1:0] write_check;
    for (genvar c = 0; c < COLUMNS; c = c + 1) begin : encodes_results
      check_encoder #(.CODE(CODE), .BITS(8)) encoder (
          .data(write_value[c*8+:8]), .check(write_check[c*CHECK+:CHECK]));
    end
    always_ff @(posedge clk) begin
      for (int i = 0; i < DMA_WIDTH; i = i + 1) begin
        if (dma_valid && 16'(i) < dma_bytes && dma_address + i < BYTES)
          map_element_check[element_of('0, dma_address+i)] <= dma_check[i*CHECK+:CHECK];
      end
      for (int c = 0; c < COLUMNS; c = c + 1)
        if (writes[c])
          map_element_check[places[c*ADDRESS_BITS+:ADDRESS_BITS]] <= write_check[c*CHECK+:CHECK];
    end
    always_ff @(posedge clk)
      uncorrected <= !reset && (uncorrected || operand_wrong != 0 || lane_wrong != 0);
  end else begin : no_code
    assign uncorrected = 1'b0;
    wire unused = &{1'b0, operand_wrong, lane_wrong};
  end
endmodule

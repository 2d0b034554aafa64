// Raw 32-bit results, for layers whose sums are wanted as they are.
module accumulator_buffer #(
    parameter int COLUMNS = 4,
    parameter int WORDS = 64,
    parameter int CODE = 0  // of a word's check bits: 0 none, 1 parity, 2 SECDED
) (
    input logic clk,
    input logic reset,

    input  logic                  reads,
    input  logic [          31:0] read_address,
    // The site's name:
    // verilator lint_off SYMRSVDWORD
    output logic [COLUMNS*32-1:0] vector,
    // verilator lint_on SYMRSVDWORD

    input logic                  write_valid,
    input logic [           8:0] lanes,
    input logic [          31:0] lane_step,
    input logic [          31:0] write_address,
    input logic [COLUMNS*32-1:0] write_sum,

    output logic uncorrected  // sticky: a word was wrong that somebody takes
);
  localparam int ADDRESS_BITS = WORDS > 1 ? $clog2(WORDS) : 1;

  logic [31:0] word[WORDS];
  initial for (int i = 0; i < WORDS; i = i + 1) word[i] = '0;

  for (genvar c = 0; c < COLUMNS; c = c + 1) begin : port
    wire [31:0] address = read_address + c;
    wire [31:0] stored = word[ADDRESS_BITS'(address)];
    wire [31:0] delivered;
    wire wrong;
    always_ff @(posedge clk) begin
      if (reset) vector[c*32+:32] <= '0;
      else if (reads) vector[c*32+:32] <= address < WORDS ? delivered : '0;
    end
    if (CODE != 0) begin : decodes
      wire decoded_wrong;
      check_decoder #(.CODE(CODE), .BITS(32)) decoder (
          .stored, .check(code.word_check[ADDRESS_BITS'(address)]), .data(delivered),
          .uncorrected(decoded_wrong));
      assign wrong = reads && address < WORDS && decoded_wrong;
    end else begin : plain
      assign {delivered, wrong} = {stored, 1'b0};
    end
  end
  wire [COLUMNS-1:0] wrongs;
  for (genvar c = 0; c < COLUMNS; c = c + 1) begin : gather
    assign wrongs[c] = port[c].wrong;
  end

  if (CODE != 0) begin : code
    localparam int CHECK = CODE == 1 ? 1 : 7;
    logic [CHECK-1:0] word_check[WORDS];
    initial for (int i = 0; i < WORDS; i = i + 1) word_check[i] = '0;
    wire [COLUMNS*CHECK-1:0] write_check;
    for (genvar c = 0; c < COLUMNS; c = c + 1) begin : encodes
      check_encoder #(.CODE(CODE), .BITS(32)) encoder (
          .data(write_sum[c*32+:32]), .check(write_check[c*CHECK+:CHECK]));
    end
    always_ff @(posedge clk) begin
      for (int c = 0; c < COLUMNS; c = c + 1)
        if (writes[c])
          word_check[places[c*ADDRESS_BITS+:ADDRESS_BITS]] <= write_check[c*CHECK+:CHECK];
    end
    always_ff @(posedge clk) uncorrected <= !reset && (uncorrected || wrongs != 0);
  end else begin : no_code
    assign uncorrected = 1'b0;
    wire unused = &{1'b0, wrongs};
  end

  wire [COLUMNS-1:0] writes;
  wire [COLUMNS*ADDRESS_BITS-1:0] places;
  for (genvar c = 0; c < COLUMNS; c = c + 1) begin : write_port
    wire [31:0] address = write_address + c * lane_step;
    assign writes[c] = write_valid && 9'(c) < lanes && address < WORDS;
    assign places[c*ADDRESS_BITS+:ADDRESS_BITS] = ADDRESS_BITS'(address);
  end
  always_ff @(posedge clk) begin
    for (int c = 0; c < COLUMNS; c = c + 1)
      if (writes[c]) word[places[c*ADDRESS_BITS+:ADDRESS_BITS]] <= write_sum[c*32+:32];
  end
endmodule

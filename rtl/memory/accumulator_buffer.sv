// Raw 32-bit results, for layers whose sums are wanted as they are.
module accumulator_buffer #(
    parameter int COLUMNS = 4,
    parameter int WORDS = 64
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
    input logic [          31:0] write_address,
    input logic [COLUMNS*32-1:0] write_sum
);
  localparam int ADDRESS_BITS = WORDS > 1 ? $clog2(WORDS) : 1;

  logic [31:0] word[WORDS];
  initial for (int i = 0; i < WORDS; i = i + 1) word[i] = '0;

  for (genvar c = 0; c < COLUMNS; c = c + 1) begin : port
    wire [31:0] address = read_address + c;
    always_ff @(posedge clk) begin
      if (reset) vector[c*32+:32] <= '0;
      else if (reads) vector[c*32+:32] <= address < WORDS ? word[ADDRESS_BITS'(address)] : '0;
    end
  end

  always_ff @(posedge clk) begin
    for (int c = 0; c < COLUMNS; c = c + 1) begin
      if (write_valid && 9'(c) < lanes && write_address + c < WORDS)
        word[ADDRESS_BITS'(write_address+c)] <= write_sum[c*32+:32];
    end
  end
endmodule

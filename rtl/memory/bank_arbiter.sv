// The banks of the activation scratchpad: who is served in a cycle, and who waits. docs/machine.md,
// "Banks".
//
// Word w of a map, WORD_BYTES elements, lies in bank w mod BANKS. A bank delivers the word that the
// lowest reader whose turn it is asks for, to all whose elements lie in it.
module bank_arbiter #(
    parameter int READERS = 4,
    parameter int BANKS = 4,
    parameter int WORD_BYTES = 1
) (
    input logic clk,
    input logic reset,

    input  logic [   READERS-1:0] asks,     // for an element of a bank
    input  logic [READERS*32-1:0] address,  // of it
    output logic [   READERS-1:0] turn,     // in this cycle of the access
    output logic [   READERS-1:0] served,
    output logic                  waits     // the access goes on in the next cycle
);
  localparam int WORD_BITS = $clog2(WORD_BYTES);

  logic [READERS-1:0] pending;  // not served yet; none: an access begins, if anybody asks
  assign turn = pending == 0 ? '1 : pending;
  wire [READERS-1:0] wanting = asks & turn;

  logic [READERS*32-1:0] word;
  for (genvar r = 0; r < READERS; r = r + 1) begin : reader
    assign word[r*32+:32] = address[r*32+:32] >> WORD_BITS;
  end

  wire [BANKS*READERS-1:0] served_by;
  for (genvar b = 0; b < BANKS; b = b + 1) begin : bank
    wire [READERS-1:0] here;  // wants a word of this bank
    for (genvar r = 0; r < READERS; r = r + 1) begin : reader
      assign here[r] = wanting[r] && (word[r*32+:32] & 32'(BANKS - 1)) == 32'(b);
    end
    logic [31:0] delivered;
    always_comb begin
      delivered = '0;
      for (int r = READERS - 1; r >= 0; r = r - 1) if (here[r]) delivered = word[r*32+:32];
    end
    for (genvar r = 0; r < READERS; r = r + 1) begin : answer
      assign served_by[b*READERS+r] = here[r] && word[r*32+:32] == delivered;
    end
  end
  always_comb begin
    served = '0;
    for (int b = 0; b < BANKS; b = b + 1) served = served | served_by[b*READERS+:READERS];
  end

  wire [READERS-1:0] left = wanting & ~served;
  assign waits = left != 0;
  always_ff @(posedge clk) pending <= reset ? '0 : left;
endmodule

// What travels beside a stage of the drain path where checkers act on cells: a bit a lane, set where
// its row and its column failed their checksums. Holds while nothing valid arrives.
module cell_stage #(
    parameter int COLUMNS = 1,
    parameter int CELLS = 0  // whether anybody reads them
) (
    input  wire clk,
    input  wire reset,
    input  wire in_valid,
    input  wire [COLUMNS-1:0] in_cells,
    output wire [COLUMNS-1:0] cells
);
  if (CELLS != 0) begin : travels
    logic [COLUMNS-1:0] held;
    always_ff @(posedge clk) begin
      if (reset) held <= '0;
      else if (in_valid) held <= in_cells;
    end
    assign cells = held;
  end else begin : none
    assign cells = '0;
    wire unused = &{1'b0, clk, reset, in_valid, in_cells};
  end
endmodule

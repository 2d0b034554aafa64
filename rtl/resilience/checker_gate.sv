// Whether a checker may act on a row: always; only where its checksum failed; or from the first such
// row of a layer to the layer's end. Of outputs: of rows that failed their check, and only in layers
// with a product.
module checker_gate #(
    parameter int GATE = 0  // 0: always, 1: row, 2: layer, 3: cell, which the checker asks lane by lane
) (
    input  wire clk,
    input  wire reset,
    input  wire enabled,
    input  wire next_layer,  // between two layers
    input  wire valid,       // a row is decided on in this cycle
    input  wire flag,        // its checksum or check failed
    output wire opens
);
  if (GATE == 2) begin : sticky
    logic open;
    always_ff @(posedge clk) begin
      if (reset || next_layer) open <= 1'b0;
      else if (valid && flag) open <= 1'b1;
    end
    assign opens = enabled && (flag || open);
  end else begin : of_row
    // verilator lint_off UNUSEDSIGNAL
    wire unused = &{clk, reset, next_layer, valid, flag};
    // verilator lint_on UNUSEDSIGNAL
    assign opens = enabled && (GATE == 0 || GATE == 3 || flag);
  end
endmodule

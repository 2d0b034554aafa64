// Walks over layers, and over the column tiles of a layer: groups, and columns within a group. A
// column tile has a bank of the weight scratchpad, which DMA fills while the tile before uses the
// other one.
module column_tiles #(
    parameter int COLUMNS = 4
) (
    input logic clk,
    input logic reset,

    input logic takes_layer,
    input logic tile_ends,
    input logic pixels_in_lanes,  // lanes are pixels: a tile has as many channels as the layer says

    // The layer.
    input logic        has_weights,
    input logic [23:0] columns,
    input logic [23:0] group_columns,
    input logic [23:0] tap_channels,
    input logic [23:0] tile_channels,
    input logic [23:0] columns_used,  // by this tile

    output logic [ 7:0] layer,  // the next one to take
    output logic        weight_bank,
    output logic [15:0] column_tile,
    output logic [23:0] first_column,
    output logic [23:0] group_column,  // the first one, counted within its group
    output logic [31:0] group_address,
    output logic        last
);
  wire [23:0] next_column = first_column + columns_used;
  wire [23:0] next_group_column = group_column + (pixels_in_lanes ? tile_channels : 24'(COLUMNS));
  wire group_ends = next_group_column >= group_columns;
  assign last = next_column >= columns;

  always_ff @(posedge clk) begin
    if (reset) begin
      {layer, weight_bank, column_tile, first_column, group_column, group_address} <= '0;
    end else if (takes_layer) begin
      layer <= layer + 8'd1;
      {first_column, group_column, group_address} <= '0;
    end else if (tile_ends) begin
      if (has_weights) begin
        column_tile <= column_tile + 16'd1;
        weight_bank <= !weight_bank;
      end
      first_column <= next_column;
      group_column <= group_ends ? '0 : next_group_column;
      if (group_ends) group_address <= group_address + {8'b0, tap_channels};
    end
  end
endmodule

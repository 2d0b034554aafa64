// A checker's bounds: one pair, or a pair of each lane, which take their words as the lanes take
// their parameters. In an input-stationary layer a row is one channel, so that all lanes take its
// bounds; where all layers are, they share one pair. With a pair for each neuron they take a row of
// those (neuron_bounds) with each vector.
module bounds #(
    parameter int FLOWS = 1,
    parameter int COLUMNS = 1,
    parameter int WIDTH = 32,  // of a bound
    parameter int CHANNEL = 0,  // bounds of each channel instead of one pair for the layer
    parameter int NEURON = 0    // ... or of each neuron
) (
    input  wire clk,
    input  wire reset,
    input  wire is,                 // the layer is input stationary
    input  wire param1,             // the words are those of a lane ...
    input  wire [8:0] param_lane1,  // ... of this one; those of the tile: beside lane 0. Input
                                    // stationary, those of the row's channel: always
    input  wire [WIDTH-1:0] low_word,
    input  wire [WIDTH-1:0] high_word,
    input  wire arrives,            // a vector will meet its bounds in the next cycle
    input  wire [COLUMNS*WIDTH-1:0] row_low,
    input  wire [COLUMNS*WIDTH-1:0] row_high,
    output wire [COLUMNS*WIDTH-1:0] least,  // of each lane
    output wire [COLUMNS*WIDTH-1:0] most
);
  localparam int PAIRS = (NEURON != 0 || CHANNEL != 0) && FLOWS != 4 ? COLUMNS : 1;
  wire follows_channel = CHANNEL != 0 && is;
  logic [PAIRS*WIDTH-1:0] low;
  logic [PAIRS*WIDTH-1:0] high;

  always_ff @(posedge clk) begin
    if (reset) begin
      low <= '0;
      high <= '0;
    end else if (NEURON != 0) begin
      if (arrives) begin
        low <= row_low[PAIRS*WIDTH-1:0];
        high <= row_high[PAIRS*WIDTH-1:0];
      end
    end else if (param1 || follows_channel) begin
      for (int i = 0; i < PAIRS; i = i + 1) begin
        if (param_lane1 == 9'(i) || follows_channel) begin
          low[WIDTH*i+:WIDTH] <= low_word;
          high[WIDTH*i+:WIDTH] <= high_word;
        end
      end
    end
  end

  for (genvar c = 0; c < COLUMNS; c = c + 1) begin : lane
    localparam int PAIR = PAIRS > 1 ? c : 0;
    assign least[WIDTH*c+:WIDTH] = low[WIDTH*PAIR+:WIDTH];
    assign most[WIDTH*c+:WIDTH] = high[WIDTH*PAIR+:WIDTH];
  end
  wire unused = &{1'b0, arrives, row_low, row_high, param1, param_lane1, low_word, high_word,
                  follows_channel};
endmodule

// The PE array with its skew registers. Lane i of an operand enters i cycles after lane 0, so that
// pe[r][c] meets both of its operands r + c cycles after pe[0][0] does.
//  - Output stationary: a moves right, b down; sums leave upwards through row 0.
//  - Weight stationary: a moves right; b stays, except while a load enable, which reaches
//    column c after c cycles, lets it sink; sums leave below the last row, where delay registers
//    align them.
//  - Input stationary: the same with a and b exchanged, and a rises from below.
//
// With several FLOWS the layer says which of them it is. Skew and deskew registers, load enables
// and swap bits move on in every layer.
//
// With OVERLAP every PE has a second register, behind which one tile's or fold's drain or preload
// goes on while the next one multiplies. Swap bits enter beside the operand that moves right, row r
// as many cycles later.
module array #(
    parameter int FLOWS = 1,
    parameter int ROWS = 1,
    parameter int COLUMNS = 1,
    parameter int COPIES = 1,
    parameter int MACS = 1,
    parameter int OVERLAP = 0,
    parameter int ACTIVATION_LANES = 1,
    parameter int WEIGHT_LANES = 1
) (
    input  wire clk,
    input  wire reset,
    input  wire os,  // the layer is output stationary
    input  wire is,  // ... or input stationary
    input  wire [ACTIVATION_LANES*8-1:0] activations,
    input  wire [WEIGHT_LANES*8-1:0] weights,
    input  wire [1:0] mode,  // output stationary: see output_pe
    input  wire load,        // else: what stays is to enter column 0
    input  wire swap_in,     // overlap: enters row 0
    input  wire shift,       // overlap, output stationary: drain registers move upwards
    output wire [COLUMNS*32-1:0] leaving,  // output stationary: the row at the top
    output wire [COLUMNS*32-1:0] aligned   // else: the row of sums below the last one
);
  localparam bit OS = (FLOWS & 1) != 0;
  localparam bit IS = (FLOWS & 4) != 0;
  localparam bit MIXED = (FLOWS & (FLOWS - 1)) != 0;
  wire [ACTIVATION_LANES*8-1:0] skewed_a;
  wire [WEIGHT_LANES*8-1:0] skewed_b;
  for (genvar i = 0; i < ACTIVATION_LANES; i = i + 1) begin : skew_a
    if (i == 0) begin : at_once
      assign skewed_a[7:0] = activations[7:0];
    end else begin : delayed
      delay_line #(.STAGES(i), .WIDTH(8)) line (
          .clk, .reset, .in(activations[8*i+:8]), .out(skewed_a[8*i+:8]));
    end
  end
  for (genvar i = 0; i < WEIGHT_LANES; i = i + 1) begin : skew_b
    if (i == 0) begin : at_once
      assign skewed_b[7:0] = weights[7:0];
    end else begin : delayed
      delay_line #(.STAGES(i), .WIDTH(8)) line (
          .clk, .reset, .in(weights[8*i+:8]), .out(skewed_b[8*i+:8]));
    end
  end

  wire [ROWS-1:0] swaps;  // what enters the rows
  for (genvar r = 0; r < ROWS; r = r + 1) begin : skew_swap
    if (OVERLAP == 0) begin : none
      assign swaps[r] = 1'b0;
    end else if (r == 0) begin : at_once
      assign swaps[0] = swap_in;
    end else begin : delayed
      delay_line #(.STAGES(r), .WIDTH(1)) line (.clk, .reset, .in(swap_in), .out(swaps[r]));
    end
  end

  wire [ROWS*8-1:0] enters_row;        // from the left
  wire [COLUMNS*8-1:0] enters_column;  // from above, or (input stationary) from below
  if (MIXED && IS) begin : from_the_left_by_layer
    assign enters_row = is ? skewed_b[ROWS*8-1:0] : skewed_a[ROWS*8-1:0];
    assign enters_column = is ? skewed_a[COLUMNS*8-1:0] : skewed_b[COLUMNS*8-1:0];
    // Of each operand the lanes that one dataflow has and the other has not.
    wire unused = &{1'b0, skewed_a, skewed_b};
  end else if (IS) begin : weights_from_the_left
    assign enters_row = skewed_b;
    assign enters_column = skewed_a;
  end else begin : activations_from_the_left
    assign enters_row = skewed_a;
    assign enters_column = skewed_b;
  end

  for (genvar i = 0; i < ROWS * COLUMNS; i = i + 1) begin : pe
    localparam int ROW = i / COLUMNS;
    localparam int COLUMN = i % COLUMNS;
    wire [7:0] left;
    wire [7:0] above;       // of the other operand, what moves down into this PE
    wire [7:0] below;       // ... and up
    wire [31:0] sum_above;
    wire [31:0] sum_below;
    wire [7:0] to_right;
    wire [7:0] down;
    wire [7:0] up;
    wire [31:0] sum_down;
    wire [31:0] sum_up;
    wire swap_left;
    wire swap_out;
    // At the far edges, or of other dataflows.
    wire unused = &{1'b0, to_right, down, up, sum_down, sum_up, swap_out};
    wire unused_in = &{1'b0, above, below, sum_above, sum_below};

    if (COLUMN == 0) begin : from_edge
      assign left = enters_row[8*ROW+:8];
      assign swap_left = swaps[ROW];
    end else begin : from_neighbour
      assign left = pe[i-1].to_right;
      assign swap_left = pe[i-1].swap_out;
    end
    if (ROW == 0) begin : top
      assign above = enters_column[8*COLUMN+:8];
      assign sum_above = '0;
    end else begin : below_another
      assign above = pe[i-COLUMNS].down;
      assign sum_above = pe[i-COLUMNS].sum_down;
    end
    if (ROW == ROWS - 1) begin : bottom
      assign below = enters_column[8*COLUMN+:8];
      assign sum_below = '0;
    end else begin : above_another
      assign below = pe[i+COLUMNS].up;
      assign sum_below = pe[i+COLUMNS].sum_up;
    end

    if (MIXED) begin : flows
      union_pe #(.FLOWS(FLOWS), .COPIES(COPIES), .MACS(MACS), .OVERLAP(OVERLAP)) unit (
          .clk, .reset, .os, .is, .mode, .shift, .load(downwards.load[COLUMN].now), .left, .above,
          .below, .sum_above, .sum_below, .swap_left, .to_right, .down, .up, .acc_out(sum_down),
          .leaving(sum_up), .swap_out);
    end else if (OS) begin : flows
      output_pe #(.COPIES(COPIES), .MACS(MACS), .OVERLAP(OVERLAP)) unit (
          .clk, .reset, .mode, .shift, .left, .above, .below(sum_below), .swap_left,
          .a_out(to_right), .b_out(down), .sum_out(sum_up), .swap_out);
      assign up = '0;
      assign sum_down = '0;
    end else begin : flows
      wire [7:0] onwards;
      stationary_pe #(.COPIES(COPIES), .MACS(MACS), .INPUTS(IS ? 1 : 0), .OVERLAP(OVERLAP)) unit (
          .clk, .reset, .load(downwards.load[COLUMN].now), .left,
          .from_column(IS ? below : above), .sum_above, .swap_left, .to_right, .onwards,
          .acc_out(sum_down), .swap_out);
      assign up = onwards;
      assign down = onwards;
      assign sum_up = '0;
    end
  end

  wire load_first = load;  // inside, the name is the enables'
  for (genvar c = 0; c < COLUMNS; c = c + 1) begin : lane
    assign leaving[32*c+:32] = pe[c].sum_up;
  end
  if (FLOWS == 1) begin : no_loads
    assign aligned = '0;
  end else begin : downwards
    for (genvar c = 0; c < COLUMNS; c = c + 1) begin : load
      wire now;
      if (c == 0) begin : at_once
        assign now = load_first;
      end else begin : delayed
        logic enable;
        always_ff @(posedge clk) enable <= !reset && load[c-1].now;
        assign now = enable;
      end
    end
    // Column c finishes c cycles after column 0, so it waits that much less for the last one.
    for (genvar c = 0; c < COLUMNS; c = c + 1) begin : deskew
      if (c + 1 == COLUMNS) begin : at_once
        assign aligned[32*c+:32] = pe[(ROWS-1)*COLUMNS+c].sum_down;
      end else begin : delayed
        delay_line #(.STAGES(COLUMNS - 1 - c), .WIDTH(32)) line (
            .clk, .reset, .in(pe[(ROWS-1)*COLUMNS+c].sum_down), .out(aligned[32*c+:32]));
      end
    end
  end
  wire unused = &{1'b0, os, is, mode, load_first, swap_in, shift};  // each by some dataflows
endmodule

// The PE array with its skew registers. Lane i of an operand enters i cycles after lane 0, so that
// pe[r][c] meets both of its operands r + c cycles after pe[0][0] does.
//  - Output stationary (DATAFLOW 0): a moves right, b down; sums leave upwards through row 0.
//  - Weight stationary (1): a moves right; b stays, except while a load enable, which reaches
//    column c after c cycles, lets it sink; sums leave below the last row, where delay registers
//    align them.
//  - Input stationary (2): the same with a and b exchanged, and a rises from below.
//
// With OVERLAP every PE has a second register, behind which one tile's or fold's drain or preload
// goes on while the next one multiplies. Swap bits enter beside the operand that moves right, row r
// as many cycles later.
module array #(
    parameter int DATAFLOW = 0,
    parameter int ROWS = 1,
    parameter int COLUMNS = 1,
    parameter int COPIES = 1,
    parameter int OVERLAP = 0,
    localparam int ACTIVATION_LANES = DATAFLOW == 2 ? COLUMNS : ROWS,
    localparam int WEIGHT_LANES = DATAFLOW == 2 ? ROWS : COLUMNS
) (
    input  wire clk,
    input  wire reset,
    input  wire [ACTIVATION_LANES*8-1:0] activations,
    input  wire [WEIGHT_LANES*8-1:0] weights,
    input  wire [1:0] mode,  // output stationary: see output_pe
    input  wire load,        // else: what stays is to enter column 0
    input  wire swap_in,     // overlap: enters row 0
    input  wire shift,       // overlap, output stationary: drain registers move upwards
    output wire [COLUMNS*32-1:0] sums  // the row that leaves
);
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
  if (DATAFLOW == 2) begin : weights_from_the_left
    assign enters_row = skewed_b;
    assign enters_column = skewed_a;
  end else begin : activations_from_the_left
    assign enters_row = skewed_a;
    assign enters_column = skewed_b;
  end

  for (genvar i = 0; i < ROWS * COLUMNS; i = i + 1) begin : pe
    localparam int ROW = i / COLUMNS;
    localparam int COLUMN = i % COLUMNS;
    // The PE of this column from which the other operand comes, and the one from which sums do.
    localparam int BEFORE = DATAFLOW == 2 ? i + COLUMNS : i - COLUMNS;
    localparam int SUMS_FROM = DATAFLOW == 0 ? i + COLUMNS : i - COLUMNS;

    wire [7:0] left;
    wire [7:0] from_column;
    wire [31:0] sum_in;
    wire [7:0] to_right;
    wire [7:0] onwards;
    wire [31:0] sum_out;
    wire swap_left;
    wire swap_out;
    wire unused = &{1'b0, to_right, onwards, swap_out};  // at the far edges

    if (COLUMN == 0) begin : from_edge
      assign left = enters_row[8*ROW+:8];
      assign swap_left = swaps[ROW];
    end else begin : from_neighbour
      assign left = pe[i-1].to_right;
      assign swap_left = pe[i-1].swap_out;
    end
    if (BEFORE < 0 || BEFORE >= ROWS * COLUMNS) begin : first_of_column
      assign from_column = enters_column[8*COLUMN+:8];
    end else begin : inside_column
      assign from_column = pe[BEFORE].onwards;
    end
    if (SUMS_FROM < 0 || SUMS_FROM >= ROWS * COLUMNS) begin : sums_begin
      assign sum_in = '0;
    end else begin : sums_pass
      assign sum_in = pe[SUMS_FROM].sum_out;
    end

    if (DATAFLOW == 0) begin : flow
      output_pe #(.COPIES(COPIES), .OVERLAP(OVERLAP)) unit (
          .clk, .reset, .mode, .shift, .left, .above(from_column), .below(sum_in), .swap_left,
          .a_out(to_right), .b_out(onwards), .sum_out, .swap_out);
    end else begin : flow
      stationary_pe #(.COPIES(COPIES), .INPUTS(DATAFLOW == 2 ? 1 : 0), .OVERLAP(OVERLAP)) unit (
          .clk, .reset, .load(downwards.load[COLUMN].now), .left, .from_column,
          .sum_above(sum_in), .swap_left, .to_right, .onwards, .acc_out(sum_out), .swap_out);
    end
  end

  wire load_first = load;  // inside, the name is the enables'
  if (DATAFLOW == 0) begin : upwards
    for (genvar c = 0; c < COLUMNS; c = c + 1) begin : lane
      assign sums[32*c+:32] = pe[c].sum_out;
    end
    wire unused = &{1'b0, load_first, swap_in, shift};
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
        assign sums[32*c+:32] = pe[(ROWS-1)*COLUMNS+c].sum_out;
      end else begin : delayed
        delay_line #(.STAGES(COLUMNS - 1 - c), .WIDTH(32)) line (
            .clk, .reset, .in(pe[(ROWS-1)*COLUMNS+c].sum_out), .out(sums[32*c+:32]));
      end
    end
    wire unused = &{1'b0, mode, swap_in, shift};
  end
endmodule

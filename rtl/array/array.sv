// The PE array with its skew registers. Lane i of an operand enters i cycles after lane 0, so that
// pe[r][c] meets both of its operands r + c cycles after pe[0][0] does.
//  - Output stationary (DATAFLOW 0): a moves right, b down; sums leave upwards through row 0.
//  - Weight stationary (1): b stays, except while a load enable, which reaches column c after c
//    cycles, lets it sink; sums leave below the last row, where delay registers align them.
module array #(
    parameter int DATAFLOW = 0,
    parameter int ROWS = 1,
    parameter int COLUMNS = 1,
    parameter int COPIES = 1
) (
    input  wire clk,
    input  wire reset,
    input  wire [ROWS*8-1:0] activations,
    input  wire [COLUMNS*8-1:0] weights,
    input  wire [1:0] mode,  // output stationary: see output_pe
    input  wire load,        // weight stationary: `weights` sink into column 0
    output wire [COLUMNS*32-1:0] sums  // the row that leaves
);
  for (genvar r = 0; r < ROWS; r = r + 1) begin : skew_a
    wire [7:0] entering;  // row r, from the left
    if (r == 0) begin : at_once
      assign entering = activations[7:0];
    end else begin : delayed
      delay_line #(.STAGES(r), .WIDTH(8)) line (
          .clk, .reset, .in(activations[8*r+:8]), .out(entering));
    end
  end
  for (genvar c = 0; c < COLUMNS; c = c + 1) begin : skew_b
    wire [7:0] entering;  // column c, from above
    if (c == 0) begin : at_once
      assign entering = weights[7:0];
    end else begin : delayed
      delay_line #(.STAGES(c), .WIDTH(8)) line (
          .clk, .reset, .in(weights[8*c+:8]), .out(entering));
    end
  end

  for (genvar i = 0; i < ROWS * COLUMNS; i = i + 1) begin : pe
    localparam int ROW = i / COLUMNS;
    localparam int COLUMN = i % COLUMNS;
    wire [7:0] left;
    wire [7:0] above;
    wire [7:0] a_out;
    wire [7:0] b_out;
    wire [31:0] acc_out;
    wire unused = &{1'b0, a_out, b_out};  // at the right and at the lower edge

    if (COLUMN == 0) begin : left_edge
      assign left = skew_a[ROW].entering;
    end else begin : right_of
      assign left = pe[i-1].a_out;
    end
    if (ROW == 0) begin : upper_edge
      assign above = skew_b[COLUMN].entering;
    end else begin : below
      assign above = pe[i-COLUMNS].b_out;
    end

    if (DATAFLOW == 0) begin : output_stationary
      wire [31:0] acc_below;
      if (ROW + 1 == ROWS) begin : last_row
        assign acc_below = '0;
      end else begin : above_another
        assign acc_below = pe[i+COLUMNS].acc_out;
      end
      output_pe #(.COPIES(COPIES)) unit (
          .clk, .reset, .mode, .left, .above, .below(acc_below), .a_out, .b_out, .acc_out);
    end else begin : weight_stationary
      wire [31:0] acc_above;
      if (ROW == 0) begin : first_row
        assign acc_above = '0;
      end else begin : below_another
        assign acc_above = pe[i-COLUMNS].acc_out;
      end
      weight_pe #(.COPIES(COPIES)) unit (
          .clk, .reset, .load(downwards.load[COLUMN].now), .left, .above, .sum_above(acc_above),
          .a_out, .b_out, .acc_out);
    end
  end

  wire load_first = load;  // the name is the enables' below
  if (DATAFLOW == 0) begin : upwards
    for (genvar c = 0; c < COLUMNS; c = c + 1) begin : lane
      assign sums[32*c+:32] = pe[c].acc_out;
    end
    wire unused = load_first;
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
        assign sums[32*c+:32] = pe[(ROWS-1)*COLUMNS+c].acc_out;
      end else begin : delayed
        delay_line #(.STAGES(COLUMNS - 1 - c), .WIDTH(32)) line (
            .clk, .reset, .in(pe[(ROWS-1)*COLUMNS+c].acc_out), .out(sums[32*c+:32]));
      end
    end
    wire unused = &{1'b0, mode};
  end
endmodule

// First half of requantisation: the exact product of each sum with its lane's mantissa; or of a
// tap, less the zero point, with the layer's, which adds up until the pixel's last tap. A row of
// sums takes precedence. In an input-stationary layer, where a row is one channel, all lanes have
// the same scale, whose shift accompanies the products, since the next channel's follows at once.
module requantise_stage #(
    parameter int CHANNELS = 0,  // there are such layers
    parameter int COLUMNS = 1,
    parameter int SETS = 1
) (
    input  wire clk,
    input  wire reset,
    input  wire is,  // the layer is input stationary
    input  wire in_valid,
    input  wire [31:0] in_address,
    input  wire [COLUMNS*32-1:0] in_sum,
    input  wire [SETS*24-1:0] scale,
    input  wire [SETS*6-1:0] in_shift,
    input  wire tap,
    input  wire first,
    input  wire last,
    input  wire padded,  // the tap counts nothing
    input  wire [31:0] tap_address,
    input  wire [COLUMNS*8-1:0] operand,
    input  wire [7:0] zero_point,
    input  wire [23:0] tap_scale,
    output logic valid,
    output logic [31:0] address,
    output logic [COLUMNS*56-1:0] product,
    output wire [SETS*6-1:0] out_shift
);
  wire ends = !in_valid && tap && last;
  always_ff @(posedge clk) begin
    if (reset) begin
      valid <= 1'b0;
      address <= '0;
    end else begin
      valid <= in_valid || ends;
      if (in_valid) address <= in_address;
      else if (ends) address <= tap_address;
    end
  end

  for (genvar c = 0; c < COLUMNS; c = c + 1) begin : lane
    localparam int SET = SETS == 1 ? 0 : c;
    wire signed [56:0] exact;
    wire unused = exact[56];  // the mantissa is not negative, so this repeats the sign below it
    wire [7:0] value = operand[8*c+:8];
    wire [8:0] steps = {value[7], value} - {zero_point[7], zero_point};
    multiply #(.A_WIDTH(32), .B_WIDTH(25)) times (
        .a(in_valid ? in_sum[32*c+:32] : {{23{steps[8]}}, steps}),
        .b({1'b0, in_valid ? scale[24*SET+:24] : tap_scale}), .product(exact));
    wire [55:0] so_far = in_valid || first ? '0 : product[56*c+:56];
    always_ff @(posedge clk) begin
      if (reset) product[56*c+:56] <= '0;
      else if (in_valid || tap)
        product[56*c+:56] <= !in_valid && padded ? so_far : so_far + exact[55:0];
    end
  end

  if (CHANNELS != 0) begin : shift_moves
    logic [5:0] shift;
    always_ff @(posedge clk) begin
      if (reset) shift <= '0;
      else if (in_valid) shift <= in_shift[5:0];
    end
    assign out_shift = is ? {SETS{shift}} : in_shift;
  end else begin : shift_stays
    assign out_shift = in_shift;
    wire unused = is;
  end
endmodule

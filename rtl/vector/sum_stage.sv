// One stage of the drain path: a row of sums, or of outputs, with what travels beside it. Data
// registers hold while nothing valid arrives.
module sum_stage #(
    parameter int COLUMNS = 1,
    parameter int WIDTH = 32,  // of a value
    parameter int FLAG = 0  // whether a flag travels along
) (
    input  wire clk,
    input  wire reset,
    input  wire in_valid,
    input  wire in_flag,
    input  wire [31:0] in_address,  // of lane 0 in the result
    input  wire [COLUMNS*WIDTH-1:0] in_sum,
    output logic valid,
    output logic flag,
    output logic [31:0] address,
    output logic [COLUMNS*WIDTH-1:0] sum
);
  always_ff @(posedge clk) begin
    if (reset) begin
      valid <= 1'b0;
      address <= '0;
      sum <= '0;
    end else begin
      valid <= in_valid;
      if (in_valid) begin
        address <= in_address;
        sum <= in_sum;
      end
    end
  end

  if (FLAG != 0) begin : flagged
    always_ff @(posedge clk) begin
      if (reset) flag <= 1'b0;
      else if (in_valid) flag <= in_flag;
    end
  end else begin : plain
    wire unused = in_flag;
    assign flag = 1'b0;
  end
endmodule

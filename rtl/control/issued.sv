// What the sequencer issued one and two cycles ago: the control that travels beside the data.
module issued #(
    parameter int OS = 1,  // modes and drains
    parameter int FOLDS = 0,  // a load enable and tags, beside what streams
    parameter int OVERLAP = 0,  // a swap bit (output stationary: in place of modes)
    parameter int PARAMETERS = 1,       // there are parameters to take, beside their read registers
    parameter int PARAMETER_LANES = 1,  // of lane after lane
    parameter int TAGS = 2  // as many cycles until a tag's sums stand aligned below the array
) (
    input logic clk,
    input logic reset,

    input logic        parameters,
    input logic        lane_moves,
    input logic [ 8:0] lane,
    // Bits: 0 tap under way, 1 first of its pixel, 2 last, 3 padded, 4 not of the first column.
    input logic [ 4:0] pool,
    input logic [31:0] output_address,
    input logic        results,
    input logic [ 1:0] mode,
    input logic        drains,
    input logic        load,
    input logic        swap,
    input logic [ 3:0] tag_entering,  // bits: 0 valid, 1 first fold, 2 last fold, 3 last one

    output logic        param1,
    output logic [ 8:0] param_lane1,
    output logic [ 4:0] pool1,
    output logic [31:0] pool_address1,
    output logic [ 3:0] pool2,
    output logic [31:0] pool_address2,
    output logic        store1,
    output logic [ 1:0] mode2,
    output logic        drain2,
    output logic [31:0] drain_address2,
    output logic        load1,
    output logic        swap1,
    output logic [ 3:0] tag_aligned,
    output logic [ 3:0] tag_next
);
  always_ff @(posedge clk) begin
    if (reset) begin
      {pool1, pool2, pool_address1, pool_address2, store1} <= '0;
    end else begin
      pool1 <= pool;
      if (pool[0]) pool_address1 <= output_address;
      pool2 <= pool1[3:0];
      pool_address2 <= pool_address1;
      store1 <= results;
    end
  end

  if (PARAMETERS != 0) begin : takes_parameters
    always_ff @(posedge clk) param1 <= !reset && parameters;
  end else begin : no_parameters
    assign param1 = 1'b0;
    wire unused = parameters;
  end
  if (PARAMETER_LANES != 0) begin : takes_lanes
    always_ff @(posedge clk) begin
      if (reset) param_lane1 <= '0;
      else if (lane_moves) param_lane1 <= lane;
    end
  end else begin : no_lanes
    assign param_lane1 = '0;
    wire unused = &{1'b0, lane_moves, lane};
  end

  if (OVERLAP != 0) begin : swaps
    always_ff @(posedge clk) swap1 <= !reset && swap;
  end else begin : no_swaps
    assign swap1 = 1'b0;
    wire unused = swap;
  end

  if (OS != 0 && OVERLAP == 0) begin : modes
    logic [1:0] mode1;
    always_ff @(posedge clk) begin
      if (reset) {mode1, mode2} <= '0;
      else {mode1, mode2} <= {mode, mode1};
    end
  end else begin : no_modes
    assign mode2 = '0;
    wire unused = &{1'b0, mode};
  end

  if (OS != 0) begin : rows
    logic drain1;
    logic [31:0] drain_address1;
    always_ff @(posedge clk) begin
      if (reset) begin
        {drain1, drain2, drain_address1, drain_address2} <= '0;
      end else begin
        drain1 <= drains;
        drain2 <= drain1;
        if (drains) drain_address1 <= output_address;
        drain_address2 <= drain_address1;
      end
    end
  end else begin : no_rows
    assign {drain2, drain_address2} = '0;
    wire unused = drains;
  end
  if (FOLDS != 0) begin : tags
    logic [3:0] tag1;
    logic [TAGS*4-1:0] tag;
    always_ff @(posedge clk) begin
      if (reset) begin
        {load1, tag1, tag} <= '0;
      end else begin
        load1 <= load;
        tag1 <= tag_entering;
        tag <= {tag[(TAGS-1)*4-1:0], tag1};
      end
    end
    assign tag_aligned = tag[(TAGS-1)*4+:4];
    assign tag_next = tag[(TAGS-2)*4+:4];
  end else begin : no_tags
    assign {load1, tag_aligned, tag_next} = '0;
    wire unused = &{1'b0, load, tag_entering};
  end
endmodule

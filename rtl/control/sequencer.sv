// The sequencer: walks layers, column tiles and row tiles or folds, and tells every other block
// what to do. docs/machine.md, "The sequencer's phases", has its timing.
module sequencer #(
    parameter int DATAFLOW = 0,
    parameter int ROWS = 4,
    parameter int COLUMNS = 4,
    parameter int PARTIAL_ROWS = 1,
    parameter int FLUSH_CYCLES = 5,
    parameter int STORE_BEAT_CYCLES = 1,
    parameter int TILE_WORDS = 0,
    parameter int BANK_BITS = 1,  // of the number of an activation bank
    parameter int DESCRIPTOR_BITS = (DATAFLOW == 0 ? 665 : DATAFLOW == 1 ? 609 : 745) + 3 * BANK_BITS,
    localparam int POSITIONS = DATAFLOW == 2 ? COLUMNS : ROWS
) (
    input logic clk,
    input logic reset,

    // The host: descriptors, how many, what the result is long, and the latency of its memory.
    input  logic [                7:0] layers,
    input  logic [DESCRIPTOR_BITS-1:0] next_descriptor,
    output logic [                7:0] next_layer,
    input  logic [               31:0] results,
    input  logic [               15:0] dram_latency,
    output logic                       done,

    // DMA.
    input  logic [15:0] transfers_done,
    output logic [15:0] tile,

    // The present tile.
    output logic [ 8:0] lanes,
    output logic [31:0] lane_step,
    output logic [23:0] tile_first_row,
    output logic [31:0] tile_output_address,
    output logic [23:0] result_columns,
    output logic [15:0] map_height,
    output logic [23:0] map_width,
    output logic [ 7:0] map_zero_point,
    output logic [ 7:0] result_zero_point,
    output logic [ 7:0] result_min,
    output logic [ 7:0] result_max,
    output logic        result_raw,
    output logic        tile_weight_bank,

    // The layer's operation and, where it adds up taps, what a tap counts.
    output logic [ 1:0] layer_operation,
    output logic [23:0] layer_tap_scale,
    output logic [23:0] layer_second_scale,
    output logic [ 5:0] layer_tap_shift,
    output logic [ 7:0] layer_second_zero_point,

    // Activation banks: of the array's ports, of the wide port in this cycle, of the results.
    output logic [BANK_BITS-1:0] positions_bank,
    output logic [BANK_BITS-1:0] vector_bank,
    output logic [BANK_BITS-1:0] results_bank,

    // Operands of the array: each row (input stationary: column) has a position, all share another.
    output logic [             8:0] positions_read,
    output logic [POSITIONS*32-1:0] positions_y,
    output logic [POSITIONS*32-1:0] positions_x,
    output logic [POSITIONS*32-1:0] positions_address,
    output logic [            31:0] shared_y,
    output logic [            31:0] shared_x,
    output logic [            31:0] shared_address,
    output logic                    reads_weights,
    output logic [            24:0] weight_index,
    output logic                    reads_parameters,
    output logic [             8:0] parameter_lane,

    // The wide port of the activation scratchpad, or the accumulator buffer.
    output logic        reads_pool,
    output logic [31:0] pool_operand_address,
    output logic        reads_results,

    // What was issued in the cycles before.
    output logic [ 1:0] array_mode,
    output logic        array_load,
    output logic        row_leaves,
    output logic [31:0] row_leaves_address,
    output logic [ 3:0] tag_aligned,
    output logic [ 3:0] tag_next,
    output logic        parameters_read,
    output logic [ 8:0] parameters_lane,
    output logic [ 4:0] pool_reads,
    output logic [31:0] pool_reads_address,
    output logic [ 3:0] pool_takes,
    output logic [31:0] pool_takes_address,
    output logic        result_valid
);
  localparam bit OS = DATAFLOW == 0;
  localparam bit WS = DATAFLOW == 1;
  localparam bit IS = DATAFLOW == 2;

  localparam logic [3:0] LOAD = 0, WAIT = 1, SETUP = 2, FEED = 3, BUBBLE = 4, DRAIN = 5, POOL = 6;
  localparam logic [3:0] FLUSH = 7, STORE = 8, DONE = 9, PRELOAD = 10, STREAM = 11, SETTLE = 12;
  // Modes of the array.
  localparam logic [1:0] ACCUMULATE = 0, SHIFT = 1, SHIFT_CLEAR = 2, CLEAR = 3;

  logic [3:0] phase;
  logic [7:0] layer;
  logic weight_bank;
  logic [15:0] column_tile;
  logic [23:0] first_column, first_row, count;
  logic [23:0] group_column;
  logic [31:0] group_address;
  logic [31:0] output_address;
  logic [23:0] tap_y, tap_x, channel;
  logic [7:0] kernel_y, kernel_x;
  logic [31:0] tap_address;
  logic [31:0] walk_y, walk_x, walk_address;
  logic [23:0] pixel;
  // Each dataflow has the registers of its own; the others' names are tied to 0.
  // verilator lint_off UNUSEDSIGNAL
  logic [23:0] weight_row;   // output or input stationary
  logic [23:0] first_depth;  // weight or input stationary
  // verilator lint_on UNUSEDSIGNAL

  wire take_descriptor = phase == LOAD && layer < layers;
  logic [15:0] height;
  logic [23:0] width, rows, columns, group_columns;
  logic [15:0] origin_y, origin_x, stride_y, stride_x;
  logic [23:0] span_x, span_y;
  logic [15:0] dilation_y, dilation_x;
  logic [7:0] kernel_h, kernel_w;
  logic [23:0] tap_channels;
  logic [31:0] tap_step_x, tap_step_y, origin_address, pixel_step, line_step, image_step;
  logic [23:0] tile_y, tile_x, depth, tile_channels;
  logic [31:0] tile_address, tile_output;
  logic [7:0] input_zero_point, output_zero_point, output_min, output_max;
  logic [1:0] operation;
  logic raw;
  logic [BANK_BITS-1:0] input_bank, second_bank, output_bank;
  logic [23:0] tap_scale, second_scale;
  logic [5:0] tap_shift;
  logic [7:0] second_zero_point;
  layer_registers #(
      .DATAFLOW(DATAFLOW), .BANK_BITS(BANK_BITS), .DESCRIPTOR_BITS(DESCRIPTOR_BITS)
  ) config_ (
      .clk, .reset, .takes(take_descriptor), .next_descriptor,
      .height, .width, .rows, .columns, .group_columns, .origin_y, .origin_x, .stride_y,
      .stride_x, .span_x, .span_y, .dilation_y, .dilation_x, .kernel_h, .kernel_w,
      .tap_channels, .tap_step_x, .tap_step_y, .origin_address, .pixel_step, .line_step,
      .image_step, .tile_y, .tile_x, .depth, .tile_channels, .tile_address, .tile_output,
      .input_zero_point, .output_zero_point, .output_min, .output_max, .operation, .raw,
      .input_bank, .second_bank, .output_bank, .tap_scale, .second_scale, .tap_shift,
      .second_zero_point
  );
  wire gemm = operation == 0;

  wire pixels_in_lanes = IS && gemm;

  // How much of the array the tile uses.
  wire signed [24:0] channels_left = {1'b0, group_columns} - {1'b0, group_column};
  wire signed [24:0] pixels_left = {1'b0, rows} - {1'b0, first_row};
  wire signed [24:0] depth_left = {1'b0, depth} - {1'b0, first_depth};
  function automatic logic [8:0] clamped(input logic signed [24:0] left, input int most);
    clamped = left < 0 ? 9'd0 : 32'(left) > most ? 9'(most) : left[8:0];
  endfunction
  assign lanes = clamped(pixels_in_lanes ? pixels_left : channels_left, COLUMNS);
  wire [8:0] rows_used = clamped(OS ? pixels_left : depth_left, ROWS);

  wire [24:0] counted = {1'b0, count} + 25'd1;  // does not wrap: what the phases' ends compare
  wire [23:0] first_row_next = first_row + 24'(OS ? ROWS : WS ? PARTIAL_ROWS : COLUMNS);
  // Input stationary, a column tile has as many channels as stream past it.
  wire [23:0] channels_used = channels_left < 0 ? '0 :
                              channels_left[23:0] > tile_channels ? tile_channels
                                                                          : channels_left[23:0];
  wire [23:0] first_column_next = first_column + (pixels_in_lanes ? channels_used : {15'b0, lanes});
  wire [23:0] group_column_next = group_column +
                                  (pixels_in_lanes ? tile_channels : 24'(COLUMNS));
  wire group_ends = group_column_next >= group_columns;

  // Where phases end.
  wire transfers_ready = {1'b0, transfers_done} >= {1'b0, column_tile} + (gemm ? 17'd2 : 17'd1);
  wire [9:0] used = {1'b0, rows_used} + {1'b0, lanes};
  wire [8:0] most_used = rows_used > lanes ? rows_used : lanes;
  wire setup_ends = counted >= {16'b0, OS ? most_used : lanes};  // at least one cycle: counted is not 0
  wire bubble_ends = counted + 25'd2 >= {15'b0, used};
  wire drain_ends = counted >= {16'b0, rows_used};
  wire flush_ends = counted >= 25'(FLUSH_CYCLES);
  wire settle_ends = counted + 25'd1 >= 25'(ROWS);
  wire first_fold = first_depth == 0;
  wire loads_lanes = first_fold && first_row == 0;
  wire [8:0] preload_cycles = WS && loads_lanes && 32'(lanes) > ROWS ? lanes : 9'(ROWS);
  wire preload_ends = counted >= {16'b0, preload_cycles};
  // Constant where outputs are stationary.
  // verilator lint_off UNSIGNED
  wire last_fold = {1'b0, first_depth} + 25'(ROWS) >= {1'b0, depth};
  // What streams past a fold: the pixels of the part, or the channels of the column tile.
  wire [24:0] streamed = {1'b0, pixel} + 25'd1;
  wire signed [24:0] stream_left = WS ? pixels_left : channels_left;
  wire [24:0] most_streamed = WS ? 25'(PARTIAL_ROWS) : {1'b0, tile_channels};
  wire stream_ends = stream_left <= 0 || streamed >= stream_left || streamed >= most_streamed;
  // verilator lint_on UNSIGNED
  wire pool_ends = pixel + 24'd1 >= rows;
  wire more_parts = gemm && !OS && first_row_next < rows;
  wire stored = $signed(output_address) >= $signed(results);

  wire preloads_row = !OS && phase == PRELOAD && 32'(count) < ROWS;
  wire next_part = phase == FLUSH && flush_ends && more_parts;
  wire taps_start = (phase == WAIT && transfers_ready) || next_part;
  wire taps_advance = (OS && phase == FEED) || phase == POOL || preloads_row;
  wire taps_end;
  taps taps (
      .clk, .reset, .starts(taps_start), .advances(taps_advance),
      .clears_channel(phase == LOAD && !take_descriptor), .counts_beat(phase == STORE && !stored),
      .beat_cycles(STORE_BEAT_CYCLES), .tap_channels(tap_channels),
      .kernel_w(kernel_w), .kernel_h(kernel_h), .dilation_x(dilation_x),
      .dilation_y(dilation_y), .tap_step_x(tap_step_x),
      .tap_step_y(tap_step_y), .tap_y, .tap_x, .kernel_y, .kernel_x, .channel,
      .tap_address, .ends(taps_end)
  );

  wire [31:0] start_y = 32'($signed(origin_y));
  wire [31:0] start_x = 32'($signed(origin_x));
  wire [31:0] row_span = {8'b0, span_x};
  wire [31:0] map_span = {8'b0, span_y};
  wire [31:0] row_step = {16'b0, stride_y};
  pixel_walker #(
      .PARTS(WS ? 1 : 0)
  ) walker (
      .clk, .reset, .starts(phase == WAIT && transfers_ready),
      .start_address(origin_address + (gemm ? group_address : {8'b0, first_column})),
      .part_starts(next_part), .returns(WS && phase == PRELOAD && preload_ends),
      .advances(phase == (WS ? STREAM : SETUP) || (phase == POOL && taps_end)), .origin_y(start_y),
      .origin_x(start_x), .span_y(map_span), .span_x(row_span), .stride_y(row_step), .stride_x({16'b0, stride_x}),
      .pixel_step(pixel_step), .line_step(line_step),
      .image_step(image_step), .walk_y, .walk_x, .walk_address
  );

  wire next_row_tile = OS && phase == DRAIN && drain_ends && first_row_next < rows;
  positions #(
      .COUNT(POSITIONS)
  ) positions (
      .clk, .reset,
      .takes(WS ? phase == PRELOAD : phase == SETUP), .taken(count),
      .taken_y(WS ? {8'b0, tap_y} : walk_y), .taken_x(WS ? {8'b0, tap_x} : walk_x),
      .taken_address(WS ? tap_address : walk_address),
      .advances(next_row_tile || (IS && next_part)),
      .step_y({8'b0, tile_y}), .step_x({8'b0, tile_x}),
      .step_address(tile_address), .origin_y(start_y), .origin_x(start_x), .span_y(map_span), .span_x(row_span), .stride_y(row_step),
      .line_step(line_step), .image_step(image_step), .positions_y, .positions_x,
      .positions_address
  );

  // Pooling: is the tap inside of the map?
  wire [31:0] pool_y = walk_y + {8'b0, tap_y};
  wire [31:0] pool_x = walk_x + {8'b0, tap_x};
  wire pool_inside = pool_y < {16'b0, height} && pool_x < {8'b0, width};
  wire pool_first = kernel_y == 0 && kernel_x == 0;

  // The phases, and the counters that walk over the tiles.
  always_ff @(posedge clk) begin
    if (reset) begin
      phase <= LOAD;
      {layer, weight_bank, column_tile, first_column, first_row, count} <= '0;
      {group_column, group_address} <= '0;
      {output_address, pixel} <= '0;
    end else begin
      case (phase)
        LOAD: begin
          if (take_descriptor) begin
            layer <= layer + 8'd1;
            first_column <= '0;
            group_column <= '0;
            group_address <= '0;
            phase <= WAIT;
          end else begin
            count <= '0;
            output_address <= '0;
            phase <= STORE;
          end
        end
        WAIT:
        if (transfers_ready) begin
          first_row <= '0;
          pixel <= '0;
          count <= '0;
          output_address <= {8'b0, first_column};
          phase <= !gemm ? POOL : WS ? PRELOAD : SETUP;
        end
        SETUP:
        if (!WS) begin
          count <= setup_ends ? '0 : counted[23:0];
          if (setup_ends) phase <= OS ? FEED : PRELOAD;
        end
        FEED:
        if (OS && taps_end) begin
          count <= '0;
          phase <= used > 10'd2 ? BUBBLE : DRAIN;
        end
        BUBBLE:
        if (OS) begin
          count <= bubble_ends ? '0 : counted[23:0];
          if (bubble_ends) phase <= DRAIN;
        end
        DRAIN:
        if (OS) begin
          output_address <= output_address + {8'b0, columns};
          count <= drain_ends ? '0 : counted[23:0];
          if (drain_ends) begin
            first_row <= first_row_next;
            phase <= next_row_tile ? FEED : FLUSH;
          end
        end
        POOL:
        if (taps_end) begin
          output_address <= output_address + {8'b0, columns};
          pixel <= pixel + 24'd1;
          if (pool_ends) begin
            count <= '0;
            phase <= FLUSH;
          end
        end
        FLUSH: begin
          count <= flush_ends ? '0 : counted[23:0];
          if (flush_ends) begin
            if (gemm && !OS) first_row <= first_row_next;
            if (more_parts) begin
              if (IS) output_address <= output_address + tile_output;
              phase <= PRELOAD;
            end else begin
              if (gemm) begin
                column_tile <= column_tile + 16'd1;
                weight_bank <= !weight_bank;
              end
              first_column <= first_column_next;
              group_column <= group_ends ? '0 : group_column_next;
              if (group_ends) group_address <= group_address + {8'b0, tap_channels};
              phase <= first_column_next < columns ? WAIT : LOAD;
            end
          end
        end
        PRELOAD:
        if (!OS) begin
          count <= preload_ends ? '0 : counted[23:0];
          if (preload_ends) begin
            pixel <= '0;
            phase <= STREAM;
          end
        end
        STREAM:
        if (!OS) begin
          pixel <= pixel + 24'd1;
          if (stream_ends) begin
            count <= '0;
            phase <= last_fold ? FLUSH : ROWS > 1 ? SETTLE : PRELOAD;
          end
        end
        SETTLE:
        if (!OS) begin
          count <= settle_ends ? '0 : counted[23:0];
          if (settle_ends) phase <= PRELOAD;
        end
        STORE: begin
          if (stored) begin
            count <= counted[23:0];
            if (counted >= {9'b0, dram_latency}) phase <= DONE;
          end else if ({8'b0, channel} + 32'd1 >= STORE_BEAT_CYCLES) begin
            output_address <= output_address + 32'(COLUMNS);
          end
        end
        default: ;  // done, or where only a fault leads: stands still
      endcase
    end
  end

  // What was issued, one and two cycles later.
  wire [1:0] issued_mode = phase == SETUP && setup_ends ? CLEAR :
                           phase != DRAIN ? ACCUMULATE : drain_ends ? SHIFT_CLEAR : SHIFT;
  issued #(
      .OS(OS ? 1 : 0), .PARAMETERS(!IS || TILE_WORDS > 0 ? 1 : 0), .PARAMETER_LANES(IS ? 0 : 1),
      .TAGS(ROWS + COLUMNS)
  ) issued (
      .clk, .reset, .parameters(reads_parameters), .lane_moves(phase == (WS ? PRELOAD : SETUP)),
      .lane(count[8:0]), .pool(phase == POOL ? {kernel_x != 0, !pool_inside, taps_end, pool_first, 1'b1} : 5'b0),
      .output_address, .results(reads_results), .mode(issued_mode), .drains(phase == DRAIN),
      .load(preloads_row),
      .tag_entering(phase == STREAM ? {stream_ends, last_fold, first_fold, 1'b1} : 4'b0),
      .param1(parameters_read), .param_lane1(parameters_lane), .pool1(pool_reads),
      .pool_address1(pool_reads_address), .pool2(pool_takes), .pool_address2(pool_takes_address), .store1(result_valid),
      .mode2(array_mode), .drain2(row_leaves), .drain_address2(row_leaves_address),
      .load1(array_load), .tag_aligned, .tag_next
  );

  if (OS) begin : no_first_depth
    assign first_depth = '0;
  end else begin : depths
    always_ff @(posedge clk) begin
      if (reset || taps_start) first_depth <= '0;
      else if (phase == STREAM && stream_ends && !last_fold) first_depth <= first_depth + 24'(ROWS);
    end
  end
  if (WS) begin : no_weight_row
    assign weight_row = '0;
  end else begin : weight_rows  // over the taps (os), over folds and channels (is)
    wire steps = OS ? taps_advance : phase == STREAM;
    always_ff @(posedge clk) begin
      if (reset || taps_start) weight_row <= '0;
      else if (steps) weight_row <= OS && taps_end ? '0 : weight_row + 24'd1;
    end
  end

  assign next_layer = layer;
  assign done = phase == DONE;
  assign tile = column_tile;
  assign tile_first_row = first_row;
  assign tile_output_address = output_address;
  assign result_columns = columns;
  assign map_height = height;
  assign map_width = width;
  assign map_zero_point = input_zero_point;
  assign result_zero_point = output_zero_point;
  assign result_min = output_min;
  assign result_max = output_max;
  assign result_raw = raw;
  assign layer_operation = operation;
  assign layer_tap_scale = tap_scale;
  assign layer_second_scale = second_scale;
  assign layer_tap_shift = tap_shift;
  assign layer_second_zero_point = second_zero_point;
  assign positions_bank = input_bank;
  assign vector_bank = phase != POOL   ? output_bank :
                       kernel_x == 0 ? input_bank : second_bank;
  assign results_bank = output_bank;
  assign tile_weight_bank = weight_bank;
  assign lane_step = pixels_in_lanes ? {8'b0, columns} : 32'd1;
  // Input stationary, rows beyond K load zeros.
  assign positions_read = IS ? phase == PRELOAD && count < {15'b0, rows_used} ? lanes : '0
                             : phase == (OS ? FEED : STREAM) ? rows_used : '0;
  assign shared_y = WS ? walk_y : {8'b0, tap_y};
  assign shared_x = WS ? walk_x : {8'b0, tap_x};
  assign shared_address = WS ? walk_address : tap_address;
  // Weights sink through a weight-stationary array, so the last row's go first.
  assign weight_index = WS ? {1'b0, first_depth} + 25'(ROWS - 1) - {1'b0, count}
                           : {1'b0, weight_row};
  assign reads_weights = WS ? preloads_row && weight_index < {1'b0, depth}
                            : phase == (OS ? FEED : STREAM);
  // Input stationary, lane 0 stands for the words of the whole column tile.
  assign reads_parameters = 32'(count) < (IS ? 1 : COLUMNS) &&
                            (WS ? phase == PRELOAD && loads_lanes : phase == SETUP);
  assign parameter_lane = count[8:0];
  assign reads_pool = phase == POOL;
  assign pool_operand_address = walk_address + tap_address;
  assign reads_results = phase == STORE && channel == 0 && !stored;
endmodule

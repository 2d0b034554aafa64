// The sequencer: walks layers, column tiles and row tiles or folds, and tells every other block
// what to do. docs/machine.md, "The sequencer's phases", has its timing.
module sequencer #(
    parameter int DATAFLOW = 0,
    parameter int ROWS = 4,
    parameter int COLUMNS = 4,
    parameter int PARTIAL_ROWS = 1,
    parameter int FLUSH_CYCLES = 5,
    parameter int STORE_BEAT_CYCLES = 1,
    parameter int DESCRIPTOR_BITS = DATAFLOW == 0 ? 522 : 466
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
    output logic [ 8:0] rows_used,
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
    output logic        activation_bank,
    output logic        tile_weight_bank,

    // Operands of the array: each row has a position, all share another.
    output logic               issues_rows,
    output logic [ROWS*32-1:0] rows_y,
    output logic [ROWS*32-1:0] rows_x,
    output logic [ROWS*32-1:0] rows_address,
    output logic [       31:0] shared_y,
    output logic [       31:0] shared_x,
    output logic [       31:0] shared_address,
    output logic               reads_weights,
    output logic [       24:0] weight_index,
    output logic               reads_parameters,
    output logic [        8:0] parameter_lane,

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
    output logic [ 3:0] pool_reads,
    output logic [ 3:0] pool_takes,
    output logic [31:0] pool_takes_address,
    output logic        result_valid
);
  localparam bit OS = DATAFLOW == 0;
  localparam bit WS = DATAFLOW == 1;

  localparam logic [3:0] LOAD = 0, WAIT = 1, SETUP = 2, FEED = 3, BUBBLE = 4, DRAIN = 5, POOL = 6;
  localparam logic [3:0] FLUSH = 7, STORE = 8, DONE = 9, PRELOAD = 10, STREAM = 11, SETTLE = 12;
  // Modes of the array.
  localparam logic [1:0] ACCUMULATE = 0, SHIFT = 1, SHIFT_CLEAR = 2, CLEAR = 3;

  logic [3:0] phase;
  logic [7:0] layer;
  logic input_bank, weight_bank;
  logic [15:0] column_tile;
  logic [23:0] first_column, first_row, count;
  logic [31:0] output_address;
  logic [23:0] tap_y, tap_x, channel;
  logic [7:0] kernel_y, kernel_x;
  logic [31:0] tap_address;
  logic [31:0] walk_y, walk_x, walk_address;
  logic [23:0] pixel;
  logic param1;
  logic [8:0] param_lane1;
  logic [3:0] pool1, pool2;
  logic [31:0] pool_address1, pool_address2;
  logic store1;
  // Each dataflow has the registers of its own; the others' names are tied to 0.
  // verilator lint_off UNUSEDSIGNAL
  // Output stationary.
  logic [23:0] weight_row;
  logic [1:0] mode1, mode2;
  logic drain1, drain2;
  logic [31:0] drain_address1, drain_address2;
  // Weight stationary.
  logic [23:0] first_depth;
  logic [31:0] part_y, part_x, part_address;
  logic load1;
  logic [3:0] tag1;
  // verilator lint_on UNUSEDSIGNAL

  // The layer descriptor. The host's word has the fields of this dataflow, the first one lowest.
  localparam int LOW_BITS = 408;
  localparam int FLOW_BITS = OS ? 80 : 24;
  wire take_descriptor = phase == LOAD && layer < layers;
  if (1) begin : config_
    logic [15:0] height;
    logic [23:0] width, rows, columns;
    logic [15:0] origin_y, origin_x, stride_y, stride_x;
    logic [23:0] span_x;
    logic [15:0] dilation_y, dilation_x;
    logic [7:0] kernel_h, kernel_w;
    logic [23:0] tap_channels;
    logic [31:0] tap_step_x, tap_step_y, origin_address, pixel_step, line_step;
    logic [23:0] tile_y, tile_x, depth;
    logic [31:0] tile_address;
    logic [7:0] input_zero_point, output_zero_point, output_min, output_max;
    logic operation, raw;
    always_ff @(posedge clk) begin
      if (reset) begin
        {line_step, pixel_step, origin_address, tap_step_y, tap_step_x} <= '0;
        {tap_channels, kernel_w, kernel_h, dilation_x, dilation_y, span_x} <= '0;
        {stride_x, stride_y, origin_x, origin_y, columns, rows, width, height} <= '0;
        {raw, operation, output_max, output_min, output_zero_point, input_zero_point} <= '0;
      end else if (take_descriptor) begin
        {line_step, pixel_step, origin_address, tap_step_y, tap_step_x, tap_channels, kernel_w,
         kernel_h, dilation_x, dilation_y, span_x, stride_x, stride_y, origin_x, origin_y, columns,
         rows, width, height} <= next_descriptor[LOW_BITS-1:0];
        {raw, operation, output_max, output_min, output_zero_point, input_zero_point} <=
            next_descriptor[LOW_BITS+FLOW_BITS+:34];
      end
    end
    if (OS) begin : tiles
      assign depth = '0;
      always_ff @(posedge clk) begin
        if (reset) {tile_address, tile_x, tile_y} <= '0;
        else if (take_descriptor) {tile_address, tile_x, tile_y} <= next_descriptor[LOW_BITS+:80];
      end
    end else begin : folds
      assign {tile_address, tile_x, tile_y} = '0;
      always_ff @(posedge clk) begin
        if (reset) depth <= '0;
        else if (take_descriptor) depth <= next_descriptor[LOW_BITS+:24];
      end
    end
  end
  wire gemm = !config_.operation;

  // How much of the array the tile uses.
  wire signed [24:0] columns_left = {1'b0, config_.columns} - {1'b0, first_column};
  wire signed [24:0] rows_left = OS ? {1'b0, config_.rows} - {1'b0, first_row}
                                    : {1'b0, config_.depth} - {1'b0, first_depth};
  function automatic logic [8:0] clamped(input logic signed [24:0] left, input int most);
    clamped = left < 0 ? 9'd0 : 32'(left) > most ? 9'(most) : left[8:0];
  endfunction
  assign lanes = clamped(columns_left, COLUMNS);
  assign rows_used = clamped(rows_left, ROWS);

  wire [24:0] counted = {1'b0, count} + 25'd1;  // does not wrap: what the phases' ends compare
  wire [23:0] first_row_next = first_row + 24'(OS ? ROWS : PARTIAL_ROWS);
  wire [23:0] first_column_next = first_column + 24'(COLUMNS);

  // Where phases end.
  wire transfers_ready = {1'b0, transfers_done} >= {1'b0, column_tile} + (gemm ? 17'd2 : 17'd1);
  wire [9:0] used = {1'b0, rows_used} + {1'b0, lanes};
  wire [8:0] most_used = rows_used > lanes ? rows_used : lanes;
  wire setup_ends = counted >= {16'b0, most_used};  // at least one cycle: counted is not 0
  wire bubble_ends = counted + 25'd2 >= {15'b0, used};
  wire drain_ends = counted >= {16'b0, rows_used};
  wire flush_ends = counted >= 25'(FLUSH_CYCLES);
  wire settle_ends = counted + 25'd1 >= 25'(ROWS);
  wire first_fold = first_depth == 0;
  wire loads_lanes = first_fold && first_row == 0;
  wire [8:0] preload_cycles = loads_lanes && 32'(lanes) > ROWS ? lanes : 9'(ROWS);
  wire preload_ends = counted >= {16'b0, preload_cycles};
  // Constant where outputs are stationary.
  // verilator lint_off UNSIGNED
  wire last_fold = {1'b0, first_depth} + 25'(ROWS) >= {1'b0, config_.depth};
  // verilator lint_on UNSIGNED
  wire signed [24:0] pixels_left = {1'b0, config_.rows} - {1'b0, first_row};
  wire [24:0] pixels_counted = {1'b0, pixel} + 25'd1;
  wire part_ends = pixels_left <= 0 || pixels_counted >= pixels_left ||
                   pixels_counted >= 25'(PARTIAL_ROWS);
  wire pool_ends = pixel + 24'd1 >= config_.rows;
  wire more_parts = gemm && WS && first_row_next < config_.rows;
  wire stored = $signed(output_address) >= $signed(results);

  // Taps of a window: channels, then kernel columns, then kernel rows.
  wire preloads_row = WS && phase == PRELOAD && 32'(count) < ROWS;
  wire taps_start = (phase == WAIT && transfers_ready) ||
                    (phase == FLUSH && flush_ends && more_parts);
  wire taps_advance = (OS && phase == FEED) || phase == POOL || preloads_row;
  wire [23:0] channel_next = channel + 24'd1;
  wire [7:0] kernel_x_next = kernel_x + 8'd1;
  wire [7:0] kernel_y_next = kernel_y + 8'd1;
  wire channel_ends = channel_next >= config_.tap_channels;
  wire kernel_x_ends = kernel_x_next >= config_.kernel_w;
  wire kernel_y_ends = kernel_y_next >= config_.kernel_h;
  wire taps_end = channel_ends && kernel_x_ends && kernel_y_ends;
  always_ff @(posedge clk) begin
    if (reset || taps_start) begin
      {tap_y, tap_x, kernel_y, kernel_x, channel, tap_address} <= '0;
    end else if (taps_advance) begin
      channel <= channel_ends ? '0 : channel_next;
      if (channel_ends) begin
        kernel_x <= kernel_x_ends ? '0 : kernel_x_next;
        tap_x <= kernel_x_ends ? '0 : tap_x + {8'b0, config_.dilation_x};
      end
      if (channel_ends && kernel_x_ends) begin
        kernel_y <= kernel_y_ends ? '0 : kernel_y_next;
        tap_y <= kernel_y_ends ? '0 : tap_y + {8'b0, config_.dilation_y};
      end
      tap_address <= taps_end      ? '0 :
                     !channel_ends ? tap_address + 32'd1 :
                     kernel_x_ends ? tap_address + config_.tap_step_y
                                   : tap_address + config_.tap_step_x;
    end else if (phase == LOAD && !take_descriptor) begin
      channel <= '0;
    end else if (phase == STORE && !stored) begin  // counts the cycles of a beat
      channel <= {8'b0, channel} + 32'd1 < STORE_BEAT_CYCLES ? channel_next : '0;
    end
  end

  // The walker over output pixels, in raster order.
  wire [31:0] origin_y = 32'($signed(config_.origin_y));
  wire [31:0] origin_x = 32'($signed(config_.origin_x));
  wire [31:0] span_x = {8'b0, config_.span_x};
  wire [31:0] stride_y = {16'b0, config_.stride_y};
  wire walk_starts = phase == WAIT && transfers_ready;
  wire walk_returns = WS && phase == PRELOAD && preload_ends;  // to the part's first pixel
  wire walk_advances = (OS && phase == SETUP) || (WS && phase == STREAM) ||
                       (phase == POOL && taps_end);
  wire [31:0] start_address = gemm ? config_.origin_address
                                   : config_.origin_address + {8'b0, first_column};
  wire [31:0] walk_x_next = walk_x + {16'b0, config_.stride_x};
  wire [31:0] walk_address_next = walk_address + config_.pixel_step;
  wire walk_wraps = $signed(walk_x_next - origin_x) >= $signed(span_x);
  always_ff @(posedge clk) begin
    if (reset) begin
      {walk_y, walk_x, walk_address} <= '0;
    end else if (walk_starts) begin
      {walk_y, walk_x, walk_address} <= {origin_y, origin_x, start_address};
    end else if (walk_returns) begin
      {walk_y, walk_x, walk_address} <= {part_y, part_x, part_address};
    end else if (walk_advances) begin
      walk_y <= walk_wraps ? walk_y + stride_y : walk_y;
      walk_x <= walk_wraps ? walk_x_next - span_x : walk_x_next;
      walk_address <= walk_wraps ? walk_address_next + config_.line_step : walk_address_next;
    end
  end

  // Each row's position: of its output pixel (os), of its tap (ws).
  wire rows_advance = OS && phase == DRAIN && drain_ends && first_row_next < config_.rows;
  row_positions #(
      .ROWS(ROWS)
  ) rows (
      .clk, .reset,
      .takes(OS ? phase == SETUP : phase == PRELOAD), .taken_row(count),
      .taken_y(OS ? walk_y : {8'b0, tap_y}), .taken_x(OS ? walk_x : {8'b0, tap_x}),
      .taken_address(OS ? walk_address : tap_address), .advances(rows_advance),
      .step_y({8'b0, config_.tile_y}), .step_x({8'b0, config_.tile_x}),
      .step_address(config_.tile_address), .origin_x, .span_x, .stride_y,
      .line_step(config_.line_step), .rows_y, .rows_x, .rows_address
  );

  // Pooling: is the tap inside of the map?
  wire [31:0] pool_y = walk_y + {8'b0, tap_y};
  wire [31:0] pool_x = walk_x + {8'b0, tap_x};
  wire pool_inside = pool_y < {16'b0, config_.height} && pool_x < {8'b0, config_.width};
  wire pool_first = kernel_y == 0 && kernel_x == 0;

  // The phases, and the counters that walk over the tiles.
  always_ff @(posedge clk) begin
    if (reset) begin
      phase <= LOAD;
      {layer, input_bank, weight_bank, column_tile, first_column, first_row, count} <= '0;
      {output_address, pixel} <= '0;
    end else begin
      case (phase)
        LOAD: begin
          if (take_descriptor) begin
            layer <= layer + 8'd1;
            first_column <= '0;
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
          phase <= !gemm ? POOL : OS ? SETUP : PRELOAD;
        end
        SETUP:
        if (OS) begin
          count <= setup_ends ? '0 : counted[23:0];
          if (setup_ends) phase <= FEED;
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
          output_address <= output_address + {8'b0, config_.columns};
          count <= drain_ends ? '0 : counted[23:0];
          if (drain_ends) begin
            first_row <= first_row_next;
            phase <= rows_advance ? FEED : FLUSH;
          end
        end
        POOL:
        if (taps_end) begin
          output_address <= output_address + {8'b0, config_.columns};
          pixel <= pixel + 24'd1;
          if (pool_ends) begin
            count <= '0;
            phase <= FLUSH;
          end
        end
        FLUSH: begin
          count <= flush_ends ? '0 : counted[23:0];
          if (flush_ends) begin
            if (gemm && WS) first_row <= first_row_next;
            if (more_parts) begin
              phase <= PRELOAD;
            end else begin
              if (gemm) begin
                column_tile <= column_tile + 16'd1;
                weight_bank <= !weight_bank;
              end
              first_column <= first_column_next;
              if (first_column_next < config_.columns) begin
                phase <= WAIT;
              end else begin
                input_bank <= !input_bank;
                phase <= LOAD;
              end
            end
          end
        end
        PRELOAD:
        if (WS) begin
          count <= preload_ends ? '0 : counted[23:0];
          if (preload_ends) begin
            pixel <= '0;
            phase <= STREAM;
          end
        end
        STREAM:
        if (WS) begin
          pixel <= pixel + 24'd1;
          if (part_ends) begin
            count <= '0;
            phase <= last_fold ? FLUSH : ROWS > 1 ? SETTLE : PRELOAD;
          end
        end
        SETTLE:
        if (WS) begin
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
  always_ff @(posedge clk) begin
    if (reset) begin
      {param1, param_lane1, pool1, pool2, pool_address1, pool_address2, store1} <= '0;
    end else begin
      param1 <= reads_parameters;
      if ((OS && phase == SETUP) || (WS && phase == PRELOAD)) param_lane1 <= count[8:0];
      pool1 <= phase == POOL ? {!pool_inside, taps_end, pool_first, 1'b1} : 4'b0;
      if (phase == POOL) pool_address1 <= output_address;
      pool2 <= pool1;
      pool_address2 <= pool_address1;
      store1 <= reads_results;
    end
  end

  if (OS) begin : output_stationary
    always_ff @(posedge clk) begin
      if (reset) begin
        {weight_row, mode1, mode2, drain1, drain2, drain_address1, drain_address2} <= '0;
      end else begin
        if (taps_start) weight_row <= '0;
        else if (taps_advance) weight_row <= taps_end ? '0 : weight_row + 24'd1;
        mode1 <= phase == SETUP && setup_ends ? CLEAR :
                 phase != DRAIN ? ACCUMULATE : drain_ends ? SHIFT_CLEAR : SHIFT;
        mode2 <= mode1;
        drain1 <= phase == DRAIN;
        drain2 <= drain1;
        if (phase == DRAIN) drain_address1 <= output_address;
        drain_address2 <= drain_address1;
      end
    end
    assign {first_depth, part_y, part_x, part_address, load1, tag1} = '0;
    assign {tag_aligned, tag_next} = '0;
  end else begin : weight_stationary
    logic [(ROWS+COLUMNS)*4-1:0] tag;  // goes along with a pixel
    always_ff @(posedge clk) begin
      if (reset) begin
        {first_depth, part_y, part_x, part_address, load1, tag1, tag} <= '0;
      end else begin
        if (taps_start) first_depth <= '0;
        else if (phase == STREAM && part_ends && !last_fold) first_depth <= first_depth + 24'(ROWS);
        if (walk_starts) {part_y, part_x, part_address} <= {origin_y, origin_x, start_address};
        else if (taps_start) {part_y, part_x, part_address} <= {walk_y, walk_x, walk_address};
        load1 <= preloads_row;
        tag1 <= phase == STREAM ? {part_ends, last_fold, first_fold, 1'b1} : 4'b0;
        tag <= {tag[(ROWS+COLUMNS-1)*4-1:0], tag1};
      end
    end
    assign {weight_row, mode1, mode2, drain1, drain2, drain_address1, drain_address2} = '0;
    assign tag_aligned = tag[(ROWS+COLUMNS-1)*4+:4];
    assign tag_next = tag[(ROWS+COLUMNS-2)*4+:4];
  end

  assign next_layer = layer;
  assign done = phase == DONE;
  assign tile = column_tile;
  assign tile_first_row = first_row;
  assign tile_output_address = output_address;
  assign result_columns = config_.columns;
  assign map_height = config_.height;
  assign map_width = config_.width;
  assign map_zero_point = config_.input_zero_point;
  assign result_zero_point = config_.output_zero_point;
  assign result_min = config_.output_min;
  assign result_max = config_.output_max;
  assign result_raw = config_.raw;
  assign activation_bank = input_bank;
  assign tile_weight_bank = weight_bank;
  assign issues_rows = phase == (OS ? FEED : STREAM);
  assign shared_y = OS ? {8'b0, tap_y} : walk_y;
  assign shared_x = OS ? {8'b0, tap_x} : walk_x;
  assign shared_address = OS ? tap_address : walk_address;
  // Weights sink through a weight-stationary array, so the last row's go first.
  assign weight_index = OS ? {1'b0, weight_row}
                           : {1'b0, first_depth} + 25'(ROWS - 1) - {1'b0, count};
  assign reads_weights = OS ? phase == FEED : preloads_row && weight_index < {1'b0, config_.depth};
  assign reads_parameters = 32'(count) < COLUMNS &&
                            (OS ? phase == SETUP : phase == PRELOAD && loads_lanes);
  assign parameter_lane = count[8:0];
  assign reads_pool = phase == POOL;
  assign pool_operand_address = walk_address + tap_address;
  assign reads_results = phase == STORE && channel == 0 && !stored;
  assign array_mode = mode2;
  assign array_load = load1;
  assign row_leaves = drain2;
  assign row_leaves_address = drain_address2;
  assign parameters_read = param1;
  assign parameters_lane = param_lane1;
  assign pool_reads = pool1;
  assign pool_takes = pool2;
  assign pool_takes_address = pool_address2;
  assign result_valid = store1;
endmodule

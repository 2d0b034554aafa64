// The sequencer: walks layers, column tiles and row tiles or folds, and tells every other block
// what to do. docs/machine.md, "The sequencer's phases", has its timing.
module sequencer #(
    parameter int FLOWS = 1,
    parameter int OVERLAP = 0,
    parameter int ROWS = 4,
    parameter int COLUMNS = 4,
    parameter int PARTIAL_ROWS = 1,
    parameter int DRAIN_PATH = 5,  // cycles from the array to the scratchpad
    parameter int STORE_BEAT_CYCLES = 1,
    parameter int TILE_WORDS = 0,
    parameter int MAP_BITS = 1,  // of the number of a feature map
    parameter int RERUNS = 0,  // tiles may run more than once
    parameter int VERIFY_CYCLES = 1,  // from the issue of its last row until that has been judged
    parameter int COLUMNS_WAIT = 0,  // rows wait until then, for the checksums of their columns
    parameter int BEFORE_BUFFER = 0,  // of DRAIN_PATH, where they wait
    parameter int LINES = 0,  // a checker follows the lines of a map
    parameter int HELD_LINES = 0,  // checkers that hold back a line of a map each
    parameter int NEURONS = 0,  // there are bounds of each neuron
    parameter int DESCRIPTOR_BITS = 1,
    parameter int POSITIONS = 1
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

    // The layer's dataflow: output, input or else weight stationary.
    output logic os,
    output logic is,
    output logic loads_layer,  // between two layers
    output logic [23:0] line,  // pixels of an output row, for checkers along lines
    output logic [23:0] image_rows,  // pixels of an image, for bounds of each neuron
    output logic [23:0] map_lines,  // rows of the output map, for those that hold lines back, or 0
    output logic [23:0] rows,  // output pixels of all images

    // The present tile.
    output logic [ 8:0] lanes,
    output logic [ 8:0] rows_used,
    output logic [31:0] lane_step,
    output logic [23:0] first_row,
    output logic [31:0] output_address,
    output logic [23:0] columns,
    output logic [15:0] height,
    output logic [23:0] width,
    output logic [ 7:0] input_zero_point,
    output logic [ 7:0] output_zero_point,
    output logic [ 7:0] output_min,
    output logic [ 7:0] output_max,
    output logic        raw,
    output logic        weight_bank,

    // The layer's operation and, where it adds up taps, what a tap counts.
    output logic [ 1:0] operation,
    output logic [23:0] tap_scale,
    output logic [23:0] second_scale,
    output logic [ 5:0] tap_shift,
    output logic [ 7:0] second_zero_point,

    // Feature maps: of the array's ports, of the wide port in this cycle, of the results.
    output logic [MAP_BITS-1:0] input_map,
    output logic [MAP_BITS-1:0] vector_map,
    output logic [MAP_BITS-1:0] output_map,

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

    // Of the activations that this cycle asks for, banks are still to deliver some. What takes them
    // waits, and nothing else.
    input logic reads_wait,

    // Where tiles may run again: the present one's run ends in this cycle, and it does.
    output logic run_ends,
    output logic row_reads,  // a row leaves the buffer of a tile whose columns have checksums
    output logic [8:0] row_read,
    output logic columns_clear,  // they begin anew
    input  logic again,

    // The wide port of the activation scratchpad, or the accumulator buffer.
    output logic        reads_pool,
    output logic        pool_operand_inside,
    output logic [31:0] pool_operand_address,
    output logic        reads_results,

    // What was issued in the cycles before.
    output logic [ 1:0] array_mode,
    output logic        array_load,
    output logic        array_swap,
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
  // What the machine is built for, and what the layer is.
  localparam bit OS = (FLOWS & 1) != 0;
  localparam bit WS = (FLOWS & 2) != 0;
  localparam bit IS = (FLOWS & 4) != 0;
  localparam bit MIXED = (FLOWS & (FLOWS - 1)) != 0;
  wire ws;

  // Phases; output_phases and fold_phases have those of their tiles.
  localparam logic [3:0] LOAD = 0, WAIT = 1, SETUP = 2, FEED = 3, BUBBLE = 4, DRAIN = 5, POOL = 6;
  localparam logic [3:0] FLUSH = 7, STORE = 8, DONE = 9, PRELOAD = 10, STREAM = 11, SETTLE = 12;
  localparam logic [3:0] VERIFY = 13;

  logic [3:0] phase;
  logic [23:0] count, pixel;
  wire [24:0] counted = {1'b0, count} + 25'd1;  // does not wrap: what the phases' ends compare

  // The layer.
  logic [23:0] group_columns;
  logic [15:0] origin_y, origin_x, stride_y, stride_x;
  logic [23:0] span_x, span_y;
  logic [15:0] dilation_y, dilation_x;
  logic [7:0] kernel_h, kernel_w;
  logic [23:0] tap_channels;
  logic [31:0] tap_step_x, tap_step_y, origin_address, pixel_step, line_step, image_step;
  logic [23:0] tile_y, tile_x, depth, tile_channels;
  logic [31:0] tile_address, tile_output;
  logic [MAP_BITS-1:0] second_map;
  assign loads_layer = phase == LOAD;
  wire takes_layer = phase == LOAD && next_layer < layers;
  logic [1:0] dataflow;
  layer_registers #(
      .FLOWS(FLOWS), .MAP_BITS(MAP_BITS), .LINES(LINES), .HELD_LINES(HELD_LINES), .NEURONS(NEURONS),
      .DESCRIPTOR_BITS(DESCRIPTOR_BITS)
  ) config_ (
      .clk, .reset, .takes(takes_layer), .next_descriptor,
      .height, .width, .rows, .columns, .group_columns, .origin_y, .origin_x, .stride_y,
      .stride_x, .span_x, .span_y, .dilation_y, .dilation_x, .kernel_h, .kernel_w,
      .tap_channels, .tap_step_x, .tap_step_y, .origin_address, .pixel_step, .line_step,
      .image_step, .tile_y, .tile_x, .depth, .tile_channels, .tile_address, .tile_output,
      .input_zero_point, .output_zero_point, .output_min, .output_max, .operation, .raw,
      .input_map, .second_map, .output_map, .tap_scale, .second_scale, .tap_shift,
      .second_zero_point, .dataflow, .line, .map_lines, .image_rows
  );
  wire gemm = operation == 0;
  wire pixels_in_lanes = is && gemm;

  // A code that the machine is not built for acts as the first one that it is.
  if (MIXED) begin : flow_of_layer
    wire [2:0] named = 3'(4'd1 << dataflow);
    assign {is, ws, os} = (named & 3'(FLOWS)) != '0 ? named : 3'(FLOWS & -FLOWS);
  end else begin : flow_of_machine
    assign {is, ws, os} = 3'(FLOWS);
    wire unused = &{1'b0, dataflow};
  end

  // How much of the array the tile uses, and what streams past a fold of it: the pixels of the part
  // (weight stationary), or the channels of the column tile.
  logic [23:0] first_column, group_column, first_depth;
  logic [31:0] group_address;
  wire signed [24:0] channels_left = {1'b0, group_columns} - {1'b0, group_column};
  wire signed [24:0] pixels_left = {1'b0, rows} - {1'b0, first_row};
  wire signed [24:0] depth_left = {1'b0, depth} - {1'b0, first_depth};
  function automatic logic [23:0] clamped(input logic signed [24:0] left, input logic [23:0] most);
    clamped = left < 0 ? '0 : left[23:0] > most ? most : left[23:0];
  endfunction
  assign lanes = 9'(clamped(pixels_in_lanes ? pixels_left : channels_left, 24'(COLUMNS)));
  assign rows_used = 9'(clamped(os ? pixels_left : depth_left, 24'(ROWS)));
  wire [23:0] stream_length = ws ? clamped(pixels_left, 24'(PARTIAL_ROWS))
                                 : clamped(channels_left, tile_channels);

  // Where phases end.
  wire transfers_ready = {1'b0, transfers_done} >= {1'b0, tile} + (gemm ? 17'd2 : 17'd1);
  wire tile_starts = phase == WAIT && transfers_ready;
  wire [8:0] most_used = rows_used > lanes ? rows_used : lanes;
  // At least one cycle: counted is not 0.
  wire setup_ends = phase == SETUP && !ws && counted >= {16'b0, os ? most_used : lanes};
  // The next row tile, part or tile of pixels, if there is one.
  wire [23:0] first_row_next = first_row + 24'(os ? ROWS : ws ? PARTIAL_ROWS : COLUMNS);
  wire more_rows = first_row_next < rows;
  // Lines that leave at last; while there are more parts of their map they stay.
  wire holds = HELD_LINES != 0 && map_lines != '0 && !(ws && more_rows);
  wire [31:0] held_back = holds ? 32'(HELD_LINES) * 32'(line) : '0;
  wire flush_ends = phase == FLUSH &&
      32'(counted) >= 32'(COLUMNS_WAIT != 0 && gemm ? DRAIN_PATH - BEFORE_BUFFER
                          : os ? DRAIN_PATH : DRAIN_PATH + ROWS + COLUMNS) + held_back;
  // Judged, and rows leave, one in each of these cycles but the last.
  wire verified = (RERUNS != 0 || COLUMNS_WAIT != 0) && phase == VERIFY && os &&
                  counted >= 25'(VERIFY_CYCLES);
  wire [24:0] left = counted - 25'(VERIFY_CYCLES);
  wire verify_ends = verified && (COLUMNS_WAIT == 0 || again || left >= {16'b0, rows_used});
  assign run_ends = COLUMNS_WAIT != 0 ? gemm && verified && left == 0
                                      : RERUNS != 0 && gemm && (verify_ends || flush_ends);
  assign row_reads = COLUMNS_WAIT != 0 && verified && !verify_ends;
  assign row_read = left[8:0];
  assign columns_clear = phase == SETUP || verify_ends;
  wire stored = $signed(output_address) >= $signed(results);

  wire next_part = flush_ends && gemm && !os && more_rows && !again;
  wire last_column_tile;
  column_tiles #(
      .COLUMNS(COLUMNS)
  ) tiles (
      .clk, .reset, .takes_layer, .tile_ends(flush_ends && !next_part && !again), .pixels_in_lanes,
      .has_weights(gemm), .columns, .group_columns, .tap_channels, .tile_channels,
      .columns_used(pixels_in_lanes ? stream_length : {15'b0, lanes}), .layer(next_layer),
      .weight_bank, .column_tile(tile), .first_column, .group_column,
      .group_address, .last(last_column_tile)
  );

  logic [23:0] weight_row;  // over the taps (output stationary), over folds and channels (input)
  wire taps_end;
  logic [3:0] outputs_phase, folds_phase;
  logic [23:0] outputs_count, folds_count;
  logic row_tile_ends, row_issued, tile_swaps;
  logic [1:0] mode;
  if (OS) begin : outputs
    output_phases #(
        .ROWS(ROWS), .OVERLAP(OVERLAP), .RERUNS(RERUNS), .COLUMNS_WAIT(COLUMNS_WAIT)
    ) phases (
        .clk, .reset, .rests(!os), .sequencer_phase(phase), .count,
        .clears(os && (setup_ends || again)), .verify_ends, .again,
        .first_product(weight_row == 0 && !reads_wait), .taps_end(taps_end && !reads_wait),
        .first_tile(first_row == 0), .last_tile(!more_rows), .rows_used, .lanes,
        .next_phase(outputs_phase), .next_count(outputs_count), .tile_ends(row_tile_ends),
        .row_leaves(row_issued), .mode, .swaps(tile_swaps)
    );
  end else begin : no_outputs
    assign {outputs_phase, outputs_count, row_tile_ends, row_issued, mode, tile_swaps} = '0;
  end

  logic loads, lanes_load, stream_starts, fold_swaps;
  logic [8:0] load_step;
  logic [24:0] load_depth;
  logic [3:0] tag;
  if (WS || IS) begin : folds
    fold_phases #(
        .ROWS(ROWS), .OVERLAP(OVERLAP)
    ) phases (
        .clk, .reset, .rests(os), .sequencer_phase(phase), .count,
        .starts(!os && (tile_starts || next_part || again)), .lanes_take(ws && first_row == 0),
        .stream_waits(ws && reads_wait), .load_waits(is && reads_wait), .lanes, .depth, .pixel,
        .stream_length, .first_depth,
        .next_phase(folds_phase), .next_count(folds_count), .loads, .load_step, .load_depth,
        .lanes_load, .stream_starts, .swaps(fold_swaps), .tag
    );
  end else begin : no_folds
    assign {first_depth, folds_phase, folds_count, loads, load_step, load_depth, lanes_load} = '0;
    assign {stream_starts, fold_swaps, tag} = '0;
  end

  logic [23:0] tap_y, tap_x, channel;
  logic [7:0] kernel_y, kernel_x;
  logic [31:0] tap_address;
  wire taps_advance = ((os && phase == FEED) || phase == POOL) && !reads_wait ||
                      (loads && !(is && reads_wait));
  taps taps (
      .clk, .reset, .starts(tile_starts || next_part || again), .advances(taps_advance),
      .clears_channel(phase == LOAD && !takes_layer),
      .counts_beat(phase == STORE && !stored && !reads_wait),
      .beat_cycles(STORE_BEAT_CYCLES), .tap_channels, .kernel_w, .kernel_h, .dilation_x,
      .dilation_y, .tap_step_x, .tap_step_y, .tap_y, .tap_x, .kernel_y, .kernel_x, .channel,
      .tap_address, .ends(taps_end)
  );
  wire pixel_pooled = phase == POOL && taps_end && !reads_wait;

  logic [31:0] walk_y, walk_x, walk_address;
  wire [31:0] start_y = 32'($signed(origin_y));
  wire [31:0] start_x = 32'($signed(origin_x));
  wire [31:0] row_span = {8'b0, span_x};
  wire [31:0] map_span = {8'b0, span_y};
  wire [31:0] row_step = {16'b0, stride_y};
  pixel_walker #(
      .PARTS(WS ? 1 : 0)
  ) walker (
      .clk, .reset, .starts(tile_starts),
      .start_address(origin_address + (gemm ? group_address : {8'b0, first_column})),
      .part_starts(ws && (tile_starts || next_part)), .returns(ws && stream_starts),
      .advances((ws ? phase == STREAM && !reads_wait : phase == SETUP) || pixel_pooled),
      .origin_y(start_y),
      .origin_x(start_x), .span_y(map_span), .span_x(row_span), .stride_y(row_step),
      .stride_x({16'b0, stride_x}), .pixel_step, .line_step, .image_step, .walk_y, .walk_x,
      .walk_address
  );

  positions #(
      .COUNT(POSITIONS), .AHEAD(WS && OVERLAP != 0 ? ROWS : 0)
  ) positions (
      .clk, .reset, .takes(ws ? OVERLAP == 0 && loads : phase == SETUP),
      .takes_ahead(ws && loads),
      .taken(ws ? {15'b0, load_step} : count), .taken_y(ws ? {8'b0, tap_y} : walk_y),
      .taken_x(ws ? {8'b0, tap_x} : walk_x), .taken_address(ws ? tap_address : walk_address),
      .uses_next(ws && stream_starts),
      .advances((row_tile_ends && more_rows) || (is && next_part)),
      .step_y({8'b0, tile_y}), .step_x({8'b0, tile_x}), .step_address(tile_address),
      .origin_y(start_y), .origin_x(start_x), .span_y(map_span), .span_x(row_span),
      .stride_y(row_step), .line_step, .image_step, .positions_y, .positions_x, .positions_address
  );

  // Pooling: is the tap inside of the map?
  wire [31:0] pool_y = walk_y + {8'b0, tap_y};
  wire [31:0] pool_x = walk_x + {8'b0, tap_x};
  assign pool_operand_inside = pool_y < {16'b0, height} && pool_x < {8'b0, width};
  wire pool_first = kernel_y == 0 && kernel_x == 0;

  always_ff @(posedge clk) begin
    if (reset) begin
      phase <= LOAD;
      count <= '0;
    end else begin
      case (phase)
        LOAD: begin
          phase <= takes_layer ? WAIT : STORE;
          if (!takes_layer) count <= '0;
        end
        WAIT:
        if (tile_starts) begin
          count <= '0;
          phase <= !gemm ? POOL : ws ? PRELOAD : SETUP;
        end
        SETUP:
        if (!ws) begin
          count <= setup_ends ? '0 : counted[23:0];
          if (setup_ends) phase <= os ? FEED : PRELOAD;
        end
        FEED, BUBBLE, DRAIN, VERIFY: if (os) {phase, count} <= {outputs_phase, outputs_count};
        PRELOAD, STREAM, SETTLE: if (!os) {phase, count} <= {folds_phase, folds_count};
        POOL:
        if (pixel_pooled && pixel + 24'd1 >= rows) begin
          count <= '0;
          phase <= FLUSH;
        end
        FLUSH: begin
          count <= flush_ends ? '0 : counted[23:0];
          if (flush_ends)
            phase <= again ? (os ? FEED : PRELOAD) : next_part ? PRELOAD
                           : last_column_tile ? LOAD : WAIT;
        end
        STORE:
        if (stored) begin
          count <= counted[23:0];
          if (counted >= {9'b0, dram_latency}) phase <= DONE;
        end
        default: ;  // done, or where only a fault leads: stands still
      endcase
    end
  end

  // Pixels, row tiles and results of the column tile.
  logic [31:0] retry_address;
  wire beat_ends = phase == STORE && !stored && !reads_wait &&
                   {8'b0, channel} + 32'd1 >= STORE_BEAT_CYCLES;
  always_ff @(posedge clk) begin
    if (reset) begin
      {first_row, pixel, output_address} <= '0;
    end else begin
      if (tile_starts) first_row <= '0;
      else if (row_tile_ends || (flush_ends && gemm && !os && !again)) first_row <= first_row_next;

      if (tile_starts || stream_starts) pixel <= '0;
      else if (pixel_pooled || (!os && phase == STREAM && !(ws && reads_wait)))
        pixel <= pixel + 24'd1;

      if (phase == LOAD && !takes_layer) output_address <= '0;
      else if (tile_starts) output_address <= {8'b0, first_column};
      else if (beat_ends) output_address <= output_address + 32'(COLUMNS);
      else if (os && again) output_address <= retry_address;
      else if (is && next_part) output_address <= output_address + tile_output;
      else if (pixel_pooled || row_issued) output_address <= output_address + {8'b0, columns};
    end
  end

  // Where the results of the present row tile begin.
  if (OS && RERUNS != 0) begin : retries
    always_ff @(posedge clk) begin
      if (reset) retry_address <= '0;
      else if (tile_starts) retry_address <= {8'b0, first_column};
      else if (row_tile_ends) retry_address <= output_address;
    end
  end else begin : no_retries
    assign retry_address = '0;
  end

  // What was issued, one and two cycles later.
  issued #(
      .OS(OS ? 1 : 0), .FOLDS(WS || IS ? 1 : 0), .OVERLAP(OVERLAP),
      .PARAMETERS(OS || WS || TILE_WORDS > 0 ? 1 : 0), .PARAMETER_LANES(OS || WS ? 1 : 0),
      .TAGS(ROWS + COLUMNS)
  ) issued (
      .clk, .reset, .parameters(reads_parameters), .lane_moves(phase == (ws ? PRELOAD : SETUP)),
      .lane(is ? '0 : count[8:0]),
      .pool(phase == POOL && !reads_wait
            ? {kernel_x != 0, !pool_operand_inside, taps_end, pool_first, 1'b1} : 5'b0),
      .output_address, .results(reads_results && !reads_wait), .mode, .drains(row_issued),
      .load(loads && !(is && reads_wait)),
      .swap(tile_swaps || fold_swaps), .tag_entering(tag), .param1(parameters_read),
      .param_lane1(parameters_lane), .pool1(pool_reads), .pool_address1(pool_reads_address),
      .pool2(pool_takes), .pool_address2(pool_takes_address), .store1(result_valid),
      .mode2(array_mode), .drain2(row_leaves), .drain_address2(row_leaves_address),
      .load1(array_load), .swap1(array_swap), .tag_aligned, .tag_next
  );

  if (OS || IS) begin : weight_rows
    wire steps = os ? taps_advance : is && phase == STREAM;
    always_ff @(posedge clk) begin
      if (reset || (!ws && (tile_starts || next_part || again))) weight_row <= '0;
      else if (steps) weight_row <= os && taps_end ? '0 : weight_row + 24'd1;
    end
  end else begin : no_weight_row
    assign weight_row = '0;
  end

  // The tap that is loaded. Weights sink through a weight-stationary array, so the last row's go
  // first. Beyond K none is read; input stationary zeros enter instead.
  wire [24:0] load_index = load_depth +
                           (ws ? 25'(ROWS - 1) - {16'b0, load_step} : {16'b0, load_step});
  wire loads_tap = loads && load_index < {1'b0, depth};

  assign done = phase == DONE;
  assign vector_map = phase != POOL   ? output_map :
                       kernel_x == 0 ? input_map : second_map;
  assign lane_step = pixels_in_lanes ? {8'b0, columns} : 32'd1;
  assign positions_read = is ? loads_tap ? lanes : '0
                             : phase == (os ? FEED : STREAM) ? rows_used : '0;
  assign shared_y = ws ? walk_y : {8'b0, tap_y};
  assign shared_x = ws ? walk_x : {8'b0, tap_x};
  assign shared_address = ws ? walk_address : tap_address;
  assign weight_index = ws ? load_index : {1'b0, weight_row};
  assign reads_weights = ws ? loads_tap : os ? phase == FEED && !reads_wait : phase == STREAM;
  // Input stationary, lane 0 stands for the words of the whole column tile.
  assign reads_parameters = 32'(count) < (is ? 1 : COLUMNS) &&
                            (ws ? phase == PRELOAD && lanes_load : phase == SETUP);
  assign parameter_lane = count[8:0];
  assign reads_pool = phase == POOL;
  assign pool_operand_address = walk_address + tap_address;
  assign reads_results = phase == STORE && channel == 0 && !stored;
endmodule

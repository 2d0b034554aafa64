// The machine: the wiring of its blocks. Named blocks are the folders of the site paths.
//
// The host answers combinationally: `next_descriptor` belongs to `next_layer`, `dram_is_image`,
// `dram_size`, `dram_header` and `dram_data` to `dram_transfer` and `dram_position`. A beat comes
// in no cycle in which `dram_ready` is 0. The host takes `result` in every cycle in which
// `result_valid` is 1.
module sagitta #(
    // Dataflows of the layers, a bit each, 1: output, 2: weight, 4: input stationary. A machine of
    // several, a mixture, has what each of them needs, and the layer says which one it is.
    parameter int FLOWS = 1,
    parameter int OVERLAP = 0,  // 1: drain or preload behind the products
    parameter int ROWS = 4,
    parameter int COLUMNS = 4,
    parameter int COPIES = 1,  // 3: triplicated registers of PEs, with voters
    parameter int MACS = COPIES,  // of a PE: as many, or 1
    parameter int ARRAYS = 1,  // whole arrays: 2 are compared, 3 voted
    parameter int DRAM_BYTES = 16,  // a beat
    parameter int DMA_QUEUE = 2,  // requests at a time
    parameter int MAPS = 2,  // as many feature maps as live at once
    parameter int ACTIVATION_BYTES = 1024,  // of one map
    parameter int ACTIVATION_BANKS = 0,  // 0: everybody who reads has a port
    parameter int ACTIVATION_PORT_BYTES = 1,  // a bank's word
    parameter int WEIGHT_ROWS = 64,  // of one bank
    parameter int PARTIAL_ROWS = 16,
    parameter int RAW_WORDS = 0,  // 32-bit results; 0: none, results are activations
    parameter int CHECKSUM = 0,
    parameter int COLUMN_CHECKSUM = 0,  // checksums of columns beside those of rows
    parameter int CORRECT = 0,  // ... and where a wrong row and a wrong column cross
    // How often a tile may run again of which the checksum failed in a row.
    parameter int RETRIES = 0,
    parameter int PASSES = 1,  // 3: each tile runs three times, and its sums are voted on
    // The checkers of the resilience unit, in the order in which sums, and behind them outputs, pass
    // them. Bits 1..0: 0 none,
    // 1 range, 2 gradient, 3 median; bit 2: bounds of each lane instead of one pair; bits 4..3: gate,
    // 0 always, 1 row, 2 layer, 3 cell; bit 5: gradient, opposite signs only; bits 7..6: what takes the place
    // of a suppressed sum, 0 zero, 1 clamp, 2 mean, 3 hold; bit 8: gradient, neighbours along a line;
    // bit 9: it looks at outputs; bit 10, beside bit 8: neighbours in the map; bit 11, instead of
    // bit 2: bounds of each neuron.
    parameter int CHECKER0 = 0,
    parameter int CHECKER1 = 0,
    parameter int CHECKER2 = 0,
    parameter int CHECKER3 = 0,
    parameter int MAP_PIXELS = 1,  // of a line that checkers of maps hold back
    parameter int BOUND_ROWS = 1,  // pixels of an image with bounds of each neuron
    parameter int MEMORY_CODE = 0,  // check bits of all memories: 0 none, 1 parity, 2 SECDED
    localparam int MAP_BITS = $clog2(MAPS),
    localparam int LINES = (CHECKER0 | CHECKER1 | CHECKER2 | CHECKER3) >> 8 & 1,
    localparam int HELD_LINES = (CHECKER0 >> 10 & 1) + (CHECKER1 >> 10 & 1) +
        (CHECKER2 >> 10 & 1) + (CHECKER3 >> 10 & 1),
    localparam int NEURONS = (CHECKER0 | CHECKER1 | CHECKER2 | CHECKER3) >> 11 & 1,
    localparam int MIXED = (FLOWS & (FLOWS - 1)) != 0 ? 1 : 0,
    localparam int FIELD_BITS = 585 + ((FLOWS & 5) != 0 ? 80 : 0) + ((FLOWS & 6) != 0 ? 24 : 0) +
        ((FLOWS & 4) != 0 ? 56 : 0) + (MIXED != 0 ? 2 : 0) + 24 * LINES +
        (HELD_LINES != 0 ? 24 : 0) + 24 * NEURONS,
    localparam int DESCRIPTOR_BITS = FIELD_BITS + 3 * MAP_BITS,
    localparam int RESULT_BITS = RAW_WORDS > 0 ? 32 : 8
) (
    input logic clk,
    input logic reset,

    input  logic [                7:0] layers,
    output logic [                7:0] next_layer,
    input  logic [DESCRIPTOR_BITS-1:0] next_descriptor,

    input  logic [            15:0] dram_latency,
    input  logic [            16:0] dram_transfers,
    output logic [            15:0] dram_transfer,
    output logic [            31:0] dram_position,
    input  logic                    dram_ready,
    input  logic                    dram_is_image,
    input  logic [            31:0] dram_size,
    input  logic [            31:0] dram_header,
    input  logic [DRAM_BYTES*8-1:0] dram_data,

    input  logic [                   31:0] results,
    output logic                           result_valid,
    output logic [COLUMNS*RESULT_BITS-1:0] result,
    output logic                           done,
    output logic                           uncorrected  // status: the result may be wrong
);
  localparam int SUM_BITS = COLUMNS * 32;
  localparam int CHECKSUM_BITS = 8 + $clog2(COLUMNS);
  localparam int IS = (FLOWS & 4) != 0 ? 1 : 0;
  localparam int ONLY_IS = FLOWS == 4 ? 1 : 0;
  // Activations and weights that enter in a cycle: those of the dataflow that has most.
  localparam int SIDE = ROWS > COLUMNS ? ROWS : COLUMNS;
  localparam int POSITIONS = ONLY_IS != 0 ? COLUMNS : IS != 0 ? SIDE : ROWS;
  localparam int WEIGHTS = ONLY_IS != 0 ? ROWS : IS != 0 ? SIDE : COLUMNS;
  localparam int CHANNELS = IS == 0 ? 0 : PARTIAL_ROWS;  // that have parameters at a time
  localparam int LANES = ONLY_IS != 0 ? 0 : COLUMNS;
  // Parameter words, in the order in which they are packed: bias and scale, then each checker's
  // bounds, in the lane's words or in the tile's; the sum of the biases is the tile's first word,
  // and (input stationary) two words of a channel.
  localparam int STAGES = 4;  // checkers at most
  localparam logic [32*STAGES-1:0] CHECKERS =
      128'(CHECKER3) << 96 | 128'(CHECKER2) << 64 | 128'(CHECKER1) << 32 | 128'(CHECKER0);
  localparam int FIRST_LANE = IS != 0 && CHECKSUM != 0 ? 4 : 2;
  localparam int FIRST_TILE = ONLY_IS != 0 ? 0 : CHECKSUM;
  // Whether stage `i` looks at outputs, or hands on what does.
  function automatic logic of_outputs(input int i);
    of_outputs = 1'b0;
    for (int j = 0; j <= i; j = j + 1) of_outputs = of_outputs || CHECKERS[32*j+9];
  endfunction
  function automatic logic has_bounds(input int i);
    has_bounds = CHECKERS[32*i+:2] == 1 || CHECKERS[32*i+:2] == 2;
  endfunction
  // Words of the first `count` checkers: 0 those of the tile, 1 of the lane, 2 of the neuron.
  function automatic int words_of(input int count, input int whose);
    words_of = 0;
    for (int i = 0; i < count; i = i + 1)
      if (has_bounds(i) && (CHECKERS[32*i+11] ? 2 : 32'(CHECKERS[32*i+2])) == whose)
        words_of = words_of + (of_outputs(i) ? 1 : 2);
  endfunction
  localparam int RERUNS = RETRIES > 0 || PASSES > 1 ? 1 : 0;
  localparam int TILE_ROWS = FLOWS == 1 || ((FLOWS & 1) != 0 && ROWS > PARTIAL_ROWS) ? ROWS : PARTIAL_ROWS;
  // Cycles that the checksum and the first `count` checkers take.
  localparam int DETECTOR_LATENCY = CHECKSUM != 0 ? $clog2(COLUMNS) + 1 : 0;
  function automatic int latency_of(input int count);
    latency_of = DETECTOR_LATENCY;
    for (int i = 0; i < count; i = i + 1)
      latency_of = latency_of +
          (CHECKERS[32*i+:2] == 0 ? 0 : CHECKERS[32*i+:2] != 2 ? 2 : CHECKERS[32*i+10] ? 5 : 4);
  endfunction
  // Stages that look at sums.
  function automatic int sum_stages(input int count);
    sum_stages = 0;
    for (int i = 0; i < count; i = i + 1) if (!of_outputs(i)) sum_stages = sum_stages + 1;
  endfunction
  // A flag, the checksum's or that of the outputs' check, travels only as far as a checker behind a
  // gate reads it.
  function automatic int gated_from(input int first, input logic outputs);
    gated_from = 0;
    for (int i = first; i < STAGES; i = i + 1)
      if ((CHECKSUM != 0 || outputs) && of_outputs(i) == outputs && CHECKERS[32*i+:2] != 0 &&
          (CHECKERS[32*i+3+:2] == 1 || CHECKERS[32*i+3+:2] == 2))
        gated_from = 1;
  endfunction
  // Likewise the lanes of wrong columns.
  function automatic int cells_from(input int first);
    cells_from = 0;
    for (int i = first; i < STAGES; i = i + 1)
      if (COLUMN_CHECKSUM != 0 && CHECKERS[32*i+:2] != 0 && CHECKERS[32*i+3+:2] == 3)
        cells_from = 1;
  endfunction
  // From a row's flag to the verdict on its tile.
  localparam int LEVELS = $clog2(COLUMNS);
  localparam int DEEPER = $clog2(ROWS) > LEVELS + 4 ? $clog2(ROWS) - LEVELS - 4 : 0;
  localparam int COLUMNS_JUDGE = CORRECT != 0 || RETRIES > 0 ? 1 : 0;
  localparam int COLUMN_LATENCY =
      COLUMN_CHECKSUM != 0 ? 1 + (COLUMNS_JUDGE != 0 ? LEVELS : 0) + DEEPER : 0;
  localparam int LANE_WORDS = FIRST_LANE + words_of(STAGES, 1);
  localparam int TILE_WORDS = FIRST_TILE + words_of(STAGES, 0);
  localparam int NEURON_WORDS = words_of(STAGES, 2);
  localparam int TILE_PORT = TILE_WORDS > 0 ? TILE_WORDS : 1;
  localparam int UNIT_LATENCY = latency_of(STAGES);
  localparam int SUM_STAGES = sum_stages(STAGES);
  // Input stationary, how long each word of a channel waits, a byte a word: its register is loaded
  // in the cycle before its stage uses it, the bias as the finished sums appear.
  function automatic logic [95:0] waits_of(input int scale_wait);
    int word, cycles;
    waits_of = 96'(scale_wait) << 8;
    for (int i = 0; i < STAGES; i = i + 1)
      if (has_bounds(i) && CHECKERS[32*i+2]) begin
        word = FIRST_LANE + words_of(i, 1);
        // Product and output stand between sums and outputs.
        cycles = latency_of(i) + (of_outputs(i) ? 2 : 0) + (CHECKERS[32*i+:2] == 1 ? 2 : 3);
        waits_of = waits_of | 96'(cycles) << 8 * word;
        if (!of_outputs(i)) waits_of = waits_of | 96'(cycles) << 8 * (word + 1);
      end
  endfunction
  localparam logic [95:0] WAITS = IS == 0 ? '0 : waits_of(1 + latency_of(SUM_STAGES));

  // Not every configuration has a reader for each.
  // verilator lint_off UNUSEDSIGNAL
  logic os, is, loads_layer;
  logic [23:0] line, map_lines, image_rows, rows;
  logic [15:0] transfers_done, column_tile;
  logic [8:0] lanes, rows_used, positions_read;
  logic [31:0] lane_step;
  logic [23:0] first_row, result_columns, map_width;
  logic [31:0] output_address;
  logic [15:0] map_height;
  logic [7:0] input_zero_point, output_zero_point, output_min, output_max;
  logic raw, weight_bank;
  logic [MAP_BITS-1:0] positions_map, vector_map, results_map;
  logic [1:0] operation;
  logic [23:0] tap_scale, second_scale;
  logic [5:0] tap_shift;
  logic [7:0] second_zero_point;
  logic [POSITIONS*32-1:0] positions_y, positions_x, positions_address;
  logic [31:0] shared_y, shared_x, shared_address;
  logic reads_weights, reads_parameters;
  logic [24:0] weight_index;
  logic [8:0] parameter_lane;
  logic reads_wait, reads_pool, pool_operand_inside, reads_results;
  logic [31:0] pool_operand_address;
  logic [1:0] mode;
  logic load, swap, row_leaves;
  logic [31:0] row_leaves_address;
  logic [3:0] tag, next_tag;
  logic param1;
  logic [8:0] param_lane1;
  logic [4:0] pool1;
  logic [3:0] pool2;
  logic [31:0] pool_address1, pool_address2;

  logic dma_valid, dma_image, dma_bank;
  logic [31:0] dma_address, dma_header;
  logic [15:0] dma_bytes;
  logic [DRAM_BYTES*8-1:0] dma_data;
  logic [POSITIONS*8-1:0] activations;
  logic [WEIGHTS*8-1:0] weights;
  logic [COLUMNS*8-1:0] activation_vector;
  logic [CHECKSUM_BITS-1:0] checksum_weight;
  logic [LANE_WORDS*32-1:0] lane_words;
  logic [TILE_PORT*32-1:0] tile_words;

  logic [SUM_BITS-1:0] leaving_sums, aligned_sums;
  logic [23:0] read_row, write_row;
  logic row_valid;
  logic [31:0] row_address;
  logic [SUM_BITS-1:0] row_sum;
  // Along the resilience unit.
  logic bias_add_valid, checksum_valid, checked_valid;
  logic checksum_flag;
  logic run_ends, again;
  // Behind the buffer of rows that wait for the checksums of their columns.
  logic row_reads, columns_clear, columns_wrong, columns_status;
  logic [8:0] row_read;
  logic waited_valid, waited_flag;
  logic [31:0] waited_address, checksum_difference;
  logic [SUM_BITS-1:0] waited_sum;
  logic [COLUMNS-1:0] waited_cells;
  logic [1:0] pass;
  logic [31:0] bias_add_address, checksum_address, checked_address;
  logic [SUM_BITS-1:0] bias_add_sum, checksum_sum, checked_sum;
  logic output_valid, output_flag;
  logic [31:0] output_row;
  logic [COLUMNS*8-1:0] output_value;
  logic copies_differ, copies_status, tiles_status;
  logic write_valid;
  logic [31:0] write_address;
  logic [COLUMNS*8-1:0] write_value;
  // verilator lint_on UNUSEDSIGNAL

  if (1) begin : control
    sequencer #(
        .FLOWS(FLOWS), .OVERLAP(OVERLAP), .ROWS(ROWS), .COLUMNS(COLUMNS),
        .PARTIAL_ROWS(PARTIAL_ROWS), .DRAIN_PATH(5 + UNIT_LATENCY), .TILE_WORDS(TILE_WORDS),
        .POSITIONS(POSITIONS),
        .STORE_BEAT_CYCLES((COLUMNS * RESULT_BITS / 8 + DRAM_BYTES - 1) / DRAM_BYTES),
        .MAP_BITS(MAP_BITS), .RERUNS(RERUNS), .VERIFY_CYCLES(3 + DETECTOR_LATENCY + COLUMN_LATENCY),
        .COLUMNS_WAIT(COLUMN_CHECKSUM), .BEFORE_BUFFER(2 + DETECTOR_LATENCY), .LINES(LINES),
        .HELD_LINES(HELD_LINES), .NEURONS(NEURONS), .DESCRIPTOR_BITS(DESCRIPTOR_BITS)
    ) sequencer (
        .clk, .reset, .layers, .next_descriptor, .next_layer, .results, .dram_latency, .done,
        .transfers_done, .tile(column_tile), .os, .is, .loads_layer, .line, .map_lines, .image_rows,
        .rows, .lanes, .rows_used,
        .lane_step, .first_row, .output_address,
        .columns(result_columns), .height(map_height), .width(map_width), .input_zero_point,
        .output_zero_point, .output_min, .output_max, .raw, .weight_bank, .operation, .tap_scale,
        .second_scale, .tap_shift, .second_zero_point, .input_map(positions_map), .vector_map,
        .output_map(results_map), .positions_read, .positions_y, .positions_x,
        .positions_address, .shared_y, .shared_x, .shared_address, .reads_weights, .weight_index,
        .reads_parameters, .parameter_lane, .reads_wait, .run_ends, .row_reads, .row_read, .columns_clear, .again, .reads_pool,
        .pool_operand_inside, .pool_operand_address, .reads_results, .array_mode(mode), .array_load(load),
        .array_swap(swap), .row_leaves, .row_leaves_address,
        .tag_aligned(tag), .tag_next(next_tag), .parameters_read(param1),
        .parameters_lane(param_lane1), .pool_reads(pool1), .pool_reads_address(pool_address1),
        .pool_takes(pool2),
        .pool_takes_address(pool_address2), .result_valid
    );
  end

  // Words that the memories' decoders could not correct.
  wire activations_wrong, weights_wrong, sums_wrong, results_wrong, checksums_wrong;
  wire words_wrong =
      activations_wrong || weights_wrong || sums_wrong || results_wrong || checksums_wrong;

  if (1) begin : memory
    dma #(
        .WIDTH(DRAM_BYTES), .QUEUE(DMA_QUEUE), .HEADER(IS | NEURONS)
    ) dma (
        .clk, .reset, .dram_latency, .dram_transfers, .dram_transfer, .dram_position, .dram_ready,
        .dram_is_image, .dram_size, .dram_header, .dram_data, .column_tile, .done(transfers_done),
        .data_valid(dma_valid), .data_image(dma_image), .data_bank(dma_bank),
        .data_address(dma_address), .data_bytes(dma_bytes), .data_header(dma_header),
        .data(dma_data)
    );
    activation_scratchpad #(
        .PORTS(POSITIONS), .COLUMNS(COLUMNS), .MAPS(MAPS), .MAP_BITS(MAP_BITS),
        .BYTES(ACTIVATION_BYTES), .RAW(RAW_WORDS > 0 ? 1 : 0), .DMA_WIDTH(DRAM_BYTES),
        .BANKS(ACTIVATION_BANKS), .WORD_BYTES(ACTIVATION_PORT_BYTES), .CODE(MEMORY_CODE)
    ) activation (
        .clk, .reset, .positions_map, .vector_map, .results_map, .map_height, .map_width,
        .zero_point(input_zero_point), .ports_used(positions_read), .positions_y, .positions_x,
        .positions_address, .shared_y, .shared_x, .shared_address, .read(activations), .reads_wait,
        .reads_pool, .pool_operand_inside, .pool_operand_address, .reads_results,
        .results_address(output_address), .results, .vector(activation_vector),
        .dma_valid(dma_valid && dma_image), .dma_address, .dma_bytes, .dma_data, .write_valid,
        .lanes, .lane_step, .write_address, .write_value, .uncorrected(activations_wrong)
    );
    weight_scratchpad #(
        .CHANNELS(IS), .HEADER(IS | NEURONS), .LANES(WEIGHTS), .ROWS(WEIGHT_ROWS),
        .PARAMETER_LANES(CHANNELS > LANES ? CHANNELS : LANES), .LANE_WORDS(LANE_WORDS),
        .TILE_WORDS(TILE_WORDS), .CHECKSUM(ONLY_IS != 0 ? 0 : CHECKSUM),
        .CHECKSUM_BITS(CHECKSUM_BITS), .DMA_WIDTH(DRAM_BYTES), .WAITS(WAITS),
        .CODE(MEMORY_CODE), .BIAS_SUMS(IS != 0 && CHECKSUM != 0 ? 1 : 0)
    ) weight (
        .clk, .reset, .by_channel(is), .read_bank(weight_bank), .reads_weights, .weight_index,
        .weights_used(is ? rows_used : lanes), .read(weights),
        .checksum_weight, .reads_parameters, .parameter_lane,
        .reads_channel(next_tag[0] && next_tag[2]), .parameter_channel(read_row), .lane_words,
        .tile_words, .lanes_used(lanes), .all_lanes(lanes == 9'(COLUMNS)),
        .uncorrected(weights_wrong), .dma_valid(dma_valid && !dma_image), .dma_bank, .dma_address, .dma_bytes,
        .dma_header, .dma_data
    );
    logic finished_valid;
    logic [31:0] finished_address;
    logic [SUM_BITS-1:0] finished_sum;
    if (FLOWS != 1) begin : sums
      partial_sums #(
          .COLUMNS(COLUMNS), .PARTIAL_ROWS(PARTIAL_ROWS),
          .RERUNS((FLOWS & 2) != 0 ? RERUNS : 0), .CODE(MEMORY_CODE)
      ) partial (
          .clk, .reset, .tag, .next_tag, .aligned(aligned_sums), .is, .first_row, .output_address,
          .columns(result_columns), .run_ends, .again, .read_row, .write_row, .finished_valid,
          .finished_address, .finished_sum, .lanes, .uncorrected(sums_wrong)
      );
    end else begin : no_sums
      assign {read_row, write_row} = '0;
      assign sums_wrong = 1'b0;
      assign {finished_valid, finished_address, finished_sum} = '0;
    end
    // Finished rows come from the top of the array, or from the partial sums.
    wire finishes = os ? row_leaves : finished_valid;
    wire [SUM_BITS-1:0] finished = os ? leaving_sums : finished_sum;
    assign row_address = os ? row_leaves_address : finished_address;
    if (PASSES > 1) begin : votes
      vote_buffer #(
          .COLUMNS(COLUMNS), .ROWS(TILE_ROWS)
      ) vote (
          .clk, .reset, .pass, .ends(run_ends), .row_valid(finishes), .row_sum(finished),
          .voted_valid(row_valid), .voted_sum(row_sum)
      );
    end else begin : no_votes
      assign {row_valid, row_sum} = {finishes, finished};
    end
    if (RAW_WORDS > 0) begin : raw_results
      accumulator_buffer #(
          .COLUMNS(COLUMNS), .WORDS(RAW_WORDS), .CODE(MEMORY_CODE)
      ) accumulator (
          .clk, .reset, .reads(reads_results), .read_address(output_address), .vector(result),
          .write_valid(checked_valid && raw), .lanes, .lane_step, .write_address(checked_address),
          .write_sum(checked_sum), .uncorrected(results_wrong)
      );
    end else begin : results_are_activations
      assign results_wrong = 1'b0;
      assign result = activation_vector;
    end
  end

  // What each copy of the array lets out.
  logic [ARRAYS*SUM_BITS-1:0] leaving_of, aligned_of;
  array #(
      .FLOWS(FLOWS), .ROWS(ROWS), .COLUMNS(COLUMNS), .COPIES(COPIES), .MACS(MACS),
      .OVERLAP(OVERLAP), .ACTIVATION_LANES(POSITIONS), .WEIGHT_LANES(WEIGHTS)
  ) array (
      .clk, .reset, .os, .is, .activations, .weights, .mode, .load, .swap_in(swap),
      .shift(row_leaves), .leaving(leaving_of[SUM_BITS-1:0]), .aligned(aligned_of[SUM_BITS-1:0])
  );
  for (genvar i = 1; i < ARRAYS; i = i + 1) begin : further
    (* keep *) array #(
        .FLOWS(FLOWS), .ROWS(ROWS), .COLUMNS(COLUMNS), .COPIES(COPIES), .MACS(MACS),
        .OVERLAP(OVERLAP), .ACTIVATION_LANES(POSITIONS), .WEIGHT_LANES(WEIGHTS)
    ) array (
        .clk, .reset, .os, .is, .activations, .weights, .mode, .load, .swap_in(swap),
        .shift(row_leaves), .leaving(leaving_of[SUM_BITS*i+:SUM_BITS]),
        .aligned(aligned_of[SUM_BITS*i+:SUM_BITS])
    );
  end
  if (ARRAYS == 3) begin : voted
    voter #(.WIDTH(SUM_BITS), .COPIES(3)) leaving (.copies(leaving_of), .voted(leaving_sums));
    voter #(.WIDTH(SUM_BITS), .COPIES(3)) aligned (.copies(aligned_of), .voted(aligned_sums));
  end else begin : first
    assign leaving_sums = leaving_of[SUM_BITS-1:0];
    assign aligned_sums = aligned_of[SUM_BITS-1:0];
  end

  vector_unit #(
      .FLOWS(FLOWS), .COLUMNS(COLUMNS), .CHECK(gated_from(0, 1'b1))
  ) vector (
      .clk, .reset, .is, .raw, .output_zero_point, .output_min, .output_max, .param1, .param_lane1,
      .operation, .input_zero_point, .second_zero_point, .tap_scale, .second_scale, .tap_shift,
      .pool1, .pool_address1, .pool2, .pool_address2, .lane_words(lane_words[63:0]), .row_valid,
      .row_address, .row_sum, .checked_valid, .checked_address, .checked_sum,
      .pool_operand(activation_vector), .bias_add_valid, .bias_add_address, .bias_add_sum,
      .lanes, .output_valid, .output_flag, .output_address(output_row), .output_value
  );

  if (1) begin : resilience
    if (CHECKSUM != 0) begin : detector
      wire [ROWS*8-1:0] array_weights;
      wire [31:0] bias_word, last_bias_word;
      if (IS != 0) begin : channel_words
        assign array_weights = weights[ROWS*8-1:0];
        assign bias_word = is ? lane_words[64+:32] : tile_words[31:0];
        assign last_bias_word = lane_words[96+:32];
      end else begin : tile_word
        assign array_weights = '0;
        assign {last_bias_word, bias_word} = {32'b0, tile_words[31:0]};
      end
      checksum #(
          .FLOWS(FLOWS), .ACTIVATION_LANES(POSITIONS), .ROWS(ROWS), .COLUMNS(COLUMNS),
          .PARTIAL_ROWS(PARTIAL_ROWS), .WEIGHT_BITS(CHECKSUM_BITS), .OVERLAP(OVERLAP),
          .CODE(MEMORY_CODE), .DIFFERENCE(COLUMN_CHECKSUM)
      ) checksum (
          .clk, .reset, .os, .is, .activations, .weight(checksum_weight), .weights(array_weights),
          .mode,
          .load, .swap_in(swap), .shift(row_leaves), .tag, .next_tag, .read_row, .write_row, .lanes,
          .param1, .param_lane1, .bias_word, .last_bias_word, .leaving_valid(row_valid),
          .sums_valid(bias_add_valid), .sums_address(bias_add_address), .sums_sum(bias_add_sum),
          .output_valid(checksum_valid), .output_flag(checksum_flag),
          .difference(checksum_difference),
          .output_address(checksum_address), .output_sum(checksum_sum),
          .uncorrected(checksums_wrong)
      );
    end else begin : no_detector
      assign checksums_wrong = 1'b0;
      assign checksum_difference = '0;
      assign {checksum_valid, checksum_flag} = {bias_add_valid, 1'b0};
      assign {checksum_address, checksum_sum} = {bias_add_address, bias_add_sum};
    end
    if (COLUMN_CHECKSUM != 0) begin : waits
      column_checksum #(
          .ROWS(ROWS), .COLUMNS(COLUMNS), .JUDGES(COLUMNS_JUDGE), .CORRECT(CORRECT),
          .STATUS(CORRECT != 0 && RETRIES == 0 ? 1 : 0), .FLAG(gated_from(0, 1'b0)),
          .CELLS(cells_from(0))
      ) columns (
          .clk, .reset, .activations(activations[ROWS*8-1:0]), .weights(weights[COLUMNS*8-1:0]),
          .rows_used, .lanes, .param1, .param_lane1, .bias_word(lane_words[31:0]),
          .clears(columns_clear), .judges(run_ends), .reads(row_reads), .read_row(row_read),
          .input_valid(checksum_valid), .input_address(checksum_address),
          .input_sum(checksum_sum), .input_lacks(checksum_difference),
          .output_valid(waited_valid), .output_flag(waited_flag), .output_cells(waited_cells),
          .output_address(waited_address), .output_sum(waited_sum), .wrong(columns_wrong),
          .uncorrected(columns_status)
      );
    end else begin : at_once
      assign {waited_valid, waited_flag} = {checksum_valid, checksum_flag};
      assign {waited_address, waited_sum} = {checksum_address, checksum_sum};
      assign {waited_cells, columns_wrong, columns_status} = '0;
    end
    assign uncorrected = copies_status || columns_status || tiles_status || words_wrong;
    if (ARRAYS == 2) begin : copies
      array_comparator #(
          .COLUMNS(COLUMNS), .STATUS(RETRIES == 0 ? 1 : 0)
      ) comparator (
          .clk, .reset, .os, .row_leaves, .sums_aligned(tag[0]), .lanes, .leaving(leaving_of),
          .aligned(aligned_of), .mismatch(copies_differ), .uncorrected(copies_status)
      );
    end else begin : no_copies
      assign {copies_differ, copies_status} = '0;
    end
    if (RERUNS != 0) begin : tiles
      recompute #(
          .RETRIES(RETRIES), .PASSES(PASSES)
      ) recompute (
          .clk, .reset, .ends(run_ends),
          .mismatch((COLUMN_CHECKSUM != 0 ? run_ends && columns_wrong
                                          : checksum_valid && checksum_flag) || copies_differ),
          .again, .pass,
          .uncorrected(tiles_status)
      );
    end else begin : no_tiles
      assign {again, pass, tiles_status} = '0;
    end
    for (genvar i = 0; i < STAGES; i = i + 1) begin : stage
      localparam int KIND = 32'(CHECKERS[32*i+:2]);
      localparam int CHANNEL = 32'(CHECKERS[32*i+2]);
      localparam int NEURON = 32'(CHECKERS[32*i+11]);
      localparam int GATE = 32'(CHECKERS[32*i+3+:2]);
      localparam int SPIKE = 32'(CHECKERS[32*i+5]);
      localparam int SUPPRESS = 32'(CHECKERS[32*i+6+:2]);
      localparam int LINE = 32'(CHECKERS[32*i+8]);
      localparam int MAP = 32'(CHECKERS[32*i+10]);
      localparam int OUTPUT = 32'(of_outputs(i));
      localparam int WIDTH = OUTPUT != 0 ? 8 : 32;
      localparam int BOUND = OUTPUT != 0 ? 9 : 32;
      localparam int FLAG = gated_from(i, of_outputs(i));
      localparam int RESULT_FLAG = gated_from(i + 1, of_outputs(i));
      localparam int CELLS = OUTPUT != 0 ? 0 : cells_from(i);
      localparam int RESULT_CELLS = OUTPUT != 0 ? 0 : cells_from(i + 1);
      // Not every stage has a reader for each.
      // verilator lint_off UNUSEDSIGNAL
      wire in_valid, in_flag, valid, flag;
      wire [COLUMNS-1:0] in_cells, cells;
      wire [31:0] in_address, address;
      wire [COLUMNS*WIDTH-1:0] in_sum, sum;
      wire [BOUND-1:0] low_word, high_word;
      wire product = operation == 2'd0;
      wire arrives;
      wire [COLUMNS*BOUND-1:0] row_low, row_high;
      // What means zero; and in a layer without a product outputs pass, each a line of its own.
      wire [WIDTH-1:0] zero = OUTPUT != 0 ? WIDTH'(output_zero_point) : '0;
      wire enabled = OUTPUT == 0 || product;
      wire [23:0] own_line = enabled ? line : '0;
      // verilator lint_on UNUSEDSIGNAL
      if (i == SUM_STAGES) begin : first_of_outputs
        assign {in_valid, in_flag, in_cells} = {output_valid, output_flag, {COLUMNS{1'b0}}};
        assign {in_address, in_sum} = {output_row, output_value};
      end else if (i == 0) begin : first
        assign {in_valid, in_flag, in_cells} = {waited_valid, waited_flag, waited_cells};
        assign {in_address, in_sum} = {waited_address, waited_sum};
      end else begin : later
        assign {in_valid, in_flag, in_cells} = {stage[i-1].valid, stage[i-1].flag, stage[i-1].cells};
        assign {in_address, in_sum} = {stage[i-1].address, stage[i-1].sum};
      end
      if (NEURON != 0) begin : each_neuron
        neuron_bounds #(
            .COLUMNS(COLUMNS), .ROWS(BOUND_ROWS), .BOUND(BOUND), .ALL_WORDS(NEURON_WORDS),
            .FIRST(words_of(i, 2)), .PARAMETER_BYTES(4 * (COLUMNS * LANE_WORDS + TILE_WORDS)),
            .DMA_WIDTH(DRAM_BYTES)
        ) memory (
            .clk, .reset, .param1, .param_lane1, .reads(arrives), .read_bank(weight_bank),
            .image_rows, .low(row_low), .high(row_high), .dma_valid(dma_valid && !dma_image),
            .dma_bank, .dma_address, .dma_bytes, .dma_header, .dma_data
        );
      end else begin : shared
        assign {row_low, row_high} = '0;
      end
      if (!has_bounds(i) || NEURON != 0) begin : unbounded
        assign {low_word, high_word} = '0;
      end else begin : bounded
        localparam int FIRST =
            CHANNEL != 0 ? FIRST_LANE + words_of(i, 1) : FIRST_TILE + words_of(i, 0);
        localparam int SECOND = OUTPUT != 0 ? FIRST * 32 + 16 : (FIRST + 1) * 32;
        if (CHANNEL != 0) begin : lane
          assign {low_word, high_word} = {lane_words[FIRST*32+:BOUND], lane_words[SECOND+:BOUND]};
        end else begin : tile
          assign {low_word, high_word} = {tile_words[FIRST*32+:BOUND], tile_words[SECOND+:BOUND]};
        end
      end
      if (KIND == 1) begin : value
        range_checker #(
            .FLOWS(FLOWS), .COLUMNS(COLUMNS), .CHANNEL(CHANNEL), .NEURON(NEURON), .BOUND(BOUND),
            .GATE(GATE), .CLAMP(SUPPRESS),
            .WIDTH(WIDTH), .FLAG(FLAG), .RESULT_FLAG(RESULT_FLAG),
            .CELLS(CELLS), .RESULT_CELLS(RESULT_CELLS)
        ) range (
            .clk, .reset, .enabled, .next_layer(loads_layer), .lanes, .is, .param1, .param_lane1,
            .low_word,
            .high_word, .product, .arrives, .row_low, .row_high, .zero, .input_valid(in_valid), .input_flag(in_flag), .input_cells(in_cells),
            .input_address(in_address), .input_sum(in_sum), .result_valid(valid),
            .result_flag(flag), .result_cells(cells), .result_address(address), .result_sum(sum)
        );
      end else if (KIND == 2 && MAP != 0) begin : in_map
        map_checker #(
            .FLOWS(FLOWS), .COLUMNS(COLUMNS), .PIXELS(MAP_PIXELS), .CHANNEL(CHANNEL), .BOUND(BOUND),
            .GATE(GATE), .SUPPRESS(SUPPRESS), .WIDTH(WIDTH), .FLAG(FLAG), .RESULT_FLAG(RESULT_FLAG)
        ) gradient (
            .clk, .reset, .enabled, .next_layer(loads_layer), .line, .map_lines, .rows, .lanes, .is,
            .param1, .param_lane1, .low_word, .high_word, .zero, .input_valid(in_valid),
            .input_flag(in_flag), .input_address(in_address), .input_sum(in_sum),
            .result_valid(valid), .result_flag(flag), .result_address(address), .result_sum(sum)
        );
        assign arrives = 1'b0;
        assign cells = '0;  // refused behind it
      end else if (KIND == 2 && LINE != 0) begin : along_line
        line_checker #(
            .FLOWS(FLOWS), .COLUMNS(COLUMNS), .CHANNEL(CHANNEL), .BOUND(BOUND), .GATE(GATE),
            .SPIKE(SPIKE),
            .SUPPRESS(SUPPRESS), .WIDTH(WIDTH), .FLAG(FLAG), .RESULT_FLAG(RESULT_FLAG),
            .CELLS(CELLS), .RESULT_CELLS(RESULT_CELLS)
        ) gradient (
            .clk, .reset, .enabled, .next_layer(loads_layer), .line(own_line), .lanes, .is, .param1,
            .param_lane1,
            .low_word, .high_word, .zero, .input_valid(in_valid),
            .input_flag(in_flag), .input_cells(in_cells), .input_address(in_address), .input_sum(in_sum),
            .result_valid(valid), .result_flag(flag), .result_cells(cells), .result_address(address), .result_sum(sum)
        );
        assign arrives = 1'b0;
      end else if (KIND == 2) begin : neighbours
        gradient_checker #(
            .FLOWS(FLOWS), .COLUMNS(COLUMNS), .CHANNEL(CHANNEL), .NEURON(NEURON), .BOUND(BOUND), .GATE(GATE),
            .SPIKE(SPIKE),
            .SUPPRESS(SUPPRESS), .WIDTH(WIDTH), .FLAG(FLAG), .RESULT_FLAG(RESULT_FLAG),
            .CELLS(CELLS), .RESULT_CELLS(RESULT_CELLS)
        ) gradient (
            .clk, .reset, .enabled, .next_layer(loads_layer), .lanes, .is, .param1, .param_lane1,
            .low_word,
            .high_word, .product, .arrives, .row_low, .row_high, .zero, .input_valid(in_valid), .input_flag(in_flag), .input_cells(in_cells),
            .input_address(in_address), .input_sum(in_sum), .result_valid(valid),
            .result_flag(flag), .result_cells(cells), .result_address(address), .result_sum(sum)
        );
      end else if (KIND == 3) begin : filter
        median_filter #(
            .COLUMNS(COLUMNS), .GATE(GATE), .WIDTH(WIDTH), .FLAG(FLAG), .RESULT_FLAG(RESULT_FLAG),
            .CELLS(CELLS), .RESULT_CELLS(RESULT_CELLS)
        ) median (
            .clk, .reset, .enabled, .next_layer(loads_layer), .lanes, .input_valid(in_valid),
            .input_flag(in_flag), .input_cells(in_cells), .input_address(in_address), .input_sum(in_sum),
            .result_valid(valid), .result_flag(flag), .result_cells(cells), .result_address(address), .result_sum(sum)
        );
        assign arrives = 1'b0;
      end else begin : passes
        assign {valid, flag, cells, arrives} = {in_valid, in_flag, in_cells, 1'b0};
        assign {address, sum} = {in_address, in_sum};
      end
    end
    if (SUM_STAGES > 0) begin : checks_sums
      assign {checked_valid, checked_address} =
          {stage[SUM_STAGES-1].valid, stage[SUM_STAGES-1].address};
      assign checked_sum = stage[SUM_STAGES-1].sum;
    end else begin : leaves_sums
      assign {checked_valid, checked_address} = {waited_valid, waited_address};
      assign checked_sum = waited_sum;
    end
    if (SUM_STAGES < STAGES) begin : checks_outputs
      assign {write_valid, write_address} = {stage[STAGES-1].valid, stage[STAGES-1].address};
      assign write_value = stage[STAGES-1].sum;
    end else begin : leaves_outputs
      assign {write_valid, write_address} = {output_valid, output_row};
      assign write_value = output_value;
    end
  end
endmodule

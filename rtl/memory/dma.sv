// DMA: brings the image and each column tile's weights from the host's memory, a beat of WIDTH
// bytes a cycle. Requests wait in a queue, so that the latency of one passes while another one's
// data arrive; they are answered in order. Runs ahead of the sequencer by at most one column tile.
module dma #(
    parameter int WIDTH = 16,
    parameter int QUEUE = 2,
    parameter int HEADER = 0  // a beat says where its transfer's weights begin
) (
    input logic clk,
    input logic reset,

    // The host's memory: what transfer `dram_transfer` is, its bytes from `dram_position` on, and
    // whether they can be had in this cycle.
    input  logic [       15:0] dram_latency,
    input  logic [       16:0] dram_transfers,
    output logic [       15:0] dram_transfer,
    output logic [       31:0] dram_position,
    input  logic               dram_ready,
    input  logic               dram_is_image,
    input  logic [       31:0] dram_size,
    input  logic [       31:0] dram_header,
    input  logic [WIDTH*8-1:0] dram_data,

    input  logic [15:0] column_tile,
    output logic [15:0] done,

    // A beat for a scratchpad.
    output logic               data_valid,
    output logic               data_image,
    output logic               data_bank,
    output logic [       31:0] data_address,
    output logic [       15:0] data_bytes,
    output logic [       31:0] data_header,
    output logic [WIDTH*8-1:0] data
);
  logic [15:0] transfer;  // the next one to ask for
  logic [31:0] position;
  logic bank;
  logic [15:0] data_count;

  // Slot 0 is the oldest request, whose data come next.
  logic [QUEUE-1:0] valids;
  logic [QUEUE*16-1:0] transfers, waits;  // older by this cycle
  wire due = valids[0] && queue[0].wait_ >= dram_latency;
  wire receives = due && dram_ready;

  wire exists = {1'b0, transfers[15:0]} < dram_transfers;
  wire image = exists && dram_is_image;
  wire [31:0] size = exists ? dram_size : 32'd0;
  wire [31:0] left = size - position;
  wire [15:0] bytes = left < WIDTH ? left[15:0] : 16'(WIDTH);
  wire last_beat = receives && {1'b0, position} + 33'(WIDTH) >= {1'b0, size};

  // Requests move up when the oldest is answered, and behind an empty slot 0, which only a fault
  // leaves while others wait. A new one takes the first free slot: transfer t + 1 fills the bank of
  // column tile t, which is free once tile t - 2 is finished.
  wire moves_up = last_beat || !valids[0];
  wire [QUEUE-1:0] moved_valids = moves_up ? valids >> 1 : valids;
  wire asks = !valids[QUEUE-1] && {1'b0, transfer} < dram_transfers &&
              {1'b0, transfer} <= {1'b0, column_tile} + 17'd2;
  for (genvar i = 0; i < QUEUE; i = i + 1) begin : queue
    localparam int BEHIND = i + 1 < QUEUE ? i + 1 : i;
    logic valid;
    logic [15:0] wait_;
    // verilator lint_off VARHIDDEN
    logic [15:0] transfer;  // the site's name
    // verilator lint_on VARHIDDEN
    wire takes;
    if (i == 0) begin : first
      assign takes = asks && !moved_valids[0];
    end else begin : later
      assign takes = asks && !moved_valids[i] && &moved_valids[i-1:0];
    end
    always_ff @(posedge clk) begin
      if (reset) begin
        {valid, transfer, wait_} <= '0;
      end else begin
        valid <= takes || moved_valids[i];
        transfer <= takes ? next_transfer :
                    moves_up ? transfers[BEHIND*16+:16] : transfers[i*16+:16];
        wait_ <= takes ? '0 : moves_up ? waits[BEHIND*16+:16] : waits[i*16+:16];
      end
    end
    assign valids[i] = valid;
    assign transfers[i*16+:16] = transfer;
    assign waits[i*16+:16] = valid && wait_ < dram_latency ? wait_ + 16'd1 : wait_;
  end
  wire [15:0] next_transfer = transfer;
  assign dram_transfer = transfers[15:0];
  assign dram_position = position;

  always_ff @(posedge clk) begin
    if (reset) begin
      {transfer, done, position, bank} <= '0;
      {data_valid, data_image, data_bank, data_address, data_count, data} <= '0;
    end else begin
      if (asks) transfer <= transfer + 16'd1;
      if (receives) position <= last_beat ? '0 : position + WIDTH;
      if (last_beat) begin
        if (exists && !image) bank <= !bank;
        done <= done + 16'd1;
      end
      data_valid <= receives && position < size;
      if (receives && position < size) begin
        data_image <= image;
        data_bank <= bank;
        data_address <= position;
        data_count <= bytes;
        for (int i = 0; i < WIDTH; i = i + 1) begin
          if (16'(i) < bytes) data[i*8+:8] <= dram_data[i*8+:8];
        end
      end
    end
  end
  if (HEADER != 0) begin : header
    always_ff @(posedge clk) begin
      if (reset) data_header <= '0;
      else if (receives && position < size) data_header <= dram_header;
    end
  end else begin : no_header
    assign data_header = '0;
    wire unused = &{1'b0, dram_header};
  end
  // A corrupt count never reaches past the data register.
  assign data_bytes = data_count < 16'(WIDTH) ? data_count : 16'(WIDTH);
endmodule

// DMA: brings the image and each column tile's weights from the host's memory, a beat of WIDTH bytes
// a cycle, after a latency. Runs ahead of the sequencer by at most one column tile.
module dma #(
    parameter int WIDTH = 16
) (
    input logic clk,
    input logic reset,

    // The host's memory: what transfer `transfer` is, and its bytes from `position` on.
    input  logic [       15:0] dram_latency,
    input  logic [       16:0] dram_transfers,
    output logic [       15:0] transfer,
    output logic [       31:0] position,
    input  logic               dram_is_image,
    input  logic [       31:0] dram_size,
    input  logic [WIDTH*8-1:0] dram_data,

    input  logic [15:0] column_tile,
    output logic [15:0] done,

    // A beat for a scratchpad.
    output logic               data_valid,
    output logic               data_image,
    output logic               data_bank,
    output logic [       31:0] data_address,
    output logic [       15:0] data_bytes,
    output logic [WIDTH*8-1:0] data
);
  localparam logic [1:0] IDLE = 0, LATENCY = 1, BURST = 2;

  logic [1:0] state;
  logic [15:0] wait_;
  logic bank;
  logic [15:0] data_count;

  wire exists = {1'b0, transfer} < dram_transfers;
  wire [31:0] size = exists ? dram_size : 32'd0;
  wire [31:0] left = size - position;
  wire sends = state == BURST && position < size;
  wire [15:0] bytes = left < WIDTH ? left[15:0] : 16'(WIDTH);
  wire ends = {1'b0, position} + 33'(WIDTH) >= {1'b0, size};
  wire [16:0] waited = {1'b0, wait_} + 17'd1;

  always_ff @(posedge clk) begin
    if (reset) begin
      state <= IDLE;
      {transfer, done, wait_, position, bank} <= '0;
    end else begin
      case (state)
        IDLE:
        // Transfer t + 1 fills the bank of column tile t, free once tile t - 2 is finished.
        if (exists && {1'b0, transfer} <= {1'b0, column_tile} + 17'd2) begin
          position <= '0;
          wait_ <= '0;
          state <= dram_latency != 0 ? LATENCY : BURST;
        end
        LATENCY: begin
          wait_ <= waited[15:0];
          if (waited >= {1'b0, dram_latency}) state <= BURST;
        end
        BURST: begin
          position <= position + WIDTH;
          if (ends) begin
            if (exists && !dram_is_image) bank <= !bank;
            done <= done + 16'd1;
            transfer <= transfer + 16'd1;
            state <= IDLE;
          end
        end
        default: ;  // where only a fault leads: stands still
      endcase
    end
  end

  always_ff @(posedge clk) begin
    if (reset) begin
      {data_valid, data_image, data_bank, data_address, data_count, data} <= '0;
    end else begin
      data_valid <= sends;
      if (sends) begin
        data_image <= dram_is_image;
        data_bank <= bank;
        data_address <= position;
        data_count <= bytes;
        for (int i = 0; i < WIDTH; i = i + 1) begin
          if (16'(i) < bytes) data[i*8+:8] <= dram_data[i*8+:8];
        end
      end
    end
  end
  // A corrupt count never reaches past the data register.
  assign data_bytes = data_count < 16'(WIDTH) ? data_count : 16'(WIDTH);
endmodule

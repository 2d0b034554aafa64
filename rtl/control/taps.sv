// Walks over the taps of a window: channels, then kernel columns, then kernel rows. While results
// are stored, its channel counter counts the cycles of a beat.
module taps (
    input logic clk,
    input logic reset,

    input logic        starts,    // at the window's first tap
    input logic        advances,  // to the next one, and from the last to the first
    input logic        clears_channel,
    input logic        counts_beat,
    input logic [31:0] beat_cycles,

    input logic [23:0] tap_channels,
    input logic [ 7:0] kernel_w,
    input logic [ 7:0] kernel_h,
    input logic [15:0] dilation_x,
    input logic [15:0] dilation_y,
    input logic [31:0] tap_step_x,  // to the next kernel column, from the last channel
    input logic [31:0] tap_step_y,  // to the next kernel row

    output logic [23:0] tap_y,
    output logic [23:0] tap_x,
    output logic [ 7:0] kernel_y,
    output logic [ 7:0] kernel_x,
    output logic [23:0] channel,
    output logic [31:0] tap_address,
    output logic        ends          // this is the last one
);
  wire [23:0] next_channel = channel + 24'd1;
  wire [7:0] next_kernel_x = kernel_x + 8'd1;
  wire [7:0] next_kernel_y = kernel_y + 8'd1;
  wire channel_ends = next_channel >= tap_channels;
  wire kernel_x_ends = next_kernel_x >= kernel_w;
  wire kernel_y_ends = next_kernel_y >= kernel_h;
  assign ends = channel_ends && kernel_x_ends && kernel_y_ends;

  always_ff @(posedge clk) begin
    if (reset || starts) begin
      {tap_y, tap_x, kernel_y, kernel_x, channel, tap_address} <= '0;
    end else if (advances) begin
      channel <= channel_ends ? '0 : next_channel;
      if (channel_ends) begin
        kernel_x <= kernel_x_ends ? '0 : next_kernel_x;
        tap_x <= kernel_x_ends ? '0 : tap_x + {8'b0, dilation_x};
      end
      if (channel_ends && kernel_x_ends) begin
        kernel_y <= kernel_y_ends ? '0 : next_kernel_y;
        tap_y <= kernel_y_ends ? '0 : tap_y + {8'b0, dilation_y};
      end
      tap_address <= ends          ? '0 :
                     !channel_ends ? tap_address + 32'd1 :
                     kernel_x_ends ? tap_address + tap_step_y : tap_address + tap_step_x;
    end else if (clears_channel) begin
      channel <= '0;
    end else if (counts_beat) begin
      channel <= {8'b0, channel} + 32'd1 < beat_cycles ? next_channel : '0;
    end
  end
endmodule

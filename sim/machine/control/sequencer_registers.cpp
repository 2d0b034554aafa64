// The sequencer's registers: which of its state each dataflow has, under which names.
#include <bit>
#include <cstddef>
#include <string>
#include <utility>

#include "machine/control/sequencer.h"

namespace sagitta {

void Sequencer::declare(RegisterLayout& layout) {
  state_ = layout.place_pipe<SequencerState>(1);
  const auto field = [&](const char* name, std::size_t offset, int element_bytes, int width,
                         bool is_signed = false) {
    RegisterClass c;
    c.path = std::string("control.sequencer.") + name;
    c.width = width;
    c.is_signed = is_signed;
    c.offset = state_.offset + offset;
    c.element_bytes = element_bytes;
    layout.declare(std::move(c));
  };
#define SAGITTA_FIELD(name, width, is_signed) \
  field(#name, offsetof(SequencerState, name), sizeof(SequencerState::name), width, is_signed)
  const ArrayShape& array = program_->array;
  const bool os = array.has(Dataflow::os);
  const bool ws = array.has(Dataflow::ws);
  const bool is = array.has(Dataflow::is);
  const bool only_is = array.only(Dataflow::is);
  const bool modes = os && !overlap();
#define SAGITTA_FIELD_OF(flows, name, width, is_signed) \
  if (flows) SAGITTA_FIELD(name, width, is_signed)
#define SAGITTA_CONFIG_OF(flows, name, width, is_signed) \
  if (flows) SAGITTA_CONFIG(name, width, is_signed)
#define SAGITTA_CONFIG(name, width, is_signed)                                               \
  field("config." #name, offsetof(SequencerState, config) + offsetof(LayerDescriptor, name), \
        sizeof(LayerDescriptor::name), width, is_signed)
  // NOLINTBEGIN(bugprone-sizeof-expression)
  SAGITTA_CONFIG(height, 16, false);
  SAGITTA_CONFIG(width, 24, false);
  SAGITTA_CONFIG(rows, 24, false);
  SAGITTA_CONFIG(columns, 24, false);
  SAGITTA_CONFIG(group_columns, 24, false);
  SAGITTA_CONFIG(origin_y, 16, true);
  SAGITTA_CONFIG(origin_x, 16, true);
  SAGITTA_CONFIG(stride_y, 16, false);
  SAGITTA_CONFIG(stride_x, 16, false);
  SAGITTA_CONFIG(span_x, 24, false);
  SAGITTA_CONFIG(span_y, 24, false);
  SAGITTA_CONFIG(dilation_y, 16, false);
  SAGITTA_CONFIG(dilation_x, 16, false);
  SAGITTA_CONFIG(kernel_h, 8, false);
  SAGITTA_CONFIG(kernel_w, 8, false);
  SAGITTA_CONFIG(tap_channels, 24, false);
  SAGITTA_CONFIG(tap_step_x, kAddressBits, true);
  SAGITTA_CONFIG(tap_step_y, kAddressBits, true);
  SAGITTA_CONFIG(origin_address, kAddressBits, true);
  SAGITTA_CONFIG(pixel_step, kAddressBits, true);
  SAGITTA_CONFIG(line_step, kAddressBits, true);
  SAGITTA_CONFIG(image_step, kAddressBits, true);
  SAGITTA_CONFIG_OF(os || is, tile_y, 24, false);
  SAGITTA_CONFIG_OF(os || is, tile_x, 24, false);
  SAGITTA_CONFIG_OF(os || is, tile_address, kAddressBits, true);
  SAGITTA_CONFIG_OF(ws || is, depth, 24, false);
  SAGITTA_CONFIG_OF(is, tile_channels, 24, false);
  SAGITTA_CONFIG_OF(is, tile_output, kAddressBits, true);
  SAGITTA_CONFIG(input_zero_point, 8, true);
  SAGITTA_CONFIG(output_zero_point, 8, true);
  SAGITTA_CONFIG(output_min, 8, true);
  SAGITTA_CONFIG(output_max, 8, true);
  SAGITTA_CONFIG(operation, 2, false);
  SAGITTA_CONFIG(raw, 1, false);
  const int map_bits = std::bit_width(static_cast<unsigned>(program_->activation_maps - 1));
  SAGITTA_CONFIG(input_map, map_bits, false);
  SAGITTA_CONFIG(second_map, map_bits, false);
  SAGITTA_CONFIG(output_map, map_bits, false);
  SAGITTA_CONFIG(tap_scale, kMantissaBits, false);
  SAGITTA_CONFIG(second_scale, kMantissaBits, false);
  SAGITTA_CONFIG(tap_shift, kShiftBits, false);
  SAGITTA_CONFIG(second_zero_point, 8, true);
  SAGITTA_CONFIG_OF(mixed_, dataflow, 2, false);
  SAGITTA_CONFIG_OF(program_->protection.has_lines(), line, 24, false);
  SAGITTA_CONFIG_OF(program_->protection.maps() > 0, map_lines, 24, false);
  SAGITTA_CONFIG_OF(program_->parameters.neuron_words > 0, image_rows, 24, false);
  SAGITTA_FIELD(phase, 4, false);
  SAGITTA_FIELD(layer, 8, false);
  SAGITTA_FIELD(weight_bank, 1, false);
  SAGITTA_FIELD(column_tile, 16, false);
  SAGITTA_FIELD(first_column, 24, false);
  SAGITTA_FIELD(group_column, 24, false);
  SAGITTA_FIELD(group_address, kAddressBits, true);
  SAGITTA_FIELD(first_row, 24, false);
  SAGITTA_FIELD(count, 24, false);
  SAGITTA_FIELD(output_address, kAddressBits, true);
  SAGITTA_FIELD(tap_y, 24, false);
  SAGITTA_FIELD(tap_x, 24, false);
  SAGITTA_FIELD(kernel_y, 8, false);
  SAGITTA_FIELD(kernel_x, 8, false);
  SAGITTA_FIELD(channel, 24, false);
  SAGITTA_FIELD(tap_address, kAddressBits, true);
  SAGITTA_FIELD_OF(os || is, weight_row, 24, false);
  SAGITTA_FIELD(walk_y, kAddressBits, true);
  SAGITTA_FIELD(walk_x, kAddressBits, true);
  SAGITTA_FIELD(walk_address, kAddressBits, true);
  SAGITTA_FIELD(pixel, 24, false);
  SAGITTA_FIELD_OF(modes, mode1, 2, false);
  SAGITTA_FIELD_OF(modes, mode2, 2, false);
  SAGITTA_FIELD_OF(os, drain1, 1, false);
  SAGITTA_FIELD_OF(os, drain2, 1, false);
  SAGITTA_FIELD_OF(os, drain_address1, kAddressBits, true);
  SAGITTA_FIELD_OF(os, drain_address2, kAddressBits, true);
  SAGITTA_FIELD_OF(!only_is || program_->parameters.tile_words > 0, param1, 1, false);
  SAGITTA_FIELD_OF(!only_is, param_lane1, 9, false);
  SAGITTA_FIELD(pool1, 5, false);
  SAGITTA_FIELD(pool2, 4, false);
  SAGITTA_FIELD(pool_address1, kAddressBits, true);
  SAGITTA_FIELD(pool_address2, kAddressBits, true);
  SAGITTA_FIELD(store1, 1, false);
  SAGITTA_FIELD_OF(ws || is, first_depth, 24, false);
  SAGITTA_FIELD_OF(ws, part_y, kAddressBits, true);
  SAGITTA_FIELD_OF(ws, part_x, kAddressBits, true);
  SAGITTA_FIELD_OF(ws, part_address, kAddressBits, true);
  SAGITTA_FIELD_OF(ws || is, load1, 1, false);
  SAGITTA_FIELD_OF(ws || is, tag1, 4, false);
  SAGITTA_FIELD_OF(overlap(), swap1, 1, false);
  SAGITTA_FIELD_OF(os && overlap(), drain_wait, 9, false);
  SAGITTA_FIELD_OF(os && overlap(), drain_left, 9, false);
  SAGITTA_FIELD_OF((ws || is) && overlap(), ahead, 9, false);
  SAGITTA_FIELD_OF(os && reruns_, retry_address, kAddressBits, true);
  // NOLINTEND(bugprone-sizeof-expression)
#undef SAGITTA_FIELD_OF
#undef SAGITTA_CONFIG_OF
#undef SAGITTA_FIELD
#undef SAGITTA_CONFIG
  const std::string position = only_is ? "control.column[]."
                               : is    ? "control.position[]."
                                       : "control.row[].";
  row_y_ = layout.pipe<std::int32_t>(position + "y", {positions_}, kAddressBits);
  row_x_ = layout.pipe<std::int32_t>(position + "x", {positions_}, kAddressBits);
  row_address_ = layout.pipe<std::int32_t>(position + "address", {positions_}, kAddressBits);
  if (ws && overlap()) {
    next_y_ = layout.pipe<std::int32_t>("control.next_row[].y", {rows_}, kAddressBits);
    next_x_ = layout.pipe<std::int32_t>("control.next_row[].x", {rows_}, kAddressBits);
    next_address_ = layout.pipe<std::int32_t>("control.next_row[].address", {rows_}, kAddressBits);
  }
  // What is issued in cycle t is in tag1 in t + 1 and aligned below the array in t + R + C + 1.
  if (array.folds()) {
    tags_ = layout.pipe<std::uint8_t>("control.tag[]", {rows_ + columns_}, 4);
  }
}

}  // namespace sagitta

#include "network/onnx_window.h"

#include <algorithm>

namespace sagitta {
namespace {

// Larger extents are mistakes, and below this no product of two of them overflows an int.
constexpr std::int64_t kLargest = 32767;

// A list attribute of `count` values, each in least..kLargest.
std::vector<std::int64_t> list(const OnnxNode& node, const OnnxConstants& constants,
                               const std::string& key, std::size_t count, std::int64_t least) {
  const auto found = node.list_attributes.find(key);
  if (found == node.list_attributes.end()) return std::vector<std::int64_t>(count, least);
  const auto& values = found->second;
  const bool in_range = std::all_of(values.begin(), values.end(), [&](std::int64_t value) {
    return value >= least && value <= kLargest;
  });
  if (values.size() != count || !in_range) {
    constants.fail(node,
                   key + " is not a list of " + std::to_string(count) + " values in " +
                       std::to_string(least) + ".." + std::to_string(kLargest),
                   "only two-dimensional maps are supported; export the model again");
  }
  return values;
}

int span(int kernel, int dilation) {
  return (kernel - 1) * dilation + 1;
}

int output_extent(int input, int pads, int kernel, int dilation, int stride) {
  const int room = input + pads - span(kernel, dilation);
  return room < 0 ? 0 : room / stride + 1;
}

// SAME: as many outputs as strides fit into the input; the odd element of padding goes to the end
// (upper) or the start (lower).
void same_padding(int input, int kernel, int dilation, int stride, bool upper, int& before,
                  int& after) {
  const int outputs = (input + stride - 1) / stride;
  const int total = std::max(0, (outputs - 1) * stride + span(kernel, dilation) - input);
  before = upper ? total / 2 : total - total / 2;
  after = total - before;
}

}  // namespace

Window window_of(const OnnxNode& node, const OnnxConstants& constants, const FeatureShape& input,
                 std::int64_t kernel_h, std::int64_t kernel_w) {
  const bool has_shape = node.list_attributes.contains("kernel_shape");
  const auto kernel = has_shape ? list(node, constants, "kernel_shape", 2, 1)
                                : std::vector<std::int64_t>{kernel_h, kernel_w};
  if (kernel[0] < 1 || kernel[1] < 1 || kernel[0] > kLargest || kernel[1] > kLargest) {
    constants.fail(node, "its kernel has an impossible shape", "export the model again");
  }
  if (kernel_h > 0 && (kernel[0] != kernel_h || kernel[1] != kernel_w)) {
    constants.fail(node, "kernel_shape differs from the shape of the weights",
                   "export the model again");
  }
  const auto strides = list(node, constants, "strides", 2, 1);
  const auto dilations = list(node, constants, "dilations", 2, 1);
  const auto pads = list(node, constants, "pads", 4, 0);
  Window w;
  w.kernel_h = static_cast<int>(kernel[0]);
  w.kernel_w = static_cast<int>(kernel[1]);
  w.stride_h = static_cast<int>(strides[0]);
  w.stride_w = static_cast<int>(strides[1]);
  w.dilation_h = static_cast<int>(dilations[0]);
  w.dilation_w = static_cast<int>(dilations[1]);

  const std::string auto_pad = node.text_or("auto_pad", "NOTSET");
  if (auto_pad == "NOTSET" || auto_pad.empty()) {
    w.pad_top = static_cast<int>(pads[0]);
    w.pad_left = static_cast<int>(pads[1]);
    w.pad_bottom = static_cast<int>(pads[2]);
    w.pad_right = static_cast<int>(pads[3]);
  } else if (auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER") {
    const bool upper = auto_pad == "SAME_UPPER";
    same_padding(input.height, w.kernel_h, w.dilation_h, w.stride_h, upper, w.pad_top,
                 w.pad_bottom);
    same_padding(input.width, w.kernel_w, w.dilation_w, w.stride_w, upper, w.pad_left, w.pad_right);
  } else if (auto_pad != "VALID") {
    constants.fail(node, "auto_pad is '" + auto_pad + "'", "use NOTSET and explicit pads");
  }
  return w;
}

FeatureShape window_output(const OnnxNode& node, const OnnxConstants& constants,
                           const FeatureShape& input, const Window& w, std::int64_t channels) {
  const int height =
      output_extent(input.height, w.pad_top + w.pad_bottom, w.kernel_h, w.dilation_h, w.stride_h);
  const int width =
      output_extent(input.width, w.pad_left + w.pad_right, w.kernel_w, w.dilation_w, w.stride_w);
  constexpr std::int64_t kMostElements = 1 << 28;
  if (height < 1 || width < 1 || channels < 1 ||
      channels > kMostElements / (std::int64_t{height} * width)) {
    constants.fail(node, "its output is empty or larger than 2^28 elements",
                   "check the input shape, the kernel and the padding");
  }
  return {height, width, static_cast<int>(channels)};
}

}  // namespace sagitta

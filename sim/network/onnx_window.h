// Windows and output shapes of ONNX convolutions and poolings.
#pragma once

#include "network/network.h"
#include "network/onnx_constants.h"

namespace sagitta {

// The window of Conv, QLinearConv or MaxPool over a map of `input` shape, from its attributes
// (strides, dilations, pads or auto_pad). For convolutions the kernel is that of the weights, and
// kernel_shape must say the same; for pooling pass 0, 0 and kernel_shape decides.
Window window_of(const OnnxNode& node, const OnnxConstants& constants, const FeatureShape& input,
                 std::int64_t kernel_h, std::int64_t kernel_w);

// The map that the window yields, with `channels` channels. Throws when nothing is left.
FeatureShape window_output(const OnnxNode& node, const OnnxConstants& constants,
                           const FeatureShape& input, const Window& window, std::int64_t channels);

}  // namespace sagitta

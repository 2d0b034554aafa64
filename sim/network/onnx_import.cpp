#include "network/onnx_import.h"

#include <filesystem>

#include "base/digest.h"
#include "network/onnx_graph.h"
#include "network/onnx_lowering.h"
#include "network/onnx_support.h"

namespace sagitta {

Network import_onnx(const std::string& path) {
  const OnnxGraph graph = read_onnx(path);
  check_supported(graph);
  Network network = OnnxLowering(graph).lower();
  network.name = std::filesystem::path(path).stem().string();
  network.digest = sha256_file(path);
  return network;
}

}  // namespace sagitta

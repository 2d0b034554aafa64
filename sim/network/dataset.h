// A network folder: network.json names the ONNX file, the preprocessing and the image sets.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "network/network.h"

namespace sagitta {

// Images already quantised to the network's input, HWC, one after the other.
struct ImageSet {
  FeatureShape shape;
  std::vector<std::int8_t> pixels;  // [count][height][width][channels]
  std::vector<int> labels;          // [count]

  int count() const { return static_cast<int>(labels.size()); }
  std::vector<std::int8_t> image(int index) const;
};

struct NetworkFolder {
  Network network;
  std::string folder;
  std::string data_digest;  // SHA-256 over the digests of the test images and labels files
  std::vector<std::string> class_names;

  std::string description_file;  // network.json
  // Loads a set on demand, `limit` images at most (0: all). Throws InputError on shape or range
  // errors, or when a label is not a class.
  ImageSet load_test(int limit = 0) const;
  ImageSet load_calibration(int limit = 0) const;

  struct Source {
    std::string images, labels;  // absolute paths
  };
  Source test, calibration;
  double pixel_scale = 1.0;
  std::vector<double> mean, std_dev;  // one entry a channel, or one for all
};

// `path` is a folder with network.json, or a description file. Throws InputError.
NetworkFolder open_network(const std::string& path);

}  // namespace sagitta

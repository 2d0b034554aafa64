// Thresholds fitted to a trained network on calibration images, and the file that carries them.
//
// Statistics describe the int32 sums on the drain path. Gradients run over the lanes of a column
// tile, circularly, as the hardware sees them, so a fit belongs to a number of columns.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "campaign/experiment.h"
#include "network/dataset.h"
#include "schedule/protection.h"

namespace sagitta {

struct LayerFit {
  std::string layer;
  Dataflow dataflow = Dataflow::os;
  std::int64_t samples = 0;  // values seen, all channels
  std::vector<double> mean;  // one entry (layer) or one a channel
  std::vector<double> deviation;
  std::vector<Bounds> bounds;
};

// One scheme's fit for one array width and the layers' dataflows.
struct ThresholdFit {
  std::string kind;
  Granularity granularity = Granularity::layer;
  double k_convolution = 0;  // gradient only
  double k_dense = 0;
  int columns = 0;
  std::vector<LayerFit> layers;
};

struct ThresholdFile {
  std::string network;
  std::string network_digest;
  std::string data_digest;  // of the calibration images file
  int images = 0;
  std::vector<ThresholdFit> fits;
};

// Fits one scheme. `sums` are computed with the integer reference executor, which the machine
// equals bit for bit.
ThresholdFit fit_thresholds(const Network& network, const ImageSet& calibration,
                            const Scheme& scheme, const ArrayShape& array);

// Every scheme of the experiment that needs thresholds, once for each array width.
ThresholdFile calibrate(const Experiment& experiment, const NetworkFolder& folder);

nlohmann::ordered_json to_json(const ThresholdFile& file);  // ends with a digest over the rest
void write_thresholds(const ThresholdFile& file, const std::string& path);
// Throws InputError when the file was changed by hand or does not belong to the network.
ThresholdFile read_thresholds(const std::string& path, const NetworkFolder& folder);

// The machine's view of a scheme without bounds: which blocks there are.
Protection blocks_of(const Scheme& scheme);
// The machine's view of a scheme. Throws InputError when the file holds no fit for it.
Protection protection_of(const Scheme& scheme, const ArrayShape& array,
                         const ThresholdFile& thresholds, const std::string& thresholds_path);

const char* to_string(Granularity granularity);
const char* to_string(Gate gate);

}  // namespace sagitta

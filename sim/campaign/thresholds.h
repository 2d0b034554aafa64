// The file that carries what is fitted on calibration images: bounds of checkers and orders of
// channels (campaign/fit.h).
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "campaign/experiment.h"
#include "campaign/fit.h"
#include "campaign/float_trial.h"
#include "network/dataset.h"
#include "schedule/protection.h"

namespace sagitta {

struct ThresholdFile {
  std::string network;
  std::string network_digest;
  std::string data_digest;  // of the calibration images file
  int images = 0;
  std::vector<OrderFit> orders;
  std::vector<ThresholdFit> fits;
  std::vector<NeighbourTable> neighbours;  // a report: nothing depends on it
  bool empty() const { return fits.empty() && orders.empty(); }
};

// What the experiment's schemes need to have fitted, each once.
std::vector<FitRequest> fit_requests(const Experiment& experiment);
ThresholdFile calibrate(const Experiment& experiment, const NetworkFolder& folder);
// How tight thresholds are, for each of the experiment's arrays.
void add_neighbours(ThresholdFile& file, const Experiment& experiment, const NetworkFolder& folder,
                    double false_positives);

// Of the calibration images as the network sees them: the file, and what is done to its pixels.
std::string calibration_digest(const NetworkFolder& folder);

nlohmann::ordered_json to_json(const ThresholdFile& file);  // ends with a digest over the rest
void write_thresholds(const ThresholdFile& file, const std::string& path);
// Throws InputError when the file was changed by hand or does not belong to the network.
ThresholdFile read_thresholds(const std::string& path, const NetworkFolder& folder);

// The machine's view of a scheme on an array, bounds included. Throws InputError when the file
// holds no fit for it.
Protection protection_of(const Scheme& scheme, const ArrayShape& array,
                         const ThresholdFile& thresholds, const std::string& thresholds_path);
// The same in real numbers: its checkers with the bounds of each layer.
std::vector<FloatCheckerPlan> float_checkers_of(const Scheme& scheme, const ArrayShape& array,
                                                const Network& network,
                                                const ThresholdFile& thresholds,
                                                const std::string& thresholds_path);
// The order of channels that the scheme asks for, by channel_groups(network); empty: the network's
// own. Throws likewise.
std::vector<ChannelOrder> orders_of(const Scheme& scheme, const ArrayShape& array,
                                    const ThresholdFile& thresholds,
                                    const std::string& thresholds_path);

// "gradient along lines, spikes (channel, 0.001 false positives)": a checker and its bounds.
std::string describe(const FitKey& key);

}  // namespace sagitta

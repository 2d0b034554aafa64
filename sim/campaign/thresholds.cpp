#include "campaign/thresholds.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/error.h"
#include "campaign/dataflows.h"
#include "machine/resilience/checker_type.h"

namespace sagitta {
namespace {

constexpr const char* kRemedy = "make the file anew: sagitta calibrate CONFIG -o FILE";

// Neighbours in lines are lanes where lanes are pixels (scheme.h); bounds of a checker without any
// need no fit.
FitKey key_of(const Scheme& scheme, std::size_t checker, const ArrayShape& array, bool floats) {
  return {scheme.blocks.checkers[checker], scheme.bounds[checker], scheme.near_order, array.columns,
          floats};
}

bool fits(const ThresholdFit& fit, const FitKey& key, const ArrayShape& array) {
  return fit.key.same(key) &&
         std::all_of(fit.layers.begin(), fit.layers.end(), [&array](const LayerFit& layer) {
           return layer.dataflow == array.dataflow_of(layer.layer);
         });
}

const ThresholdFit& fit_for(const FitKey& key, const ArrayShape& array,
                            const ThresholdFile& thresholds, const std::string& path) {
  for (const ThresholdFit& fit : thresholds.fits) {
    if (fits(fit, key, array)) return fit;
  }
  throw InputError(path, "$.fits",
                   fmt::format("holds no fit for {} with {} columns, dataflow {}", describe(key),
                               array.columns, dataflows_name(array)),
                   kRemedy);
}

}  // namespace

std::string calibration_digest(const NetworkFolder& folder) {
  std::string text =
      sha256_file(folder.calibration.images) + fmt::format(" {}", folder.pixel_scale);
  for (const auto* list : {&folder.mean, &folder.std_dev}) {
    text += " |";
    for (const double value : *list) text += fmt::format(" {}", value);
  }
  return sha256(text);
}

std::string describe(const FitKey& key) {
  const CheckerType& type = checker_type(key.checker.kind);
  std::string text(key.checker.kind.name());
  if (key.checker.position == Position::output) text += " of outputs";
  if (key.checker.axis == Axis::line) text += " along lines";
  if (key.checker.axis == Axis::map) text += " in maps";
  if (type.spike && key.checker.spike && key.checker.axis != Axis::map) text += ", spikes";
  text += fmt::format(" ({}, ", to_string(key.checker.granularity));
  switch (key.plan.fit) {
    case BoundsFit::extremes:
      text += "extremes";
      break;
    case BoundsFit::deviations:
      text += fmt::format("k = {} convolution, {} dense", key.plan.k_convolution, key.plan.k_dense);
      break;
    case BoundsFit::quantile:
      text += fmt::format("{} false positives", key.plan.false_positives);
  }
  if (key.plan.layers != LayerChoice::all) {
    text += fmt::format(", {} layers", to_string(key.plan.layers));
  }
  if (key.floats) text += ", fp32";
  return text + (key.near_order ? ", near order)" : ")");
}

std::vector<FitRequest> fit_requests(const Experiment& experiment) {
  std::vector<FitRequest> requests;
  for (const Configuration& c : experiment.configurations) {
    const Scheme scheme = for_array(c.scheme, c.array);
    for (std::size_t i = 0; i < scheme.blocks.checkers.size(); ++i) {
      if (!scheme.blocks.checkers[i].has_bounds()) continue;
      FitRequest request{key_of(scheme, i, c.array, c.fault.of_floats()), c.array};
      const bool known =
          std::any_of(requests.begin(), requests.end(), [&request](const FitRequest& other) {
            return other.key.same(request.key) && other.array.dataflow == request.array.dataflow &&
                   other.array.layer_dataflows == request.array.layer_dataflows;
          });
      if (!known) requests.push_back(std::move(request));
    }
  }
  return requests;
}

ThresholdFile calibrate(const Experiment& experiment, const NetworkFolder& folder) {
  ThresholdFile file;
  file.network = folder.network.name;
  file.network_digest = folder.network.digest;
  const auto needs = [](const Configuration& c) { return c.scheme.needs_calibration(); };
  if (std::none_of(experiment.configurations.begin(), experiment.configurations.end(), needs)) {
    return file;
  }
  const ImageSet images = folder.load_calibration(experiment.calibration_images);
  file.data_digest = calibration_digest(folder);
  file.images = images.count();
  std::vector<int> widths;
  for (const Configuration& c : experiment.configurations) {
    const int columns = c.array.columns;
    const bool known = std::find(widths.begin(), widths.end(), columns) != widths.end();
    if (c.scheme.near_order && !known) widths.push_back(columns);
  }
  file.orders = fit_orders(folder.network, images, widths);
  std::vector<FitRequest> integers, floats;
  for (const FitRequest& r : fit_requests(experiment)) {
    (r.key.floats ? floats : integers).push_back(r);
  }
  if (!integers.empty()) file.fits = fit_bounds(folder.network, images, integers, file.orders);
  if (!floats.empty()) {
    const auto more = fit_float_bounds(folder.network, images, floats, file.orders);
    file.fits.insert(file.fits.end(), more.begin(), more.end());
  }
  return file;
}

void add_neighbours(ThresholdFile& file, const Experiment& experiment, const NetworkFolder& folder,
                    double false_positives) {
  const ImageSet images = folder.load_calibration(experiment.calibration_images);
  std::vector<ArrayShape> arrays;
  std::vector<int> widths;
  for (const Configuration& c : experiment.configurations) {
    if (std::find(arrays.begin(), arrays.end(), c.array) == arrays.end()) arrays.push_back(c.array);
    if (std::find(widths.begin(), widths.end(), c.array.columns) == widths.end()) {
      widths.push_back(c.array.columns);
    }
  }
  const std::vector<OrderFit> orders = fit_orders(folder.network, images, widths);
  for (const ArrayShape& array : arrays) {
    file.neighbours.push_back(
        fit_neighbours(folder.network, images, array, false_positives, orders));
  }
}

Protection protection_of(const Scheme& asked, const ArrayShape& array,
                         const ThresholdFile& thresholds, const std::string& thresholds_path) {
  const Scheme scheme = for_array(asked, array);
  Protection p = scheme.blocks;
  for (std::size_t i = 0; i < p.checkers.size(); ++i) {
    if (!p.checkers[i].has_bounds()) continue;
    const FitKey key = key_of(scheme, i, array, false);
    for (const LayerFit& layer : fit_for(key, array, thresholds, thresholds_path).layers) {
      p.checkers[i].layers.push_back({layer.layer, layer.bounds});
    }
  }
  return p;
}

std::vector<FloatCheckerPlan> float_checkers_of(const Scheme& asked, const ArrayShape& array,
                                                const Network& network,
                                                const ThresholdFile& thresholds,
                                                const std::string& thresholds_path) {
  const Scheme scheme = for_array(asked, array);
  std::vector<FloatCheckerPlan> checkers;
  for (std::size_t i = 0; i < scheme.blocks.checkers.size(); ++i) {
    FloatCheckerPlan& plan = checkers.emplace_back();
    plan.checker = scheme.blocks.checkers[i];
    if (!plan.checker.has_bounds()) continue;
    const FitKey key = key_of(scheme, i, array, true);
    const ThresholdFit& fit = fit_for(key, array, thresholds, thresholds_path);
    auto layer = fit.layers.begin();
    for (const Layer& l : network.layers) {
      plan.bounds.emplace_back();
      if (l.kind == LayerKind::gemm) plan.bounds.back() = (layer++)->float_bounds;
    }
  }
  return checkers;
}

std::vector<ChannelOrder> orders_of(const Scheme& scheme, const ArrayShape& array,
                                    const ThresholdFile& thresholds,
                                    const std::string& thresholds_path) {
  if (!scheme.near_order) return {};
  for (const OrderFit& order : thresholds.orders) {
    if (order.columns == array.columns) return order.orders;
  }
  throw InputError(thresholds_path, "$.orders",
                   fmt::format("holds no order of channels for {} columns", array.columns),
                   kRemedy);
}

}  // namespace sagitta

// Thresholds: fitted to formulas, carried by a file that belongs to its network.
#include "campaign/thresholds.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <stdexcept>
#include <tuple>

#include "base/error.h"
#include "base/file.h"
#include "machine/machine.h"
#include "network/reference.h"
#include "support/random_network.h"
#include "support/temporary_folder.h"

namespace sagitta {
namespace {

const std::string kLenet = std::string(SAGITTA_SOURCE_DIR) + "/models/lenet5-mnist";

Scheme scheme(const nlohmann::json& object) {
  return scheme_from(object, [](const std::string& key, const std::string& problem,
                                const std::string&) { throw std::runtime_error(key + problem); });
}
Scheme gradient() {
  return scheme({{"kind", "gradient"}});
}
ThresholdFit fit_of(const Network& network, const ImageSet& images, const Scheme& scheme,
                    const ArrayShape& array, std::size_t checker = 0) {
  const Scheme here = for_array(scheme, array);
  const FitKey key{here.blocks.checkers.at(checker), here.bounds.at(checker), here.near_order,
                   array.columns};
  std::vector<OrderFit> orders;
  if (here.near_order) orders = fit_orders(network, images, {array.columns});
  return fit_bounds(network, images, {{key, array}}, orders).at(0);
}

TEST(Schemes, OfCopiesAreBlocks) {
  const auto of = [](const std::string& kind) {
    return scheme({{"kind", kind}, {"name", "mine"}}).blocks;
  };
  const auto copies = [](PeCopies pe, int arrays) {
    Protection p;
    p.name = "mine";
    p.pe_copies = pe;
    p.arrays = arrays;
    return p;
  };
  EXPECT_EQ(of("none"), copies(PeCopies::none, 1));
  EXPECT_EQ(of("tmr-pe"), copies(PeCopies::all, 1));
  EXPECT_EQ(of("tmr-reg"), copies(PeCopies::registers, 1));
  EXPECT_EQ(of("tmr-array"), copies(PeCopies::none, 3));
  EXPECT_EQ(of("dmr"), copies(PeCopies::none, 2));
  Protection again = copies(PeCopies::none, 2);
  again.retries = 1;
  EXPECT_EQ(of("dmr-recompute"), again);
  Protection thrice = copies(PeCopies::none, 1);
  thrice.passes = 3;
  EXPECT_EQ(of("tmr-time"), thrice);
  Protection columns = copies(PeCopies::none, 1);
  columns.checksum = columns.column_checksum = columns.correct = true;
  EXPECT_EQ(of("checksum-correct"), columns);
  columns.retries = 1;
  EXPECT_EQ(scheme({{"kind", "checksum-correct"}, {"name", "mine"}, {"retries", 1}}).blocks,
            columns);
  const Scheme gated = scheme({{"kind", "median"}, {"gate", "row-column"}});
  EXPECT_TRUE(gated.blocks.column_checksum && gated.blocks.checksum && !gated.blocks.correct);
  EXPECT_EQ(gated.blocks.checkers.at(0).gate, Gate::cell);
}

TEST(Thresholds, GradientBoundsAreMeanPlusMinusKDeviations) {
  test::Random random(1);
  Network network;
  network.input = {3, 3, 2};
  network.layers.push_back(test::random_gemm(random, network.input, false));
  while (network.layers[0].columns() < 5)
    network.layers[0] = test::random_gemm(random, network.input, false);
  ImageSet images;
  images.shape = network.input;
  images.pixels = random.int8s(20 * network.input.elements());
  images.labels.assign(20, 0);
  const int columns = 4;
  const ThresholdFit fit = fit_of(network, images, gradient(), {1, columns});

  // Two-pass double arithmetic over the same differences, circular within each column tile.
  std::vector<double> values;
  for (int i = 0; i < images.count(); ++i) {
    const auto sums = run_network(network, images.image(i))[0].sums;
    const int n = network.layers[0].columns();
    for (int m = 0; m < network.layers[0].rows(); ++m) {
      for (int first = 0; first < n; first += columns) {
        const int lanes = std::min(columns, n - first);
        for (int c = 0; c < lanes && lanes >= 3; ++c) {
          values.push_back(static_cast<double>(sums[static_cast<std::size_t>(m * n + first + c)]) -
                           sums[static_cast<std::size_t>(m * n + first + (c + lanes - 1) % lanes)]);
        }
      }
    }
  }
  double mean = 0;
  for (const double v : values) mean += v / static_cast<double>(values.size());
  double variance = 0;
  for (const double v : values)
    variance += (v - mean) * (v - mean) / static_cast<double>(values.size());
  ASSERT_EQ(fit.layers.size(), 1U);
  EXPECT_EQ(fit.layers[0].samples, static_cast<std::int64_t>(values.size()));
  EXPECT_NEAR(fit.layers[0].mean[0], mean, 1e-6 * std::sqrt(variance));
  EXPECT_NEAR(fit.layers[0].deviation[0], std::sqrt(variance), 1e-6 * std::sqrt(variance));
  EXPECT_EQ(fit.layers[0].bounds[0].low,
            std::floor(fit.layers[0].mean[0] - 6 * fit.layers[0].deviation[0]));
  EXPECT_EQ(fit.layers[0].bounds[0].high,
            std::ceil(fit.layers[0].mean[0] + 6 * fit.layers[0].deviation[0]));
}

// One input of 1, so that the sums are the weights. Seven channels on four columns: the second tile
// has three lanes. Six: it has two, which the checker cannot judge, so nothing is learnt from them.
TEST(Thresholds, GradientLeavesTilesOfTwoLanesOut) {
  const std::vector<std::int8_t> weights = {10, 20, 30, 40, 5, 9, 4};
  const auto fit = [&](int channels) {
    Network network;
    network.input = {1, 1, 1};
    Layer layer;
    layer.name = "dense";
    layer.input = network.input;
    layer.output = {1, 1, channels};
    layer.weights.assign(weights.begin(), weights.begin() + channels);
    layer.bias.assign(static_cast<std::size_t>(channels), 0);
    layer.scale.assign(static_cast<std::size_t>(channels), to_fixed_scale(1.0F, "test"));
    network.layers.push_back(layer);
    ImageSet images;
    images.shape = network.input;
    images.pixels = {1};
    images.labels = {0};
    const Scheme by_channel = scheme({{"kind", "gradient"}, {"granularity", "channel"}});
    return fit_of(network, images, by_channel, {1, 4}).layers.at(0);
  };
  const LayerFit seven = fit(7);
  EXPECT_EQ(seven.samples, 7);
  EXPECT_EQ(seven.mean, (std::vector<double>{-30, 10, 10, 10, 1, 4, -5}));
  const LayerFit six = fit(6);
  EXPECT_EQ(six.samples, 4);
  EXPECT_EQ(six.mean, (std::vector<double>{-30, 10, 10, 10, 0, 0}));
  for (const std::size_t channel : {4U, 5U}) {
    EXPECT_EQ(six.bounds[channel], Bounds{}) << "open";
    EXPECT_NE(seven.bounds[channel], Bounds{});
  }
}

class ThresholdFiles : public testing::Test {
 protected:
  ThresholdFiles() : folder_(open_network(kLenet)), path_(temporary_ / "t.json") {
    experiment_.calibration_images = 20;
    Configuration c;
    c.scheme = gradient();
    experiment_.configurations.push_back(c);
  }
  std::string error_of_reading() {
    try {
      read_thresholds(path_, folder_);
    } catch (const InputError& e) {
      return e.what();
    }
    return "";
  }
  test::TemporaryFolder temporary_;
  NetworkFolder folder_;
  std::string path_;
  Experiment experiment_;
};

TEST_F(ThresholdFiles, RoundTrip) {
  const ThresholdFile file = calibrate(experiment_, folder_);
  write_thresholds(file, path_);
  EXPECT_EQ(to_json(read_thresholds(path_, folder_)), to_json(file));
  const Protection p = protection_of(gradient(), ArrayShape{16, 16}, file, path_);
  EXPECT_TRUE(p.checksum);
  EXPECT_EQ(p.checkers.at(0).layers.size(), 5U);
}

TEST_F(ThresholdFiles, ChangedFileIsRefused) {
  write_thresholds(calibrate(experiment_, folder_), path_);
  std::string text = read_file(path_);
  const std::size_t at = text.find("\"samples\"");
  text.replace(text.find_first_of("123456789", at), 1, "7");
  write_file(path_, text + " ");
  EXPECT_NE(error_of_reading().find("does not match its digest"), std::string::npos);
}

TEST_F(ThresholdFiles, OtherNetworkIsRefused) {
  write_thresholds(calibrate(experiment_, folder_), path_);
  folder_.network.digest = "other";
  EXPECT_NE(error_of_reading().find("fitted to network"), std::string::npos);
}

TEST_F(ThresholdFiles, OtherDataIsRefused) {
  write_thresholds(calibrate(experiment_, folder_), path_);
  folder_.calibration.images = folder_.test.images;
  EXPECT_NE(error_of_reading().find("other calibration images"), std::string::npos);
}

TEST_F(ThresholdFiles, OtherSchemeOrWidthIsRefused) {
  const ThresholdFile file = calibrate(experiment_, folder_);
  const Scheme other = scheme({{"kind", "gradient"}, {"k_dense", 5}});
  EXPECT_THROW(protection_of(other, ArrayShape{16, 16}, file, path_), InputError);
  EXPECT_THROW(protection_of(gradient(), ArrayShape{16, 8}, file, path_), InputError);
  EXPECT_THROW(protection_of(gradient(), ArrayShape{16, 16, Dataflow::ws}, file, path_),
               InputError);
}

// A mixture's layers are fitted as each is worked off, and the file says how.
TEST_F(ThresholdFiles, AMixtureIsFittedLayerByLayer) {
  const ArrayShape mixture{16, 16, Dataflow::os, false, {{"conv2", Dataflow::is}}};
  experiment_.configurations[0].array = mixture;
  const ThresholdFile file = calibrate(experiment_, folder_);
  const ImageSet images = folder_.load_calibration(experiment_.calibration_images);
  ASSERT_EQ(file.fits.size(), 1U);
  const auto fit = [&](Dataflow dataflow) {
    return fit_of(folder_.network, images, gradient(), ArrayShape{16, 16, dataflow});
  };
  const ThresholdFit os = fit(Dataflow::os);
  const ThresholdFit is = fit(Dataflow::is);
  for (std::size_t i = 0; i < os.layers.size(); ++i) {
    const bool other = os.layers[i].layer == "conv2";
    EXPECT_EQ(file.fits[0].layers[i].bounds, (other ? is : os).layers[i].bounds);
    EXPECT_TRUE(!other || os.layers[i].bounds != is.layers[i].bounds) << "neighbours are others";
  }
  const auto json = to_json(file)["fits"][0];
  EXPECT_FALSE(json.contains("dataflow"));
  EXPECT_EQ(json["layers"][0]["dataflow"], "os");
  EXPECT_EQ(json["layers"][1]["dataflow"], "is");
  write_thresholds(file, path_);
  const ThresholdFile again = read_thresholds(path_, folder_);
  EXPECT_EQ(to_json(again), to_json(file));
  EXPECT_EQ(protection_of(gradient(), mixture, again, path_).checkers.at(0).layers.size(), 5U);
  EXPECT_THROW(protection_of(gradient(), ArrayShape{16, 16}, again, path_), InputError);
  EXPECT_THROW(protection_of(gradient(), ArrayShape{16, 16, Dataflow::is}, again, path_),
               InputError);
  // The same dataflows, said otherwise.
  const ArrayShape same{16,
                        16,
                        Dataflow::is,
                        false,
                        {{"conv1", Dataflow::os},
                         {"fc1", Dataflow::os},
                         {"fc2", Dataflow::os},
                         {"fc3", Dataflow::os}}};
  EXPECT_EQ(protection_of(gradient(), same, again, path_).checkers.at(0).layers.size(), 5U);
}

TEST_F(ThresholdFiles, GarbageIsRefused) {
  for (const char* text :
       {"", "{", "[]", "{\"format\": 3}", "{\"format\": \"sagitta-thresholds/2\"}"}) {
    write_file(path_, text);
    EXPECT_NE(error_of_reading(), "") << text;
  }
}

TEST(Data, CalibrationAndTestImagesAreDisjoint) {
  for (const char* name : {"lenet5-mnist", "resnet8-fashion", "mlp-mnist"}) {
    const NetworkFolder folder = open_network(std::string(SAGITTA_SOURCE_DIR) + "/models/" + name);
    const ImageSet test = folder.load_test();
    const ImageSet calibration = folder.load_calibration();
    std::set<std::vector<std::int8_t>> seen;
    for (int i = 0; i < test.count(); ++i) seen.insert(test.image(i));
    EXPECT_GE(calibration.count(), 500) << name;
    for (int i = 0; i < calibration.count(); ++i) {
      EXPECT_EQ(seen.count(calibration.image(i)), 0U) << name << ", calibration image " << i;
    }
  }
}

// Random networks, and what the fits must be by formula.
class Fits : public testing::Test {
 protected:
  Fits() {
    test::Random random(7);
    network_.input = {5, 6, 3};
    do {
      network_.layers = {test::random_gemm(random, network_.input, false)};
    } while (network_.layers[0].columns() < 6 || network_.layers[0].output.width < 4 ||
             network_.layers[0].groups != 1);
    images_.shape = network_.input;
    images_.pixels = random.int8s(30 * network_.input.elements());
    images_.labels.assign(30, 0);
  }
  const Layer& layer() const { return network_.layers[0]; }
  // sums[image][pixel][channel]
  std::vector<std::int32_t> sums(int image) const {
    return run_network(network_, images_.image(image))[0].sums;
  }
  Network network_;
  ImageSet images_;
};

TEST_F(Fits, ExtremesAreTheLeastAndTheLargest) {
  for (const char* granularity : {"layer", "channel", "neuron"}) {
    const Scheme range = scheme({{"kind", "range-zero"}, {"granularity", granularity}});
    const LayerFit fit = fit_of(network_, images_, range, {4, 4}).layers.at(0);
    std::vector<Bounds> expected(fit.bounds.size(), {INT32_MAX, INT32_MIN});
    const int n = layer().columns();
    const std::size_t counts[] = {1, static_cast<std::size_t>(n), sums(0).size()};
    EXPECT_EQ(expected.size(), counts[granularity[0] == 'n' ? 2 : granularity[0] == 'c' ? 1 : 0]);
    for (int i = 0; i < images_.count(); ++i) {
      const auto y = sums(i);
      for (std::size_t at = 0; at < y.size(); ++at) {
        Bounds& b = expected[at % expected.size()];
        b = {std::min(b.low, y[at]), std::max(b.high, y[at])};
      }
    }
    EXPECT_EQ(fit.bounds, expected);
    EXPECT_EQ(fit.blamed, 0);
    EXPECT_EQ(fit.k, 0);
  }
}

// Along lines with the spike rule: a neuron between two others is blamed when it lies further from
// both than k deviations, on the same side.
TEST_F(Fits, AQuantileBlamesNoMoreThanItsShareAndIsTheLeastThatDoes) {
  const int n = layer().columns();
  const int width = layer().output.width;
  for (const double share : {0.3, 0.05, 1e-6}) {
    const Scheme chain = scheme({{"kind", "chain"},
                                 {"checkers",
                                  {{{"kind", "gradient"},
                                    {"axis", "line"},
                                    {"rule", "spike"},
                                    {"bounds", "quantile"},
                                    {"false_positives", share}}}}});
    const LayerFit fit = fit_of(network_, images_, chain, {4, 4}).layers.at(0);
    std::vector<double> peaks;  // how far out a neuron stands, 0: no spike
    std::int64_t judged = 0;
    for (int i = 0; i < images_.count(); ++i) {
      const auto y = sums(i);
      const int pixels = static_cast<int>(y.size()) / n;
      for (int m = 0; m < pixels; ++m) {
        if (m % width == 0 || m % width == width - 1) continue;
        for (int c = 0; c < n; ++c) {
          ++judged;
          const auto at = static_cast<std::size_t>(m * n + c);
          const double in = y[at] - static_cast<double>(y[at - static_cast<std::size_t>(n)]);
          const double out = y[at + static_cast<std::size_t>(n)] - static_cast<double>(y[at]);
          const double a = (in - fit.mean[0]) / fit.deviation[0];
          const double b = (out - fit.mean[0]) / fit.deviation[0];
          if (a * b < 0) peaks.push_back(std::min(std::abs(a), std::abs(b)));
        }
      }
    }
    std::sort(peaks.rbegin(), peaks.rend());
    const auto allowed = static_cast<std::size_t>(share * static_cast<double>(judged));
    ASSERT_LT(allowed, peaks.size());
    EXPECT_EQ(fit.samples, judged);
    EXPECT_NEAR(fit.k, peaks[allowed], 1e-9);
    EXPECT_LE(fit.blamed, static_cast<std::int64_t>(allowed));
    EXPECT_GE(fit.blamed, static_cast<std::int64_t>(allowed) - 3) << "bounds are whole numbers";
  }
}

// In maps: the third largest difference to the neighbours above, or the third smallest below.
TEST_F(Fits, InMapsTheThirdDifferenceIsFitted) {
  const int n = layer().columns(), width = layer().output.width, height = layer().output.height;
  const auto differences = [&](const std::vector<std::int32_t>& y, int at) {
    std::vector<double> d;
    const int x = at / n % width, line = at / n / width;
    const auto look = [&](bool there, int step) {
      if (there) {
        d.push_back(y[static_cast<std::size_t>(at)] -
                    static_cast<double>(y[static_cast<std::size_t>(at + step)]));
      }
    };
    look(x > 0, -n);
    look(x < width - 1, n);
    look(line > 0, -n * width);
    look(line < height - 1, n * width);
    std::sort(d.begin(), d.end());
    return d;
  };
  std::vector<std::vector<double>> all;
  double squares = 0;
  std::int64_t count = 0;
  for (int i = 0; i < images_.count(); ++i) {
    const auto y = sums(i);
    for (int at = 0; at < static_cast<int>(y.size()); ++at) {
      all.push_back(differences(y, at));
      if (all.back().size() < 3) {
        all.pop_back();
        continue;
      }
      for (const double d : all.back()) squares += d * d;
      count += static_cast<std::int64_t>(all.back().size());
    }
  }
  const auto fit = [&](const nlohmann::json& bounds) {
    nlohmann::json checker = {{"kind", "gradient"}, {"axis", "map"}};
    checker.update(bounds);
    const Scheme chain = scheme({{"kind", "chain"}, {"checkers", {checker}}});
    return fit_of(network_, images_, chain, {4, 4}).layers.at(0);
  };
  const LayerFit extremes = fit({{"bounds", "extremes"}});
  double low = 0, high = 0;
  for (const auto& d : all) {
    high = std::max(high, d[d.size() - 3]);
    low = std::min(low, d[2]);
  }
  EXPECT_EQ(extremes.bounds.at(0),
            (Bounds{static_cast<std::int32_t>(low), static_cast<std::int32_t>(high)}));
  EXPECT_EQ(extremes.blamed, 0);
  EXPECT_EQ(extremes.samples, static_cast<std::int64_t>(all.size()));

  for (const double share : {0.3, 0.05, 1e-6}) {
    const LayerFit quantile = fit({{"bounds", "quantile"}, {"false_positives", share}});
    const double mean = quantile.mean.at(0), deviation = quantile.deviation.at(0);
    EXPECT_NEAR(deviation, std::sqrt(squares / static_cast<double>(count) - mean * mean), 1e-6);
    std::vector<double> scores;
    for (const auto& d : all) {
      scores.push_back(std::max((d[d.size() - 3] - mean) / deviation, (mean - d[2]) / deviation));
    }
    std::sort(scores.rbegin(), scores.rend());
    const auto allowed = static_cast<std::size_t>(share * static_cast<double>(all.size()));
    ASSERT_LT(allowed, scores.size());
    EXPECT_NEAR(quantile.k, scores[allowed], 1e-9);
    EXPECT_LE(quantile.blamed, static_cast<std::int64_t>(allowed));
    EXPECT_GE(quantile.blamed, static_cast<std::int64_t>(allowed) - 3) << "whole numbers";
  }
}

// sigma_G^2 = 2 sigma_Y^2 (1 - rho) for neighbours with the same deviation; here, straight from
// both definitions.
TEST_F(Fits, TheTableOfNeighboursHasTheRatiosOfItsDeviations) {
  const ArrayShape array{4, 4};
  const auto orders = fit_orders(network_, images_, {4});
  const NeighbourTable table = fit_neighbours(network_, images_, array, 0.01, orders);
  ASSERT_EQ(table.fits.size(), 2U * 8) << "of sums, then of outputs";
  const int n = layer().columns();
  const auto ratio_of = [&](Position position) {
    double sum = 0, squares = 0, steps = 0, step_squares = 0;
    std::int64_t values = 0, pairs = 0;
    for (int i = 0; i < images_.count(); ++i) {
      const auto layer_values = run_network(network_, images_.image(i))[0];
      std::vector<std::int32_t> y = layer_values.sums;
      if (position == Position::output) {
        y.assign(layer_values.output.begin(), layer_values.output.end());
      }
      for (const std::int32_t v : y) {
        sum += v;
        squares += static_cast<double>(v) * v;
        ++values;
      }
      const int width = layer().output.width;
      for (int at = 0; at < static_cast<int>(y.size()); ++at) {
        if (at / n % width == 0 || at / n % width == width - 1) continue;
        const double step = y[static_cast<std::size_t>(at)] -
                            static_cast<double>(y[static_cast<std::size_t>(at - n)]);
        steps += step;
        step_squares += step * step;
        ++pairs;
      }
    }
    const auto deviation = [](double s, double q, std::int64_t count) {
      const auto k = static_cast<double>(count);
      return std::sqrt(q / k - s / k * (s / k));
    };
    return deviation(steps, step_squares, pairs) / deviation(sum, squares, values);
  };
  const double of_sums = ratio_of(Position::sum), of_outputs = ratio_of(Position::output);
  EXPECT_NE(of_sums, of_outputs);
  for (const NeighbourFit& f : table.fits) {
    if (f.neighbours == "none") {
      EXPECT_DOUBLE_EQ(f.sigma_ratio, 1);
    } else if (f.neighbours == "line") {
      EXPECT_NEAR(f.sigma_ratio, f.position == Position::sum ? of_sums : of_outputs, 1e-9);
    }
    EXPECT_DOUBLE_EQ(f.threshold, f.k * f.sigma_ratio);
  }
  const auto of = [&](const std::string& neighbours, const std::string& rule) {
    for (const NeighbourFit& f : table.fits) {
      if (f.neighbours == neighbours && f.rule == rule) return f;
    }
    throw std::runtime_error("missing");
  };
  EXPECT_LE(of("lanes in near order", "both").sigma_ratio, of("lanes", "both").sigma_ratio);
  for (const char* neighbours : {"lanes", "line", "lanes in near order"}) {
    EXPECT_LE(of(neighbours, "spike").k, of(neighbours, "both").k) << "fewer are blamed";
  }
}

// The machine's checker acts on as many fault-free neurons as the fit says that it does.
TEST_F(Fits, TheMachineSuppressesWhatTheFitBlames) {
  using Case = std::tuple<Dataflow, const char*, const char*, const char*>;
  for (const auto& [dataflow, axis, order, granularity] :
       {Case{Dataflow::os, "lanes", "natural", "channel"},
        Case{Dataflow::os, "lanes", "near", "channel"},
        Case{Dataflow::ws, "lanes", "natural", "channel"},
        Case{Dataflow::ws, "lanes", "near", "channel"},
        Case{Dataflow::is, "lanes", "natural", "channel"},
        Case{Dataflow::is, "lanes", "near", "channel"},
        Case{Dataflow::os, "map", "natural", "channel"},
        Case{Dataflow::ws, "map", "near", "channel"},
        Case{Dataflow::is, "map", "natural", "channel"},
        Case{Dataflow::os, "lanes", "natural", "neuron"},
        Case{Dataflow::ws, "lanes", "near", "neuron"}}) {
    const ArrayShape array{3, 4, dataflow};
    {
      const Scheme chain = for_array(scheme({{"kind", "chain"},
                                             {"order", order},
                                             {"checkers",
                                              {{{"kind", "gradient"},
                                                {"axis", axis},
                                                {"granularity", granularity},
                                                {"rule", "spike"},
                                                {"bounds", "quantile"},
                                                {"false_positives", 0.2}}}}}),
                                     array);
      ThresholdFile file;
      if (chain.near_order) file.orders = fit_orders(network_, images_, {array.columns});
      file.fits.push_back(fit_of(network_, images_, chain, array));
      const auto orders = orders_of(chain, array, file, "");
      const Network network = orders.empty() ? network_ : reordered(network_, orders);
      const Program program =
          compile(network, array, {}, protection_of(chain, array, file, ""), "");
      Machine machine(program);
      std::int64_t suppressed = 0;
      for (int i = 0; i < images_.count(); ++i) {
        const auto pixels = images_.image(i);
        machine.reset(pixels.data());
        ASSERT_TRUE(machine.run(1'000'000));
        suppressed += static_cast<std::int64_t>(machine.suppressions().size());
      }
      EXPECT_GT(suppressed, 20);
      EXPECT_EQ(suppressed, file.fits[0].layers[0].blamed)
          << to_string(dataflow) << axis << order << granularity;
    }
  }
}

TEST_F(ThresholdFiles, TheTunedUnitHasItsOrderAndEveryBound) {
  experiment_.configurations[0].scheme = scheme({{"kind", "gradient-tuned"}});
  const ThresholdFile file = calibrate(experiment_, folder_);
  ASSERT_EQ(file.orders.size(), 1U);
  ASSERT_EQ(file.fits.size(), 3U);
  // Convolutions have spikes along lines, dense layers among channels.
  for (const auto& [fit, convolution, dense] :
       {std::tuple{0, true, true}, std::tuple{1, true, false}, std::tuple{2, false, true}}) {
    for (const LayerFit& l : file.fits[static_cast<std::size_t>(fit)].layers) {
      const bool fitted = l.layer.starts_with("conv") ? convolution : dense;
      EXPECT_EQ(l.samples > 0, fitted) << fit << " " << l.layer;
      EXPECT_EQ(std::count(l.bounds.begin(), l.bounds.end(), Bounds{}) == 0, fitted);
    }
  }
  write_thresholds(file, path_);
  const ThresholdFile again = read_thresholds(path_, folder_);
  EXPECT_EQ(to_json(again), to_json(file));
  const Scheme& tuned = experiment_.configurations[0].scheme;
  const Protection p = protection_of(tuned, ArrayShape{}, again, path_);
  ASSERT_EQ(p.checkers.size(), 3U);
  EXPECT_EQ(p.checkers[1].axis, Axis::line);
  // In maps it is another fit, which the file says.
  const Scheme in_maps = scheme({{"kind", "gradient-tuned"}, {"axis", "map"}});
  EXPECT_THROW(protection_of(in_maps, ArrayShape{}, again, path_), InputError);
  experiment_.configurations[0].scheme = in_maps;
  const ThresholdFile maps = calibrate(experiment_, folder_);
  write_thresholds(maps, path_);
  EXPECT_EQ(to_json(read_thresholds(path_, folder_)), to_json(maps));
  EXPECT_EQ(
      protection_of(in_maps, ArrayShape{}, read_thresholds(path_, folder_), path_).checkers[1].axis,
      Axis::map);
  const Network network = reordered(folder_.network, orders_of(tuned, ArrayShape{}, again, path_));
  const auto image = folder_.load_test(1).image(0);
  EXPECT_EQ(run_network(network, image).back().output,
            run_network(folder_.network, image).back().output);
  EXPECT_NE(network.layers[0].weights, folder_.network.layers[0].weights);
  EXPECT_THROW(orders_of(tuned, ArrayShape{16, 8}, again, path_), InputError);
}

}  // namespace
}  // namespace sagitta

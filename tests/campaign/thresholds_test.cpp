// Thresholds: fitted to formulas, carried by a file that belongs to its network.
#include "campaign/thresholds.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "network/reference.h"
#include "support/random_network.h"
#include "support/temporary_folder.h"

namespace sagitta {
namespace {

const std::string kLenet = std::string(SAGITTA_SOURCE_DIR) + "/models/lenet5-mnist";

Scheme gradient() {
  Scheme s;
  s.kind = s.name = "gradient";
  s.gate = Gate::row;
  return s;
}

TEST(Schemes, OfCopiesAreBlocks) {
  const auto of = [](const std::string& kind) {
    Scheme s;
    s.kind = kind;
    s.name = "mine";
    return blocks_of(s);
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
  const ThresholdFit fit = fit_thresholds(network, images, gradient(), {1, columns});

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
    Scheme scheme = gradient();
    scheme.granularity = Granularity::channel;
    return fit_thresholds(network, images, scheme, {1, 4}).layers.at(0);
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
  Scheme other = gradient();
  other.k_dense = 5;
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
    return fit_thresholds(folder_.network, images, gradient(), ArrayShape{16, 16, dataflow});
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
       {"", "{", "[]", "{\"format\": 3}", "{\"format\": \"sagitta-thresholds/1\"}"}) {
    write_file(path_, text);
    EXPECT_NE(error_of_reading(), "") << text;
  }
}

TEST(Data, CalibrationAndTestImagesAreDisjoint) {
  const NetworkFolder folder = open_network(kLenet);
  const ImageSet test = folder.load_test();
  const ImageSet calibration = folder.load_calibration();
  std::set<std::vector<std::int8_t>> seen;
  for (int i = 0; i < test.count(); ++i) seen.insert(test.image(i));
  for (int i = 0; i < calibration.count(); ++i) {
    EXPECT_EQ(seen.count(calibration.image(i)), 0U) << "calibration image " << i;
  }
}

}  // namespace
}  // namespace sagitta

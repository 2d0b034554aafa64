// Workload files: the shapes that follow from them, what is wrong with them, and the layer lists in
// traces/workloads against published counts.
#include <gtest/gtest.h>

#include "base/error.h"
#include "campaign/workload_file.h"
#include "support/temporary_folder.h"

namespace sagitta {
namespace {

class WorkloadFiles : public ::testing::Test {
 protected:
  WorkloadFile read(const std::string& text) const {
    return read_workload(folder_.write("w.json", text));
  }
  // A workload of a 9 x 8 x 6 input and these layers.
  WorkloadFile layers(const std::string& list) const {
    return read(R"({"name": "w", "input": [9, 8, 6], "layers": [)" + list + "]}");
  }
  template <typename Work>
  static void refuses(Work work, const std::string& where, const std::vector<std::string>& parts) {
    try {
      work();
      ADD_FAILURE() << "accepted";
    } catch (const InputError& e) {
      EXPECT_EQ(e.where(), where) << e.what();
      for (const std::string& part : parts) {
        EXPECT_NE(std::string(e.what()).find(part), std::string::npos)
            << "no \"" << part << "\" in: " << e.what();
      }
    }
  }
  void layers_refuse(const std::string& list, const std::string& where,
                     const std::vector<std::string>& parts) const {
    refuses([&] { layers(list); }, where, parts);
  }

  test::TemporaryFolder folder_;
};

const std::string kConv = R"({"name": "c", "kind": "convolution", "filters": 4, "kernel": 3})";

TEST_F(WorkloadFiles, ShapesFollowFromLayerToLayer) {
  const Workload w =
      layers(
          R"({"name": "c", "kind": "convolution", "filters": 10, "kernel": [3, 2], "stride": [2, 3],
          "dilation": [2, 1], "padding": [1, 0, 2, 3], "groups": 2},
         {"name": "m", "kind": "max_pool", "kernel": 2, "stride": 2, "padding": [0, 1]},
         {"name": "p", "kind": "convolution", "filters": 6, "kernel": 1, "from": "input"},
         {"name": "s", "kind": "add", "with": "input"},
         {"name": "g", "kind": "average_pool"},
         {"name": "d", "kind": "dense", "filters": 7, "from": "m"})")
          .workload;
  // (9 + 1 + 2 - 2 (3 - 1) - 1) / 2 + 1 = 4 and (8 + 3 - 1 - 1) / 3 + 1 = 4.
  EXPECT_EQ(w.layers[0].output, (FeatureShape{4, 4, 10}));
  EXPECT_EQ(w.layers[0].depth(), 3 * 2 * 3);
  EXPECT_EQ(w.layers[0].columns(), 5);
  EXPECT_EQ(w.layers[0].macs(), 16 * 18 * 10);
  EXPECT_EQ(w.layers[1].output, (FeatureShape{2, 3, 10}));
  EXPECT_EQ(w.layers[1].macs(), 0);
  EXPECT_EQ(w.layers[2].from, -1);
  EXPECT_EQ(w.layers[3].from, 2);
  EXPECT_EQ(w.layers[3].with, -1);
  EXPECT_EQ(w.layers[4].output, (FeatureShape{1, 1, 6})) << "without a kernel: the whole map";
  EXPECT_EQ(w.layers[5].input, (FeatureShape{1, 1, 60}));
  EXPECT_EQ(w.macs(), 16 * 18 * 10 + 72 * 6 * 6 + 60 * 7);
  EXPECT_EQ(w.batch, 1);
}

TEST_F(WorkloadFiles, ProductsHaveAllOfTheBatch) {
  const WorkloadFile file =
      read(R"({"name": "w", "input": [9, 8, 6], "batch": 3, "layers": [)" + kConv + "]}");
  ASSERT_EQ(file.products.size(), 1U);
  EXPECT_EQ(file.products[0].rows(), 3 * 7 * 6);
  EXPECT_EQ(file.products[0].depth(), 54);
}

TEST_F(WorkloadFiles, ErrorsNamePlaceValueAndRemedy) {
  layers_refuse(R"({"name": "c", "kind": "convolutions", "filters": 4, "kernel": 3})",
                "$.layers[0].kind", {"\"convolution\"?"});
  layers_refuse(R"({"name": "c", "kind": "convolution", "kernel": 3})", "$.layers[0].filters",
                {"missing"});
  layers_refuse(R"({"name": "c", "kind": "convolution", "filters": 4, "kernal": 3})",
                "$.layers[0].kernal", {"\"kernel\"?"});
  layers_refuse(R"({"name": "c", "kind": "dense", "filters": 4, "kernel": 3})",
                "$.layers[0].kernel", {"does not apply"});
  layers_refuse(R"({"name": "a", "kind": "add"})", "$.layers[0].with", {"missing"});
  layers_refuse(kConv + R"(, {"name": "a", "kind": "add", "with": "input"})", "$.layers[1].with",
                {"maps of 7 x 6 x 4 and 9 x 8 x 6"});
  layers_refuse(kConv + R"(, {"name": "p", "kind": "max_pool", "kernel": 2, "from": "conv"})",
                "$.layers[1].from", {"\"conv\"", "did you mean \"c\"?"});
  layers_refuse(kConv + R"(, {"name": "p", "kind": "max_pool", "kernel": 2, "from": "fc"})",
                "$.layers[1].from", {"\"fc\"", "names of what it may read are \"input\", \"c\""});
  layers_refuse(kConv + "," + kConv, "$.layers[1].name", {"two layers are called \"c\""});
  layers_refuse(R"({"name": "input", "kind": "dense", "filters": 4})", "$.layers[0].name",
                {"the workload's input"});
  layers_refuse(R"({"name": "c", "kind": "convolution", "filters": 4, "kernel": 10})",
                "$.layers[0].kernel", {"a window of 10 x 10 does not fit", "9 x 8 x 6"});
  layers_refuse(R"({"name": "c", "kind": "convolution", "filters": 4, "kernel": 1, "groups": 4})",
                "$.layers[0].groups", {"4 groups do not divide 6 input and 4 output channels"});
  layers_refuse(
      R"({"name": "c", "kind": "convolution", "filters": 4, "kernel": 1, "padding": [1, 2, 3]})",
      "$.layers[0].padding", {"three numbers", "[top, left, bottom, right]"});
  layers_refuse(
      R"({"name": "c", "kind": "convolution", "filters": 8000000, "kernel": 1, "padding": 99})",
      "$.layers[0]", {"elements", "at most"});
  refuses([&] { read(R"({"name": "w", "input": [9, 8], "layers": [)" + kConv + "]}"); }, "$.input",
          {"w.json"});
  refuses([&] { read("{"); }, "line 1, column 2", {"not JSON"});
}

// The machine's network has the same layers, which read the same maps.
TEST_F(WorkloadFiles, TheMachineRunsTheSameLayers) {
  const Network n = network_of(
      layers(
          R"({"name": "c", "kind": "convolution", "filters": 6, "kernel": 3, "padding": 1,
          "groups": 3},
         {"name": "p", "kind": "max_pool", "kernel": 3, "padding": 1},
         {"name": "s", "kind": "add", "with": "input", "from": "c"},
         {"name": "g", "kind": "average_pool"},
         {"name": "d", "kind": "dense", "filters": 7})")
          .workload);
  ASSERT_EQ(n.layers.size(), 5U);
  EXPECT_EQ(n.layers[0].kind, LayerKind::gemm);
  EXPECT_EQ(n.layers[0].groups, 3);
  EXPECT_EQ(n.layers[0].depth(), 3 * 3 * 2);
  EXPECT_FALSE(n.layers[0].has_values());
  EXPECT_EQ(n.layers[1].kind, LayerKind::max_pool);
  EXPECT_EQ(n.layers[2].kind, LayerKind::add);
  EXPECT_EQ(n.source(2, 0), 0);
  EXPECT_EQ(n.source(2, 1), -1);
  EXPECT_EQ(n.layers[3].kind, LayerKind::average_pool);
  EXPECT_EQ(n.layers[3].window.kernel_h, 9);
  EXPECT_EQ(n.layers[4].macs(), 6 * 7);
  EXPECT_EQ(n.classes(), 7);
}

struct Published {
  const char* file;
  std::int64_t macs;   // by hand from the layers' shapes, or as counters of networks print it
  double figure;       // published
  double times, plus;  // what the figure counts in terms of the list: times * macs + plus
  double within;       // relative, from the digits of the figure
  const char* source;
};

// The projection of 16 x 16 x 3 patches, and the classifier.
constexpr double kVitAround = 196.0 * 768 * 768 + 768.0 * 1000;

constexpr Published kPublished[] = {
    {"alexnet", 724'406'816, 724e6, 1, 0, 0.001,
     "Sze et al., Proc. IEEE 105(12), 2017: 724 M MACs"},
    // torchvision calls them GFLOPS, and counts one a MAC.
    {"resnet18", 1'814'073'344, 1.814e9, 1, 0, 0.0005,
     "torchvision, ResNet18_Weights.IMAGENET1K_V1: _ops 1.814"},
    {"resnet50", 4'089'184'256, 4.089e9, 1, 0, 0.0005,
     "torchvision, ResNet50_Weights.IMAGENET1K_V1: _ops 4.089"},
    {"mobilenet_v1", 568'740'352, 569e6, 1, 0, 0.001,
     "Howard et al., arXiv 1704.04861, Table 4: 569 Million Mult-Adds"},
    // Operations, two a MAC; the source does not say which it counts.
    {"bert_base_block", 931'135'488, 22.5e9 / 2, 12, 0, 0.01,
     "Jiao et al., TinyBERT, arXiv 1909.10351, Table 1: BERT-base 22.5B FLOPs"},
    {"vit_b16_block", 1'453'954'560, 17.564e9, 12, kVitAround, 0.00005,
     "torchvision, ViT_B_16_Weights.IMAGENET1K_V1: _ops 17.564"},
};

TEST_F(WorkloadFiles, ListsHaveThePublishedNumberOfMacs) {
  for (const Published& p : kPublished) {
    SCOPED_TRACE(std::string(p.file) + ": " + p.source);
    const WorkloadFile file =
        read_workload(SAGITTA_SOURCE_DIR "/traces/workloads/" + std::string(p.file) + ".json");
    EXPECT_EQ(file.workload.name, p.file);
    EXPECT_FALSE(file.workload.source.empty());
    EXPECT_EQ(file.workload.macs(), p.macs);
    EXPECT_NEAR(p.times * static_cast<double>(file.workload.macs()) + p.plus, p.figure,
                p.within * p.figure);
    std::int64_t products = 0;
    for (const TopologyLayer& layer : file.products) products += layer.macs();
    EXPECT_EQ(products, p.macs) << "as SCALE-Sim sees it";
  }
}

// The convolutions of AlexNet alone: 666 million MACs per 227 x 227 image (Chen et al., ISSCC
// 2016).
TEST_F(WorkloadFiles, AlexNetsConvolutions) {
  const Workload w = read_workload(SAGITTA_SOURCE_DIR "/traces/workloads/alexnet.json").workload;
  std::int64_t macs = 0;
  for (const WorkLayer& layer : w.layers) {
    if (layer.kind == WorkKind::convolution) macs += layer.macs();
  }
  EXPECT_EQ(macs, 665'784'864);
  EXPECT_EQ(w.layers.front().output, (FeatureShape{55, 55, 96}));
}

// The products with weights alone: 21.74 GMac for 12 blocks and two sequences of 128, as
// flops-counter.pytorch prints of BERT-base (samples/bert.py). It leaves out scores and context.
TEST_F(WorkloadFiles, BertsProductsWithWeights) {
  const Workload w =
      read_workload(SAGITTA_SOURCE_DIR "/traces/workloads/bert_base_block.json").workload;
  std::int64_t macs = 0;
  for (const WorkLayer& layer : w.layers) {
    if (layer.name != "scores" && layer.name != "context") macs += layer.macs();
  }
  EXPECT_NEAR(2.0 * 12 * static_cast<double>(macs), 21.74e9, 0.005e9);
}

}  // namespace
}  // namespace sagitta

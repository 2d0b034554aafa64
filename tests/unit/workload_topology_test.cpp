// SCALE-Sim's topology and architecture files: what they mean, and what is wrong with them.
#include <gtest/gtest.h>

#include "base/error.h"
#include "support/temporary_folder.h"
#include "workload/scale_sim_config.h"
#include "workload/topology.h"

namespace sagitta {
namespace {

const std::string kHeader =
    "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, "
    "Strides,\n";

class ScaleSimFiles : public ::testing::Test {
 protected:
  Topology topology(const std::string& text, TopologyForm form = TopologyForm::convolution) const {
    return read_topology(folder_.write("net.csv", text), form);
  }
  ScaleSimConfig config(const std::string& text) const {
    return read_scale_sim_config(folder_.write("a.cfg", text));
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
  void topology_refuses(const std::string& rows, const std::string& where,
                        const std::vector<std::string>& parts,
                        TopologyForm form = TopologyForm::convolution) const {
    refuses([&] { topology(kHeader + rows, form); }, where, parts);
  }

  static std::string cfg(const std::string& change_from = "", const std::string& to = "") {
    std::string text =
        "# an array\n[general]\nrun_name = small\n\n[run_presets]\nInterfaceBandwidth: CALC\n"
        "UseRamulatorTrace = False\n[architecture_presets]\nArrayHeight: 8\narraywidth = 4\n"
        "IfmapSramSzkB: 64\nFilterSramSzkB: 32\nOfmapSramSzkB: 16\nIfmapOffset: 0\n"
        "FilterOffset: 1000\nOfmapOffset: 2000\nDataflow : ws\nBandwidth : 10,20\nMemoryBanks: 1\n"
        "[layout]\nIfmapCustomLayout = False\n[sparsity]\nSparsitySupport = false\n";
    if (change_from.empty()) return text;
    const std::size_t at = text.find(change_from);
    EXPECT_NE(at, std::string::npos);
    return text.replace(at, change_from.size(), to);
  }

  test::TemporaryFolder folder_;
};

TEST_F(ScaleSimFiles, ConvolutionRows) {
  // With and without the comma at the end, blank lines, and a stride that leaves a rest.
  const Topology t =
      topology(kHeader + "conv1, 227, 227, 11, 11, 3, 96, 4,\n\n  \nconv2,5,4,2,3,2,3,2\n");
  EXPECT_EQ(t.name, "net");
  ASSERT_EQ(t.layers.size(), 2U);
  EXPECT_EQ(t.layers[0].name, "conv1");
  EXPECT_EQ(t.layers[0].rows(), 55 * 55);
  EXPECT_EQ(t.layers[0].depth(), 363);
  EXPECT_EQ(t.layers[0].columns(), 96);
  EXPECT_EQ(t.layers[1].ofmap_h(), 3);
  EXPECT_EQ(t.layers[1].ofmap_w(), 2);
  // The same for the machine: what sticks out is padding at the end.
  ASSERT_EQ(t.workload.layers.size(), 2U);
  const WorkLayer& second = t.workload.layers[1];
  EXPECT_EQ(second.output, (FeatureShape{3, 2, 3}));
  EXPECT_EQ(second.window.pad_bottom, 1);
  EXPECT_EQ(second.window.pad_right, 1);
  EXPECT_EQ(second.window.pad_top + second.window.pad_left, 0);
  EXPECT_EQ(window_length(5, 1, 2, 1, 2), 3);
  EXPECT_EQ(t.workload.macs(), t.layers[0].macs() + t.layers[1].macs());
}

TEST_F(ScaleSimFiles, ProductRows) {
  const Topology t = topology("Layer, M, N, K,\nqkv, 128, 2304, 768,\n", TopologyForm::gemm);
  ASSERT_EQ(t.layers.size(), 1U);
  EXPECT_EQ(t.layers[0].rows(), 128);
  EXPECT_EQ(t.layers[0].columns(), 2304);
  EXPECT_EQ(t.layers[0].depth(), 768);
  EXPECT_EQ(t.workload.layers[0].rows(), 128);
  EXPECT_EQ(t.workload.layers[0].depth(), 768);
  EXPECT_EQ(t.workload.layers[0].columns(), 2304);
  EXPECT_EQ(topology_form(folder_.write("g.csv", "Layer, M, N, K,\n")), TopologyForm::gemm);
  EXPECT_EQ(topology_form(folder_.write("c.csv", kHeader)), TopologyForm::convolution);
}

TEST_F(ScaleSimFiles, DepthwiseRowsAreALayerAChannel) {
  const Topology t = topology(kHeader + "conv2_DP, 114, 114, 3, 3, 32, 1, 1,\n");
  ASSERT_EQ(t.layers.size(), 32U);
  EXPECT_EQ(t.layers[31].name, "conv2_DPChannel_31");
  EXPECT_EQ(t.layers[31].channels, 1);
  EXPECT_EQ(t.layers[31].depth(), 9);
  ASSERT_EQ(t.workload.layers.size(), 1U);
  EXPECT_EQ(t.workload.layers[0].groups, 32);
  EXPECT_EQ(t.workload.macs(), 32 * t.layers[0].macs());
}

TEST_F(ScaleSimFiles, ExportIsReadAsTheSameProducts) {
  Workload workload;
  WorkLayer layer;
  layer.name = "conv";
  layer.input = {10, 11, 6};
  layer.window = {3, 3, 2, 2, 1, 1, 1, 1, 1, 1};
  layer.output = {5, 6, 8};
  layer.groups = 2;
  workload.layers = {layer};
  WorkLayer pool = layer;
  pool.kind = WorkKind::max_pool;
  workload.layers.push_back(pool);
  const std::vector<TopologyLayer> rows = topology_of(workload);
  ASSERT_EQ(rows.size(), 2U) << "a layer a group, and pooling is passed over";
  for (const TopologyForm form : {TopologyForm::convolution, TopologyForm::gemm}) {
    const std::vector<TopologyLayer> again =
        topology(write_topology(rows, form, "net"), form).layers;
    ASSERT_EQ(again.size(), 2U);
    EXPECT_EQ(again[1].name, "convChannel_1");
    EXPECT_EQ(again[1].rows(), 30);
    EXPECT_EQ(again[1].depth(), 3 * 3 * 3);
    EXPECT_EQ(again[1].columns(), 4);
  }
  const auto export_fails = [&](Window window, int batch, const std::string& what) {
    Workload changed = workload;
    changed.layers[0].window = window;
    changed.batch = batch;
    refuses([&] { write_topology(topology_of(changed), TopologyForm::convolution, "w.json"); },
            "layer convChannel_0", {"w.json", what, "-i gemm"});
  };
  export_fails({3, 3, 2, 1}, 1, "a stride for each axis");
  export_fails({3, 3, 2, 2, 2, 1}, 1, "dilation");
  export_fails(layer.window, 3, "a batch");
}

TEST_F(ScaleSimFiles, TopologyErrorsNameLineColumnAndValue) {
  topology_refuses("a, 1, x, 1, 1, 1, 1, 1,\n", "line 2, column IFMAP Width",
                   {"'x' is not a whole number", "Layer name, IFMAP Height"});
  topology_refuses("a,1,1,1,1,1,1,1,\nb, 1, 1, 1, 1, 0, 1, 1,\n", "line 3, column Channels",
                   {"'0'", "from 1"});
  topology_refuses("a, 1, 1, 1, 1, 1, 99999999999, 1,\n", "line 2, column Num Filter",
                   {"99999999999"});
  topology_refuses("a, 8, 8, 9, 1, 1, 1, 1,\n", "line 2, column Filter Height",
                   {"9 is more than the IFMAP's height, 8", "padding is part"});
  topology_refuses("a, 8, 8, 1, 9, 1, 1, 1,\n", "line 2, column Filter Width", {"width, 8"});
  topology_refuses("a, 128, 64, 32,\n", "line 2, column Filter Width",
                   {"the row has 4 cells of 8", "-i gemm"});
  topology_refuses(", 1, 1, 1, 1, 1, 1, 1,\n", "line 2, column Layer name", {"no name"});
  topology_refuses("a, 1, 1, 1, 1, 1, 1, 1, 2:4,\n", "line 2, column Sparsity",
                   {"'2:4'", "not modelled"});
  topology_refuses("a, 1, 1, 1, 1, 1, 1, 1, 1,\n", "line 2, column 9",
                   {"'1' follows the last column, Strides", "one stride"});
  topology_refuses("a, 40000, 40000, 1, 1, 1, 1, 1,\n", "line 2",
                   {"IFMAP has 1600000000 elements", "at most 1073741824"});
  topology_refuses("a, 40000, 40000, 1,\n", "line 2", {"OFMAP has 1600000000 elements"},
                   TopologyForm::gemm);
  topology_refuses("a, 1, 40000, 40000,\n", "line 2", {"filter has 1600000000 elements"},
                   TopologyForm::gemm);
  topology_refuses("", "", {"no layer below its header"});
  topology_refuses("a, 1, 1,\n", "line 2, column K", {"the row has 3 cells of 4"},
                   TopologyForm::gemm);
  topology_refuses("a, 1, -1, 1,\n", "line 2, column N", {"'-1'", "M, N, K"}, TopologyForm::gemm);
  refuses([] { read_topology("/nowhere.csv", TopologyForm::gemm); }, "", {"/nowhere.csv"});
  EXPECT_EQ(topology(kHeader + "a, 1, 1, 1, 1, 1, 1, 1, 1:1,\n").layers.size(), 1U)
      << "a dense ratio";
}

TEST_F(ScaleSimFiles, Configuration) {
  const ScaleSimConfig c = config(cfg());
  EXPECT_EQ(c.run_name, "small");
  EXPECT_EQ(c.rows, 8);
  EXPECT_EQ(c.columns, 4);
  EXPECT_EQ(c.ifmap_words, 65536);
  EXPECT_EQ(c.filter_words, 32768);
  EXPECT_EQ(c.ofmap_words, 16384);
  EXPECT_EQ(c.filter_offset, 1000);
  EXPECT_EQ(c.ofmap_offset, 2000);
  EXPECT_EQ(c.dataflow, Stationary::weight);
  EXPECT_FALSE(c.user_bandwidth);
  EXPECT_EQ(config(cfg("Dataflow : ws", "Dataflow : IS")).dataflow, Stationary::input);
  const ScaleSimConfig user = config(cfg("CALC", "USER"));
  EXPECT_TRUE(user.user_bandwidth);
  EXPECT_EQ(user.bandwidth, 10);
}

TEST_F(ScaleSimFiles, ConfigurationErrorsNameSectionAndKey) {
  const auto fails = [&](const std::string& from, const std::string& to, const std::string& where,
                         const std::vector<std::string>& parts) {
    refuses([&] { config(cfg(from, to)); }, where, parts);
  };
  fails("run_name = small", "", "[general] run_name", {"missing", "below [general]"});
  fails("ArrayHeight: 8", "", "[architecture_presets] ArrayHeight", {"missing"});
  fails("ArrayHeight: 8", "ArrayHeight: 300", "[architecture_presets] ArrayHeight",
        {"'300'", "1 to 256"});
  fails("IfmapSramSzkB: 64", "IfmapSramSzkB: 6.4", "[architecture_presets] IfmapSramSzkB",
        {"'6.4'"});
  fails("Dataflow : ws", "Dataflow : rs", "[architecture_presets] Dataflow",
        {"'rs'", "os, ws or is"});
  fails("CALC", "FAST", "[run_presets] InterfaceBandwidth", {"'FAST'", "CALC or USER"});
  fails("small", "a/b", "[general] run_name", {"'a/b'"});
  fails("UseRamulatorTrace = False", "UseRamulatorTrace = True", "[run_presets] UseRamulatorTrace",
        {"not modelled", "False"});
  fails("IfmapCustomLayout = False", "IfmapCustomLayout = True", "[layout] IfmapCustomLayout",
        {"not modelled"});
  fails("SparsitySupport = false", "SparsitySupport = true", "[sparsity] SparsitySupport",
        {"not modelled"});
  fails("ArrayHeight: 8", "ArrayHeight 8", "line 9", {"'ArrayHeight 8'"});
  fails("[general]", "", "line 3", {"begin with [general]"});
}

}  // namespace
}  // namespace sagitta

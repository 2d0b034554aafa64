// Counters where users meet them: in JSON, in tables, in the list of their meanings.
#include "cli/gemm_folder.h"

namespace sagitta::test {
namespace {

class CliCounters : public GemmFolder {
 protected:
  CliCounters() {
    auto experiment = small();
    experiment["images"] = 2;
    write_json("experiment.json", experiment);
  }
};

// Shapes of LeNet-5 by hand; every name has its meaning in the same document.
TEST_F(CliCounters, RunOnLeNet) {
  const auto json = document({"run", "experiment.json"});
  const auto& meanings = json.at("counter_meanings");
  const auto& c = json.at("configurations").at(0);
  const auto& total = c.at("counters");
  ASSERT_GT(total.size(), 30U);
  EXPECT_EQ(total.size(), meanings.size());
  for (const auto& [name, value] : total.items()) {
    ASSERT_TRUE(meanings.contains(name)) << name;
    EXPECT_FALSE(meanings.at(name).at("unit").get<std::string>().empty()) << name;
    EXPECT_FALSE(meanings.at(name).at("description").get<std::string>().empty()) << name;
  }
  EXPECT_EQ(total.at("cycles"), c.at("cycles_per_image"));
  EXPECT_EQ(total.at("stall_cycles"), c.at("stall_cycles_per_image"));
  EXPECT_EQ(total.at("utilization"), c.at("utilization"));
  EXPECT_EQ(total.at("macs"), 416520);
  // 28x28x6, 14x14x6, 10x10x16, 5x5x16, 120, 84 and 10 elements.
  EXPECT_EQ(total.at("activation_writes"), 4704 + 1176 + 1600 + 400 + 120 + 84 + 10);
  EXPECT_EQ(total.at("activation_dma_bytes"), 28 * 28);
  EXPECT_EQ(total.at("store_beats"), 1);
  EXPECT_EQ(total.at("busy_cycles").get<double>() + total.at("stall_cycles").get<double>() +
                total.at("idle_cycles").get<double>(),
            total.at("cycles").get<double>());
  std::int64_t layers = 0;
  for (const auto& layer : c.at("layers")) {
    EXPECT_EQ(layer.at("counters").at("cycles"), layer.at("cycles"));
    EXPECT_EQ(layer.at("counters").size(), meanings.size());
    layers += layer.at("counters").at("activation_writes").get<std::int64_t>();
  }
  EXPECT_EQ(layers, total.at("activation_writes"));
}

TEST_F(CliCounters, TablesShowWhatTheDocumentHas) {
  const Arguments run{"run", "experiment.json", "-q"};
  const std::string plain = done(run);
  const std::string text = done(run + Arguments{"--counters"});
  EXPECT_EQ(text.rfind(plain, 0), 0U) << "the table of results comes first";
  for (const std::string part : {"\n16x16 os none\n", "cycles: busy", "DMA: ", "(load, store)",
                                 "\nconv1 ", "\nfc3 ", "activation writes", "dram read bytes"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " in\n" << text;
  }
  EXPECT_EQ(text.find("partial writes"), std::string::npos) << "nothing was counted there";
  const auto c = document({"run", "experiment.json"}).at("configurations").at(0);
  const std::string cycles = std::to_string(c.at("counters").at("cycles").get<std::int64_t>());
  EXPECT_NE(text.find("\nrun    "), std::string::npos);
  EXPECT_NE(text.find(" " + cycles + " "), std::string::npos) << cycles;
  EXPECT_EQ(document(run + Arguments{"--counters"}), document(run)) << "--json is for programs";
}

TEST_F(CliCounters, ListOfMeanings) {
  const auto json = document({"counters"});
  EXPECT_EQ(json, document({"run", "experiment.json"}).at("counter_meanings"));
  EXPECT_EQ(json.at("utilization").at("formula"), "macs / (cycles * pes)");
  const std::string text = done({"counters"});
  for (const auto& [name, meaning] : json.items()) {
    EXPECT_NE(text.find("\n" + name + " "), std::string::npos) << name;
    EXPECT_NE(text.find(meaning.at("description").get<std::string>()), std::string::npos) << name;
    if (meaning.contains("formula")) {
      EXPECT_NE(text.find("= " + meaning.at("formula").get<std::string>()), std::string::npos);
    }
  }
  refuses({"counters", "experiment.json"}, {"sagitta counters: ", "experiment.json"});
}

// A 5 x 7 x 6 product by hand: on 4x4, two column tiles of two row tiles.
TEST_F(CliCounters, Gemm) {
  make(5, 7, 6);
  const auto json = document(gemm({"--array", "4x4"}));
  const auto& c = json.at("counters");
  EXPECT_EQ(c.at("macs"), 5 * 7 * 6);
  EXPECT_EQ(c.at("feed_cycles"), 7 * 2 * 2);
  EXPECT_EQ(c.at("fill_cycles"), (4 + 4 - 2) + (1 + 4 - 2) + (4 + 2 - 2) + (1 + 2 - 2));
  EXPECT_EQ(c.at("drain_cycles"), 5 * 2);
  EXPECT_EQ(c.at("setup_cycles"), 4 + 4);
  EXPECT_EQ(c.at("accumulator_writes"), 30);
  EXPECT_EQ(c.at("activation_dma_bytes"), 35);
  EXPECT_EQ(c.at("weight_dma_bytes"), 2 * (4 * 8 + 7 * 4)) << "bias and scale of 4 lanes, 7 rows";
  EXPECT_EQ(c.at("cycles"), json.at("cycles"));
}

}  // namespace
}  // namespace sagitta::test

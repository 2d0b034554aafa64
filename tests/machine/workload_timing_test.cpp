// The layer lists of traces/workloads on the machine's control, against closed forms
// (support/closed_form.h): every layer's cycles and stalls, and the whole run.
#include <gtest/gtest.h>

#include "campaign/workload_file.h"
#include "machine/machine.h"
#include "support/closed_form.h"

namespace sagitta {
namespace {

void expect_closed_form(const std::string& name) {
  const Workload workload =
      read_workload(SAGITTA_SOURCE_DIR "/traces/workloads/" + name + ".json").workload;
  const Network network = network_of(workload);
  for (const ArrayShape& array :
       {ArrayShape{128, 128, Dataflow::os}, ArrayShape{64, 96, Dataflow::ws}}) {
    SCOPED_TRACE(name + " " + to_string(array.dataflow));
    MemoryShape memory;
    memory.dram_bytes_per_cycle = 64;
    const Program program = compile(network, array, memory, {}, name);
    Machine machine(program, DataPath::none);
    machine.reset(nullptr);
    ASSERT_TRUE(machine.run(INT64_C(1) << 32));
    const test::Timing t = test::timing(network.layers, array, program.memory, {}, false);
    EXPECT_EQ(machine.cycle(), t.total);
    std::int64_t macs = 0;
    for (std::size_t i = 0; i < network.layers.size(); ++i) {
      EXPECT_EQ(machine.counters()[i].cycles, t.layer_cycles[i]) << network.layers[i].name;
      EXPECT_EQ(machine.counters()[i].dram_stall_cycles, t.dram_stalls[i])
          << network.layers[i].name;
      macs += machine.counters()[i].macs;
    }
    EXPECT_EQ(macs, workload.macs());
  }
}

TEST(WorkloadTiming, AlexNet) {
  expect_closed_form("alexnet");
}
TEST(WorkloadTiming, ResNet18) {
  expect_closed_form("resnet18");
}
TEST(WorkloadTiming, ResNet50) {
  expect_closed_form("resnet50");
}
TEST(WorkloadTiming, MobileNetV1) {
  expect_closed_form("mobilenet_v1");
}
TEST(WorkloadTiming, BertBaseBlock) {
  expect_closed_form("bert_base_block");
}
TEST(WorkloadTiming, VitB16Block) {
  expect_closed_form("vit_b16_block");
}

}  // namespace
}  // namespace sagitta

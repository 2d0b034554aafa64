#include "trace/access_trace.h"

#include <string>

#include <fmt/format.h>

namespace sagitta {
namespace {

const char* to_string(DramAccess::What what) {
  switch (what) {
    case DramAccess::What::image:
      return "image";
    case DramAccess::What::weights:
      return "weights";
    case DramAccess::What::result:
      break;
  }
  return "result";
}

}  // namespace

MemoryTrace::MemoryTrace(OutputFile& file, bool values) : file_(file), values_(values) {
  file_.write(values ? "cycle,memory,bank,access,address,count,values\n"
                     : "cycle,memory,bank,access,address,count\n");
}

void MemoryTrace::sample(Machine& machine) {
  machine.visit_memories([&](const MemoryAccess& a) {
    std::string line = fmt::format("{},{},{},{},{},{}", machine.cycle(), a.memory, a.bank,
                                   a.write ? "write" : "read", a.address, a.values.size());
    if (values_) line += fmt::format(",{}", fmt::join(a.values, " "));
    file_.write(line + "\n");
    ++rows_;
  });
}

DramTrace::DramTrace(OutputFile& file) : file_(file) {
  file_.write("cycle,access,what,transfer,offset,bytes\n");
}

void DramTrace::sample(const Machine& machine) {
  for (const DramAccess& a : machine.dram_accesses()) {
    file_.write(fmt::format("{},{},{},{},{},{}\n", machine.cycle(), a.write ? "write" : "read",
                            to_string(a.what), a.transfer, a.offset, a.bytes));
    ++rows_;
  }
}

}  // namespace sagitta

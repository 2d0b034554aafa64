#include "cosim/rtl_model.h"

#include <algorithm>
#include <cstring>

#include <verilated_sym_props.h>
#include <verilated_syms.h>

namespace sagitta::cosim {

std::uint64_t RtlModel::port(const std::string& name) const {
  const Port& p = ports_.at(name);
  std::uint64_t value = 0;
  std::memcpy(&value, p.data, std::min(p.bytes, sizeof value));
  return value;
}

void RtlModel::set_port(const std::string& name, std::uint64_t value) {
  const Port& p = ports_.at(name);
  std::memcpy(p.data, &value, std::min(p.bytes, sizeof value));
}

std::optional<RtlVariable> find_variable(VerilatedContext& context, const std::string& scope,
                                         const std::string& name) {
  const VerilatedScope* found = context.scopeFind(scope.c_str());
  if (found == nullptr) return std::nullopt;
  const VerilatedVar* variable = found->varFind(name.c_str());
  if (variable == nullptr) return std::nullopt;
  RtlVariable v;
  v.data = static_cast<std::byte*>(variable->datap());
  v.word_bits = variable->packed().elements();
  v.word_bytes = static_cast<int>(variable->entSize());
  if (variable->udims() > 0) v.words = variable->unpacked().elements();
  return v;
}

}  // namespace sagitta::cosim

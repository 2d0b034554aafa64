#include "cosim/waveform.h"

#include <fstream>

#include <fmt/format.h>

namespace sagitta::cosim {
namespace {

bool traced(const Register& r) {
  return r.registers->storage == Storage::flip_flop;
}

// VCD identifiers: printable characters from '!' on.
std::string code_of(std::size_t index) {
  std::string code;
  do {
    code += static_cast<char>('!' + index % 94);
    index /= 94;
  } while (index > 0);
  return code;
}

}  // namespace

void Waveforms::sample(Trace& trace, std::int64_t cycle, std::size_t index, std::uint64_t value,
                       int width, bool& stamped) {
  if (trace.last.size() <= index) {
    trace.last.resize(index + 1, ~value);
  } else if (trace.last[index] == value) {
    return;
  }
  trace.last[index] = value;
  if (!stamped) trace.changes += fmt::format("#{}\n", cycle);
  stamped = true;
  std::string bits(static_cast<std::size_t>(width), '0');
  for (int bit = 0; bit < width; ++bit) {
    if ((value >> bit & 1) != 0) bits[static_cast<std::size_t>(width - 1 - bit)] = '1';
  }
  trace.changes += fmt::format("b{} {}\n", bits, code_of(index));
}

void Waveforms::sample(const Machine& machine, std::int64_t cycle) {
  bool simulator_stamped = false;
  bool rtl_stamped = false;
  for (std::size_t i = 0; i < map_->registers().size(); ++i) {
    const Register& r = map_->registers()[i];
    if (!traced(r)) continue;
    const int width = r.registers->width;
    const std::uint64_t mask = ~std::uint64_t{0} >> (64 - width);
    sample(simulator_, cycle, i, RegisterMap::simulated(machine, r) & mask, width,
           simulator_stamped);
    sample(rtl_, cycle, i, r.rtl_value(), width, rtl_stamped);
  }
}

std::string Waveforms::header() const {
  std::string text = "$timescale 1ns $end\n";
  for (std::size_t i = 0; i < map_->registers().size(); ++i) {
    const Register& r = map_->registers()[i];
    if (!traced(r)) continue;
    std::string path = map_->sites().element_path(r.site.register_class, r.site.element);
    int scopes = 0;
    for (std::size_t dot = path.find('.'); dot != std::string::npos; dot = path.find('.')) {
      text += fmt::format("$scope module {} $end\n", path.substr(0, dot));
      path.erase(0, dot + 1);
      ++scopes;
    }
    text += fmt::format("$var reg {} {} {} $end\n", r.registers->width, code_of(i), path);
    for (; scopes > 0; --scopes) text += "$upscope $end\n";
  }
  return text + "$enddefinitions $end\n";
}

void Waveforms::write(const std::string& prefix) const {
  const std::string top = header();
  std::ofstream(prefix + ".simulator.vcd") << top << simulator_.changes;
  std::ofstream(prefix + ".rtl.vcd") << top << rtl_.changes;
}

}  // namespace sagitta::cosim

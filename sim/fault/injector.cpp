#include "fault/injector.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"

namespace sagitta {
namespace {

std::int64_t extend(std::uint64_t raw, const RegisterClass& c) {
  const int unused = 64 - c.width;
  if (c.is_signed) return static_cast<std::int64_t>(raw << unused) >> unused;
  return static_cast<std::int64_t>(raw << unused >> unused);
}

}  // namespace

std::int64_t read_register(MachineState& state, const RegisterClass& registers,
                           std::int64_t element) {
  std::uint64_t raw = 0;  // little endian, as the host is
  std::memcpy(&raw, state.address(registers, registers.place(element)),
              static_cast<std::size_t>(registers.element_bytes));
  return extend(raw, registers);
}

void flip_bit(MachineState& state, const RegisterClass& registers, std::int64_t element, int bit) {
  std::byte* address = state.address(registers, registers.place(element));
  std::uint64_t raw = 0;
  std::memcpy(&raw, address, static_cast<std::size_t>(registers.element_bytes));
  const std::int64_t value = extend(raw ^ std::uint64_t{1} << bit, registers);
  std::memcpy(address, &value, static_cast<std::size_t>(registers.element_bytes));
}

Injector::Injector(const SiteMap& sites, std::vector<Fault> faults)
    : sites_(&sites), order_(faults.size()) {
  for (const Fault& f : faults) records_.push_back({f.site, f.cycle, false, 0, 0, f.resisted});
  std::iota(order_.begin(), order_.end(), std::size_t{0});
  std::stable_sort(order_.begin(), order_.end(), [&faults](std::size_t x, std::size_t y) {
    return faults[x].cycle < faults[y].cycle;
  });
}

std::int64_t Injector::next_cycle() const {
  return next_ < order_.size() ? records_[order_[next_]].cycle : -1;
}

void Injector::strike(MachineState& state, std::int64_t cycle) {
  for (; next_ < order_.size() && records_[order_[next_]].cycle == cycle; ++next_) {
    FaultRecord& r = records_[order_[next_]];
    const RegisterClass& c = sites_->classes()[static_cast<std::size_t>(r.site.register_class)];
    r.before = r.after = read_register(state, c, r.site.element);
    if (r.resisted) continue;
    flip_bit(state, c, r.site.element, r.site.bit);
    r.after = read_register(state, c, r.site.element);
    r.fired = true;
  }
}

Fault parse_fault(const SiteMap& sites, const std::string& text, const std::string& file,
                  const std::string& where) {
  const std::size_t at = text.rfind('@');
  std::int64_t cycle = -1;
  if (at != std::string::npos) {
    const char* end = text.data() + text.size();
    const auto r = std::from_chars(text.data() + at + 1, end, cycle);
    if (r.ec != std::errc{} || r.ptr != end) cycle = -1;
  }
  if (cycle < 0) {
    throw InputError(file, where, fmt::format("'{}' is not SITE@CYCLE", text),
                     "write it as in array.pe[3][4].a:5@17, cycles counted from 0");
  }
  return {sites.parse(text.substr(0, at), file, where), cycle};
}

}  // namespace sagitta

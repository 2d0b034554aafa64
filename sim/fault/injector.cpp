#include "fault/injector.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <numeric>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"

namespace sagitta {
namespace {

// Whether it acts in more cycles than its first one.
bool stays(const FaultRecord& r) {
  return r.kind != FaultKind::flip && !r.resisted;
}

}  // namespace

std::int64_t register_value(std::uint64_t raw, const RegisterClass& registers) {
  const int unused = 64 - registers.width;
  if (registers.is_signed) return static_cast<std::int64_t>(raw << unused) >> unused;
  return static_cast<std::int64_t>(raw << unused >> unused);
}

std::int64_t read_register(MachineState& state, const RegisterClass& registers,
                           std::int64_t element) {
  std::uint64_t raw = 0;  // little endian, as the host is
  std::memcpy(&raw, state.address(registers, registers.place(element)),
              static_cast<std::size_t>(registers.element_bytes));
  return register_value(raw, registers);
}

void flip_bit(MachineState& state, const RegisterClass& registers, std::int64_t element, int bit) {
  std::byte* address = state.address(registers, registers.place(element));
  std::uint64_t raw = 0;
  std::memcpy(&raw, address, static_cast<std::size_t>(registers.element_bytes));
  const std::int64_t value = register_value(raw ^ std::uint64_t{1} << bit, registers);
  std::memcpy(address, &value, static_cast<std::size_t>(registers.element_bytes));
}

const char* to_string(FaultKind kind) {
  constexpr const char* kNames[] = {"flip", "stuck0", "stuck1"};
  return kNames[static_cast<int>(kind)];
}

Injector::Injector(const SiteMap& sites, std::vector<Fault> faults)
    : sites_(&sites), order_(faults.size()) {
  records_.reserve(faults.size());
  for (const Fault& f : faults) {
    records_.push_back({f.site, f.cycle, false, 0, 0, f.resisted, f.kind, f.last});
  }
  std::iota(order_.begin(), order_.end(), std::size_t{0});
  std::stable_sort(order_.begin(), order_.end(), [&faults](std::size_t x, std::size_t y) {
    return faults[x].cycle < faults[y].cycle;
  });
}

void Injector::delivered(const FaultRecord& record) {
  records_.assign(1, record);
  next_ = order_.size();
}

std::int64_t Injector::next_cycle() const {
  if (!active_.empty()) return cycle_ + 1;
  return next_ < order_.size() ? records_[order_[next_]].cycle : -1;
}

bool Injector::changes(MachineState& state, const FaultRecord& r) const {
  if (r.resisted) return false;
  if (r.kind == FaultKind::flip) return true;
  const RegisterClass& c = sites_->classes()[static_cast<std::size_t>(r.site.register_class)];
  const bool bit = (read_register(state, c, r.site.element) >> r.site.bit & 1) != 0;
  return bit != (r.kind == FaultKind::stuck1);
}

bool Injector::strike(MachineState& state, std::int64_t cycle,
                      const std::function<void(const Site&)>& about_to_change) {
  cycle_ = cycle;
  const std::size_t stuck = active_.size();
  for (; next_ < order_.size() && records_[order_[next_]].cycle == cycle; ++next_) {
    active_.push_back(order_[next_]);
    const FaultRecord& r = records_[order_[next_]];
    ends_ += stays(r) && r.last != kToTheEnd ? 1 : 0;
  }
  if (stuck > 0 && stuck < active_.size()) std::sort(active_.begin(), active_.end());
  if (about_to_change) {
    for (const std::size_t i : active_) {
      if (changes(state, records_[i])) about_to_change(records_[i].site);
    }
  }
  bool changed = false;
  std::size_t kept = 0;
  for (const std::size_t i : active_) {
    FaultRecord& r = records_[i];
    const RegisterClass& c = sites_->classes()[static_cast<std::size_t>(r.site.register_class)];
    const bool now = changes(state, r);
    if (!r.fired && (now || r.cycle == cycle)) {
      r.before = r.after = read_register(state, c, r.site.element);
    }
    if (now) {
      flip_bit(state, c, r.site.element, r.site.bit);
      if (!r.fired) r.after = read_register(state, c, r.site.element);
      r.fired = changed = true;
    }
    if (!stays(r)) continue;
    if (r.last > cycle) {
      active_[kept++] = i;
    } else {
      --ends_;
    }
  }
  active_.resize(kept);
  return changed;
}

namespace {

// A whole number of cycles from 0 on, all of `text`; -1 for anything else.
std::int64_t parse_cycle(std::string_view text) {
  std::int64_t cycle = -1;
  const char* end = text.data() + text.size();
  const auto r = std::from_chars(text.data(), end, cycle);
  return r.ec == std::errc{} && r.ptr == end && cycle >= 0 ? cycle : -1;
}

}  // namespace

Fault parse_fault(const SiteMap& sites, const std::string& text, const std::string& file,
                  const std::string& where) {
  const auto fail = [&](const std::string& problem, const std::string& remedy) {
    throw InputError(file, where, fmt::format("'{}' {}", text, problem), remedy);
  };
  Fault fault;
  const std::size_t at = text.rfind('@');
  const std::size_t equals = text.rfind('=', at);
  const std::string_view cycles =
      at == std::string::npos ? std::string_view() : std::string_view(text).substr(at + 1);
  const std::size_t dots = cycles.find("..");
  if (equals == std::string::npos) {
    fault.cycle = parse_cycle(cycles);
    if (dots != std::string_view::npos) {
      fail("is a flip, which happens in one cycle",
           "write array.pe[3][4].a:5@17, or of a stuck bit its value, too, as in "
           "array.pe[3][4].a:5=0@17..40");
    }
    if (fault.cycle < 0) {
      fail("is not SITE@CYCLE", "write it as in array.pe[3][4].a:5@17, cycles counted from 0");
    }
  } else {
    const std::string value =
        text.substr(equals + 1, at == std::string::npos ? at : at - equals - 1);
    if (value != "0" && value != "1") {
      fail("has a bit stuck at '" + value + "'", "a bit is stuck at 0 or 1: SITE=0@17, SITE=1@17");
    }
    fault.kind = value == "0" ? FaultKind::stuck0 : FaultKind::stuck1;
    fault.cycle = parse_cycle(cycles.substr(0, dots));
    fault.last = dots == std::string_view::npos ? kToTheEnd : parse_cycle(cycles.substr(dots + 2));
    if (fault.cycle < 0 || fault.last < 0) {
      fail("is not SITE=0@FIRST or SITE=0@FIRST..LAST",
           "write it as in array.pe[3][4].a:5=0@17 (to the end of the run) or "
           "array.pe[3][4].a:5=1@17..40, cycles counted from 0");
    }
    if (fault.last < fault.cycle) {
      fail("ends before it begins", "write the first cycle first: both belong to it");
    }
  }
  fault.site = sites.parse(text.substr(0, std::min(at, equals)), file, where);
  return fault;
}

std::string fault_text(const SiteMap& sites, const Fault& fault) {
  const std::string site = sites.path(fault.site);
  if (fault.kind == FaultKind::flip) return fmt::format("{}@{}", site, fault.cycle);
  const int value = fault.kind == FaultKind::stuck1 ? 1 : 0;
  if (fault.last == kToTheEnd) return fmt::format("{}={}@{}", site, value, fault.cycle);
  return fmt::format("{}={}@{}..{}", site, value, fault.cycle, fault.last);
}

}  // namespace sagitta

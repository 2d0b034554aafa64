#include "trace/waveform.h"

#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "base/version.h"

namespace sagitta {
namespace {

constexpr int kCycleWidth = 32;

// Identifiers are numbers to the base of the 94 printable characters.
std::string identifier(std::int64_t number) {
  std::string id;
  do {
    id += static_cast<char>('!' + number % 94);
    number /= 94;
  } while (number > 0);
  return id;
}

std::uint64_t raw_value(const std::byte* at, const RegisterClass& c) {
  std::uint64_t raw = 0;  // little endian, as the host is
  std::memcpy(&raw, at, static_cast<std::size_t>(c.element_bytes));
  return c.width >= 64 ? raw : raw & ((std::uint64_t{1} << c.width) - 1);
}

std::string declaration(bool is_signed, int width, std::int64_t id, const std::string& name) {
  return fmt::format("$var {} {} {} {}{} $end\n", is_signed ? "integer" : "reg", width,
                     identifier(id), name,
                     width > 1 ? fmt::format(" [{}:0]", width - 1) : std::string());
}

}  // namespace

// The tree of the paths' components, in the order in which they first appear.
struct Waveform::Scope {
  struct Variable {
    std::string name;
    const RegisterClass* registers;
    std::int64_t signal;
  };
  std::vector<std::pair<std::string, std::unique_ptr<Scope>>> inner;
  std::map<std::string, std::size_t> index;
  std::vector<Variable> variables;

  void add(const std::string& path, const RegisterClass& registers, std::int64_t signal) {
    const std::size_t dot = path.find('.');
    if (dot == std::string::npos) {
      variables.push_back({path, &registers, signal});
      return;
    }
    const std::string name = path.substr(0, dot);
    const auto [it, added] = index.emplace(name, inner.size());
    if (added) inner.emplace_back(name, std::make_unique<Scope>());
    inner[it->second].second->add(path.substr(dot + 1), registers, signal);
  }
};

Waveform::Waveform(OutputFile& file, const SiteMap& sites, const SiteSelection& scope,
                   std::vector<std::string> runs, double clock_mhz)
    : file_(file),
      sites_(sites),
      scope_(scope.runs()),
      runs_(runs.size()),
      time_(time_of(clock_mhz)) {
  for (const SiteSelection::Run& r : scope_) {
    first_signal_.push_back(signals_of_run_);
    signals_of_run_ += r.count;
  }
  write_header(runs);
}

std::int64_t Waveform::signals() const {
  return signals_of_run_ * static_cast<std::int64_t>(runs_.size());
}

double Waveform::estimate(const SiteMap& sites, const SiteSelection& scope, std::size_t runs,
                          std::int64_t cycles) {
  double bytes = 0;
  for (const SiteSelection::Run& r : scope.runs()) {
    const RegisterClass& c = sites.classes()[static_cast<std::size_t>(r.register_class)];
    const double declared = 30 + static_cast<double>(c.path.size());
    const double line = c.width + 6;  // "b", the bits, a blank, an identifier, a line feed
    const double times = c.storage == Storage::sram ? 1 : static_cast<double>(cycles);
    bytes += static_cast<double>(r.count) * (declared + line * times);
  }
  return bytes * static_cast<double>(runs) + static_cast<double>(cycles) * (kCycleWidth + 20);
}

// The coarsest unit in which a clock period is a whole number, or femtoseconds.
Waveform::Time Waveform::time_of(double clock_mhz) {
  double per_cycle = 1e3 / clock_mhz;
  for (const char* unit : {"1 ns", "1 ps"}) {
    if (per_cycle >= 1 && std::abs(per_cycle - std::round(per_cycle)) < 1e-9 * per_cycle) {
      return {unit, std::round(per_cycle)};
    }
    per_cycle *= 1e3;
  }
  return {"1 fs", per_cycle};
}

void Waveform::write_header(const std::vector<std::string>& names) {
  Scope root;
  for (std::size_t i = 0; i < scope_.size(); ++i) {
    const SiteSelection::Run& r = scope_[i];
    const auto& c = sites_.classes()[static_cast<std::size_t>(r.register_class)];
    for (std::int64_t e = 0; e < r.count; ++e) {
      root.add(sites_.element_path(r.register_class, r.first + e), c, first_signal_[i] + e);
    }
  }
  file_.write(fmt::format("$version sagitta {} $end\n$timescale {} $end\n", kVersion, time_.unit));
  file_.write(declaration(false, kCycleWidth, 0, "cycle"));
  for (std::size_t run = 0; run < names.size(); ++run) {
    file_.write(fmt::format("$scope module {} $end\n", names[run]));
    write_scope(root, run, 1);
    file_.write("$upscope $end\n");
  }
  file_.write("$enddefinitions $end\n");
}

void Waveform::write_scope(const Scope& scope, std::size_t run, int depth) {
  const std::string indent(static_cast<std::size_t>(depth), ' ');
  const std::int64_t first = 1 + static_cast<std::int64_t>(run) * signals_of_run_;
  for (const Scope::Variable& v : scope.variables) {
    file_.write(indent +
                declaration(v.registers->is_signed, v.registers->width, first + v.signal, v.name));
  }
  for (const auto& [name, inner] : scope.inner) {
    file_.write(fmt::format("{}$scope module {} $end\n", indent, name));
    write_scope(*inner, run, depth + 1);
    file_.write(indent + "$upscope $end\n");
  }
}

void Waveform::write_time(std::int64_t cycle) {
  text_ += fmt::format("#{:.0f}\n", static_cast<double>(cycle) * time_.per_cycle);
}

void Waveform::write_value(std::uint64_t value, int width, std::int64_t id) {
  ++changes_;
  if (width == 1) {
    text_ += static_cast<char>('0' + (value & 1));
  } else {
    text_ += fmt::format("b{:b} ", value);  // a reader extends it with zeros
  }
  text_ += identifier(id) + "\n";
}

void Waveform::sample(std::size_t run, std::int64_t cycle, const Machine& machine) {
  Run& before = runs_[run];
  const bool first = !before.sampled;
  text_.clear();
  if (run == 0) {
    write_time(cycle);
    if (first) text_ += "$dumpvars\n";
    write_value(static_cast<std::uint64_t>(cycle), kCycleWidth, 0);
    --changes_;  // not one of a register
  }
  before.pipeline.resize(machine.layout().pipeline_bytes());
  before.held.resize(machine.layout().held_bytes());
  for (std::size_t i = 0; i < scope_.size(); ++i) {
    const SiteSelection::Run& r = scope_[i];
    const auto& c = sites_.classes()[static_cast<std::size_t>(r.register_class)];
    const bool held = c.region == Region::held;
    const std::byte* now = (held ? machine.state().held() : machine.state().now()) + c.offset;
    const std::byte* then = (held ? before.held : before.pipeline).data() + c.offset;
    const auto bytes = static_cast<std::size_t>(c.element_bytes);
    // Memories are long and seldom change: one look at all that lies between the ends.
    const auto low = static_cast<std::size_t>(c.place(r.first)) * bytes;
    const auto high = static_cast<std::size_t>(c.place(r.first + r.count - 1) + 1) * bytes;
    if (!first && high > low && std::memcmp(now + low, then + low, high - low) == 0) continue;
    const std::int64_t id = 1 + static_cast<std::int64_t>(run) * signals_of_run_ + first_signal_[i];
    for (std::int64_t e = 0; e < r.count; ++e) {
      const auto at = static_cast<std::size_t>(c.place(r.first + e)) * bytes;
      const std::uint64_t value = raw_value(now + at, c);
      if (first || value != raw_value(then + at, c)) write_value(value, c.width, id + e);
    }
  }
  // The regions, not only the scope: copying is cheaper than finding out what to copy.
  std::memcpy(before.pipeline.data(), machine.state().now(), before.pipeline.size());
  std::memcpy(before.held.data(), machine.state().held(), before.held.size());
  before.sampled = true;
  if (first && run + 1 == runs_.size()) text_ += "$end\n";
  file_.write(text_);
}

void Waveform::end(std::int64_t cycle) {
  text_.clear();
  write_time(cycle);
  file_.write(text_);
}

}  // namespace sagitta

#include "cli/trace_window.h"

#include <charconv>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "base/error.h"

namespace sagitta::cli {
namespace {

// "100..200" or "150".
std::optional<CycleWindow> parse_cycles(const std::string& text) {
  CycleWindow w;
  const char* end = text.data() + text.size();
  const auto low = std::from_chars(text.data(), end, w.first);
  if (low.ec != std::errc{} || w.first < 0) return std::nullopt;
  w.last = w.first;
  if (low.ptr == end) return w;
  if (!std::string_view(low.ptr, end).starts_with("..")) return std::nullopt;
  const auto high = std::from_chars(low.ptr + 2, end, w.last);
  if (high.ec != std::errc{} || high.ptr != end || w.last < w.first) return std::nullopt;
  return w;
}

}  // namespace

CycleWindow parse_window(const std::string& text, std::int64_t end, std::int64_t cycles) {
  const auto w = parse_cycles(text);
  if (!w) {
    throw InputError("--cycles", "", fmt::format("'{}' is not FIRST..LAST", text),
                     "write it as in --cycles 100..200, both inclusive");
  }
  if (w->last < end) return *w;
  throw InputError(
      "--cycles", "",
      fmt::format("'{}' reaches beyond the run, which has cycles 0..{}", text, cycles - 1),
      "choose cycles in that range");
}

void check_size(double limit_mb, const char* option, double bytes, const CycleWindow& window) {
  if (bytes <= limit_mb * 1e6) return;
  throw InputError(
      option, "",
      fmt::format("would take about {:.0f} MB for {} cycles, more than --limit-mb {:.0f}",
                  bytes / 1e6, window.cycles(), limit_mb),
      "choose a smaller --scope or fewer --cycles, or raise --limit-mb");
}

}  // namespace sagitta::cli

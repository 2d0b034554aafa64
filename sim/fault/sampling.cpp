#include "fault/sampling.h"

#include <algorithm>
#include <functional>
#include <map>
#include <stdexcept>

#include "base/permutation.h"

namespace sagitta {
namespace {

__extension__ using Uint128 = unsigned __int128;
constexpr Uint128 kMostPoints = Uint128{1} << 62;

std::uint64_t bits_from(int first, int count) {
  const std::uint64_t low = count >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
  return low << first;
}

// Of what a stratum's name says; registers of one path but with other indices declared are one.
std::string class_name(const std::string& path) {
  std::string name;
  bool index = false;
  for (const char c : path) {
    index = index && c != ']';
    if (!index) name += c;
    index = index || c == '[';
  }
  return name;
}

void check(const SampledRun& run) {
  const auto& begins = run.layer_begins;
  const bool ascend = std::is_sorted(begins.begin(), begins.end(), std::less_equal<>());
  if (run.cycles < 1 || run.images < 1 || begins.empty() || begins.front() != 0 || !ascend ||
      begins.back() >= run.cycles) {
    throw std::invalid_argument("a run needs cycles, images, and layers that ascend from cycle 0");
  }
}

}  // namespace

SamplingPlan::SamplingPlan(const SiteMap& sites, const SiteSelection& selection,
                           const SampledRun& run, const StratifyBy& by)
    : images_(run.images) {
  check(run);
  if (by.bit_group < 0) throw std::invalid_argument("a group of bits has no negative size");
  std::vector<std::int64_t> begins = by.layer ? run.layer_begins : std::vector<std::int64_t>{0};
  begins.push_back(run.cycles);

  std::vector<std::string> names;                            // of sites_
  std::map<std::pair<std::string, int>, std::size_t> known;  // by registers and first bit
  std::int64_t bits = 0;
  for (const SiteSelection::Run& whole : selection.runs()) {
    const RegisterClass& registers =
        sites.classes()[static_cast<std::size_t>(whole.register_class)];
    const std::string& path = registers.path;
    const std::string kind = by.register_class ? class_name(path)
                             : by.block        ? path.substr(0, path.find('.'))
                                               : "";
    const int group = by.bit_group == 0 ? 64 : by.bit_group;
    for (int first = 0; first < 64; first += group) {
      SiteSelection::Run part = whole;
      part.mask &= bits_from(first, std::min(group, 64 - first));
      if (part.mask == 0 || part.count == 0) continue;
      const auto [entry, is_new] = known.try_emplace({kind, first}, sites_.size());
      if (is_new) {
        sites_.emplace_back();
        names.push_back(kind);
        if (by.bit_group > 0) {
          names.back() += ":" + std::to_string(first) + "-" + std::to_string(first + group - 1);
        }
      }
      Sites& set = sites_[entry->second];
      set.runs.push_back(part);
      set.cumulative.push_back((set.cumulative.empty() ? 0 : set.cumulative.back()) + part.bits());
      bits += part.bits();
    }
  }
  const Uint128 points = Uint128(static_cast<std::uint64_t>(bits)) *
                         static_cast<std::uint64_t>(run.cycles) *
                         static_cast<std::uint64_t>(run.images);
  if (bits == 0 || bits >= std::int64_t{1} << 40 || points > kMostPoints) {
    throw std::invalid_argument("the fault space has no point, or more than 2^62");
  }
  for (std::size_t i = 0; i < sites_.size(); ++i) {
    for (std::size_t layer = 0; layer + 1 < begins.size(); ++layer) {
      const std::int64_t cycles = begins[layer + 1] - begins[layer];
      cells_.push_back({i, begins[layer], cycles});
      SampledStratum s{names[i], sites_[i].cumulative.back() * cycles * images_};
      if (by.layer) {
        s.name += s.name.empty() ? "layer " : " layer ";
        s.name += layer < run.layer_names.size() ? run.layer_names[layer] : std::to_string(layer);
      }
      if (s.name.empty()) s.name = "all";
      s.weight = static_cast<double>(s.population) / static_cast<double>(points);
      strata_.push_back(s);
    }
  }
}

SampledPoint SamplingPlan::draw(std::uint64_t seed, std::size_t stratum, std::int64_t k) const {
  if (stratum >= strata_.size() || k < 0 || k >= strata_[stratum].population) {
    throw std::invalid_argument("no such stratum, or it has fewer points");
  }
  auto point = static_cast<std::int64_t>(
      permuted(static_cast<std::uint64_t>(k),
               static_cast<std::uint64_t>(strata_[stratum].population), seed, stratum));
  const Cell& cell = cells_[stratum];
  const Sites& set = sites_[cell.sites];
  SampledPoint drawn;
  drawn.image = point % images_;
  point /= images_;
  drawn.fault.cycle = cell.first_cycle + point % cell.cycles;
  point /= cell.cycles;
  const auto run = static_cast<std::size_t>(
      std::upper_bound(set.cumulative.begin(), set.cumulative.end(), point) -
      set.cumulative.begin());
  const SiteSelection::Run& r = set.runs[run];
  if (run > 0) point -= set.cumulative[run - 1];
  drawn.fault.site = r.at(point);
  return drawn;
}

}  // namespace sagitta

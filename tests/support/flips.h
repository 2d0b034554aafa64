// Flips that several tests of detectors and checkers strike a product with.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "support/gemm_case.h"

namespace sagitta::test {

// Every bit of every register that the globs name, in every cycle; `check` looks at each run.
template <typename Check>
void exhaust(FaultyRuns& runs, const std::string& globs, const Check& check) {
  const SiteSelection sites = runs.sites().select(globs, "", "");
  for (std::int64_t cycle = 0; cycle < runs.cycles(); ++cycle) {
    for (std::int64_t i = 0; i < sites.bits(); ++i) {
      ASSERT_TRUE(runs.run({{sites.at(i), cycle}}));
      SCOPED_TRACE(runs.sites().path(sites.at(i)) + "@" + std::to_string(cycle));
      ASSERT_NO_FATAL_FAILURE(check());
    }
  }
}

// One or two accumulators, in the same cycle of the same tile on two machines that differ in what
// stands behind the array.
inline void strike_alike(Random& random, const ArrayShape& array, FaultyRuns& without,
                         FaultyRuns& with) {
  const int tile = random.between(0, static_cast<int>(with.tiles().size()) - 1);
  std::vector<Fault> faults_without, faults_with;
  for (int f = random.between(1, 2); f > 0; --f) {
    const auto site =
        with.site(fmt::format("array.pe[{}][{}].acc:{}", random.between(0, array.rows - 1),
                              random.between(0, array.columns - 1), random.between(8, 31)));
    const auto& t = with.tiles()[static_cast<std::size_t>(tile)];
    const int offset = random.between(0, static_cast<int>(t.end_cycle - t.start_cycle));
    faults_with.push_back({site, t.start_cycle + offset});
    faults_without.push_back(
        {without.site(with.sites().path(site)),
         without.tiles()[static_cast<std::size_t>(tile)].start_cycle + offset});
  }
  ASSERT_TRUE(without.run(faults_without));
  ASSERT_TRUE(with.run(faults_with));
}

}  // namespace sagitta::test

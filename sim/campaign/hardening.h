// Hardened flip-flops: cells in which an upset seldom or never changes the stored bit, in the
// places that an experiment names. They work as any others do; what differs is what strikes them.
//
//  - Population own: where the cell resists every upset (factor 0) its bits are no targets, and
//  bits
//    x cycles are as many fewer; else they are, and each draw of one is thinned.
//  - Population common, and lists that are replayed: the draws are those of every other scheme; one
//    that falls on a hardened bit is thinned.
//
// Thinning: the upset is resisted with probability 1 - factor, a pure function of seed and trial.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "campaign/experiment.h"
#include "fault/injector.h"
#include "fault/site.h"

namespace sagitta {

class Hardening {
 public:
  Hardening() = default;
  // Throws InputError (at `file`, $.scheme) when a glob matches nothing, or a memory.
  Hardening(const Scheme& scheme, const SiteMap& sites, const std::string& file,
            const std::string& machine);

  // Hardened bits of each register class that has any, by its path.
  std::map<std::string, std::int64_t> bits(const SiteMap& sites) const;
  // What of these sites can be hit at all.
  SiteSelection targets(const SiteSelection& sites) const;
  // Whether it is drawn which upsets are resisted.
  bool thins() const { return hardened_.bits() > 0 && factor_ > 0 && factor_ < 1; }
  // Marks the faults that are resisted.
  void thin(std::uint64_t seed, std::int64_t trial, std::vector<Fault>& faults) const;

 private:
  SiteSelection hardened_;
  double factor_ = 1;
};

}  // namespace sagitta

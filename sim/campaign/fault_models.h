// The fault models of registers: what a plan draws for a trial.
//
//  - seu: each event inverts the drawn bit in the drawn cycle.
//  - mbu: ... and its neighbours, a cluster of `cluster_size` bits: the drawn bit is the lowest one
//  of
//    its word, or the same bit of as many PEs along a row or column of the array, which begins at
//    the drawn one. At the edge the cluster is moved back inside; a word or row with fewer is
//    struck whole. Neighbours need not be among the selected sites.
//  - stuck-at-0, stuck-at-1: the bit is stuck from the drawn cycle, or from cycle 0 on.
//  - intermittent: it is stuck for `duration` cycles, at 0 or 1 with probability 1/2 each.
//  - rate: each bit is inverted in each cycle with the probability `rate`, independently.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "campaign/experiment.h"
#include "fault/injector.h"
#include "fault/site.h"

namespace sagitta {

// The faults of trial k, a pure function of plan and k. `sites` are those of `map`'s machine that
// are drawn from, `cycles` those of its fault-free run.
std::vector<Fault> draw_register_faults(const FaultPlan& plan, std::int64_t trial,
                                        const SiteMap& map, const SiteSelection& sites,
                                        std::int64_t cycles);

// The bits of an mbu's cluster, the lowest index first.
std::vector<Site> cluster_of(const Site& drawn, int size, const std::string& along,
                             const SiteMap& map);

// Clusters along rows and columns are of PEs' registers only. Throws InputError at `file`, `where`.
void check_cluster_sites(const FaultPlan& plan, const SiteMap& map, const SiteSelection& sites,
                         const std::string& file, const std::string& where);

// Whether a fault list may name this model: it is one of registers.
bool is_fault_model(const std::string& model);

}  // namespace sagitta

// Comparisons of two schemes, or many, on the same faults. The exact test is mcnemar_exact in
// base/interval.h; here are the size of the difference, and the correction for many tests.
#pragma once

#include <cstdint>
#include <vector>

namespace sagitta {

// A difference of two proportions over n pairs: (only_first - only_second) / n.
struct PairedDifference {
  double value = 0;
  double low = -1;
  double high = 1;
  std::int64_t only_first = 0;   // pairs in which only the first one has the event
  std::int64_t only_second = 0;  // ... only the second one
  std::int64_t n = 0;            // all pairs
};

// The score interval of T. Tango (Stat. Med. 17, 1998): the differences that his test, McNemar's
// asymptotic one generalised, does not reject. Depends on the discordant pairs and n alone, and has
// width without discordant pairs, too: +- z^2 / (n + z^2). n == 0 gives [-1, 1].
// Throws std::invalid_argument: negative counts, or more discordant pairs than n.
PairedDifference paired_difference(std::int64_t only_first, std::int64_t only_second,
                                   std::int64_t n, double confidence = 0.95);

// p-values adjusted for as many tests as there are (S. Holm, Scand. J. Stat. 6, 1979), in the order
// given: those at most alpha are significant with a family-wise error of alpha at most, whatever
// their dependence. Throws std::invalid_argument for a p outside of [0, 1].
std::vector<double> holm(const std::vector<double>& p_values);

}  // namespace sagitta

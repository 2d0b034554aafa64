// From the share of upsets that do harm to what a device, or a run, suffers. These are what schemes
// are ranked by: a scheme that adds bits or cycles is a larger target, which a share does not tell
// (H. Schirmeier et al., DSN 2015).
#pragma once

#include "base/interval.h"

namespace sagitta {

// A figure with the interval that its proportion had.
struct Figure {
  double value = 0;
  double low = 0;
  double high = 0;
};

// Failures in 10^9 device hours: raw upsets of one bit in 10^9 device hours x bits x the share of
// them that do harm (AVF; S. Mukherjee et al., MICRO 2003). For parts with different raw rates give
// stratified() weights of rate x bits. Throws std::invalid_argument for negative factors.
Figure fit(double raw_fit_per_bit, double bits, const Proportion& avf);

// Mean time to failure in hours, 10^9 / FIT: constant rate, no repair. Ends swap; 0 FIT is
// infinite.
Figure mttf_hours(const Figure& fit);

// Points of a run's fault space that do harm: bits x cycles x share. Its ratio between two machines
// is that of their failure rates under the same flux. Throws as above.
Figure absolute_failures(double bits, double cycles, const Proportion& share);

}  // namespace sagitta

// The checkers of the resilience unit in real numbers: what they would do to the float32 sums of a
// layer. A study in software, of the rules and their bounds and not of a machine: there is no float
// unit whose cycles or area could be counted. Everything that a scheme says about a checker
// (schedule/protection.h) holds here, too; lanes are those of the array.
//
// A value that is not finite (NaN, an infinity) is outside of every bound, and blamed. A neighbour
// that is not finite says nothing about a healthy value, as one that is missing: the difference to
// it is in bounds. Where such a neighbour would take a value's place, zero does.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "campaign/channel_lanes.h"
#include "network/network.h"
#include "schedule/program.h"

namespace sagitta {

// Inclusive. Open bounds, those of a layer that a checker leaves alone, hold everything, NaN too.
struct FloatBounds {
  float low = -std::numeric_limits<float>::infinity();
  float high = std::numeric_limits<float>::infinity();
  bool open() const { return *this == FloatBounds{}; }
  bool operator==(const FloatBounds&) const = default;
};

// What a checker holds against its bounds to judge a neuron, as Judged is for integers. Differences
// are rounded to float32.
struct FloatJudged {
  float first = 0;
  float second = 0;
  int pixel = 0;
  int channel = 0;
  int second_channel = -1;
};

class FloatChecker {
 public:
  // Of one layer; `bounds` has one entry, or one for each channel, in the order of `lanes`, or for
  // each pixel and channel.
  FloatChecker(const Checker& checker, const ChannelLanes& lanes, std::vector<FloatBounds> bounds);

  // Whether there is a rule for checkers of this kind, gate and position, along this axis.
  static bool knows(const Checker& checker);

  struct Replacement {
    std::int32_t element;
    float value;
  };
  // What takes the place of which sums, in rows (ChannelLanes::row_of) that are open; an empty list
  // of open rows: in all. Blame uses the sums as they are, whatever else is replaced.
  std::vector<Replacement> replacements(const std::vector<float>& sums,
                                        const std::vector<bool>& open_rows) const;

 private:
  const FloatBounds& bounds(int pixel, int channel) const;
  bool replaces(const std::vector<float>& sums, const Neighbours& n, float& value) const;
  bool out_of_range(float y, const Neighbours& n, float& value) const;
  bool blamed(const std::vector<float>& sums, const Neighbours& n, float& value) const;

  Checker checker_;
  std::vector<FloatBounds> bounds_;
  std::vector<Neighbours> neurons_;
  std::vector<std::int32_t> row_of_;
  int channels_;
};

// Every neuron of a layer that the checker judges, from the sums of one image.
void judge(const Checker& checker, const std::vector<Neighbours>& neurons,
           const std::vector<float>& sums, std::vector<FloatJudged>& all);

}  // namespace sagitta

#include "base/nearest.h"

#include <gtest/gtest.h>

namespace sagitta {
namespace {

TEST(Nearest, SmallestEditDistanceWins) {
  const std::vector<std::string> known = {"model", "name", "test"};
  EXPECT_EQ(nearest("modle", known), "model");
  EXPECT_EQ(nearest("nam", known), "name");
  EXPECT_EQ(nearest("tests", known), "test");
  EXPECT_EQ(nearest("", known), "name");  // 4 insertions; "test" ties and comes later
}

TEST(Nearest, NothingIsKnown) {
  EXPECT_EQ(nearest("word", {}), "");
}

}  // namespace
}  // namespace sagitta

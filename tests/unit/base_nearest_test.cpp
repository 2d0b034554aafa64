#include "base/nearest.h"

#include <gtest/gtest.h>

namespace sagitta {
namespace {

TEST(Nearest, TheFewestChangesWin) {
  const std::vector<std::string> known = {"model", "name", "test", "mode"};
  EXPECT_EQ(nearest("modl", known), "model");   // one letter less, or one replaced: the first
  EXPECT_EQ(nearest("modle", known), "model");  // two neighbours have changed places; "mode": one
  EXPECT_EQ(nearest("nam", known), "name");
  EXPECT_EQ(nearest("tests", known), "test");
  EXPECT_EQ(nearest("mode", known), "mode");
}

TEST(Nearest, AThirdOfTheLettersMayDiffer) {
  EXPECT_EQ(nearest("abcdef", {"abcdXY"}), "abcdXY");
  EXPECT_EQ(nearest("abcdef", {"abcXYZ"}), "");
  EXPECT_EQ(nearest("abcdef", {"abdcfe"}), "abdcfe") << "two exchanges";
  EXPECT_EQ(nearest("abcde", {"abcXY"}), "");
  EXPECT_EQ(nearest("abXX", {"abcdYY"}), "") << "four of six, two of them missing";
  EXPECT_EQ(nearest("conv", {"dense"}), "");
  EXPECT_EQ(nearest("a", {"b"}), "");
}

TEST(Nearest, OrOneBeginsWithTheOther) {
  EXPECT_EQ(nearest("tmr", {"gradient", "tmr-register"}), "tmr-register");
  EXPECT_EQ(nearest("tmr", {"dmr", "tmr-reg", "tmr-pe"}), "tmr-pe") << "rather than one letter";
  EXPECT_EQ(nearest("conv1_quantized", {"fc1", "conv1"}), "conv1");
  EXPECT_EQ(nearest("conv", {"conv12", "conv1"}), "conv1") << "fewer letters are missing";
}

TEST(Nearest, NothingIsNearNothing) {
  EXPECT_EQ(nearest("word", {}), "");
  EXPECT_EQ(nearest("", {"a", "word"}), "");
  EXPECT_EQ(nearest("word", {""}), "");
}

TEST(Suggest, NamesWhatThereIsWhereNothingIsNear) {
  EXPECT_EQ(suggest("con1", {"fc1", "conv1"}, "layers"), "did you mean \"conv1\"?");
  EXPECT_EQ(suggest("conv", {"fc1", "dense"}, "layers"), "the layers are \"fc1\", \"dense\"");
  EXPECT_EQ(suggest("conv", {}, "layers"), "there are no layers");
}

TEST(Suggest, AtMostTen) {
  std::vector<std::string> known;
  for (char c = 'a'; c <= 'j'; ++c) known.emplace_back(1, c);
  const std::string ten = R"(the keys are "a", "b", "c", "d", "e", "f", "g", "h", "i", "j")";
  EXPECT_EQ(suggest("word", known, "keys"), ten);
  known.emplace_back("k");
  EXPECT_EQ(suggest("word", known, "keys"), ten + " and 1 more");
}

}  // namespace
}  // namespace sagitta

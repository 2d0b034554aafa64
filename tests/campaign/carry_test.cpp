// Differences carried in software are those of the reference executor on changed values.
#include "campaign/carry.h"

#include <gtest/gtest.h>

#include <set>

#include "support/random_network.h"

namespace sagitta {
namespace {

using test::Random;

CleanValues clean_values(const Network& network, const std::vector<std::int8_t>& image) {
  CleanValues clean(network);
  clean.layers = run_network(network, image);
  for (std::size_t l = 0; l < clean.layers.size(); ++l) clean.written[l] = clean.layers[l].output;
  return clean;
}

// The layers from `first` on, with the results before them as given ([0]: the image).
std::vector<std::int8_t> reference(const Network& network, std::size_t first,
                                   std::vector<std::vector<std::int8_t>> results) {
  for (std::size_t l = first; l < network.layers.size(); ++l) {
    const bool add = network.layers[l].kind == LayerKind::add;
    const auto& a = results[static_cast<std::size_t>(network.source(l) + 1)];
    const std::vector<std::int8_t> none;
    results[l + 1] =
        run_layer(network.layers[l], a,
                  add ? results[static_cast<std::size_t>(network.source(l, 1) + 1)] : none)
            .output;
  }
  return results.back();
}

TEST(DifferenceCarrier, EqualsTheReferenceOnChangedValues) {
  int changed_results = 0;
  int unchanged_results = 0;
  int kinds[4] = {};
  for (int seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(static_cast<std::uint64_t>(seed));
    const Network network = test::random_network(random, random.between(1, 7));
    const auto image = random.int8s(network.input.elements());
    const CleanValues clean = clean_values(network, image);
    const Program program = compile(network, {3, 4}, {}, {}, "test");
    DifferenceCarrier carrier(network, program);
    for (int round = 0; round < 8; ++round) {
      // A few elements, or many, of results that exist before `first`.
      const auto first =
          static_cast<std::size_t>(random.between(0, static_cast<int>(network.layers.size())));
      std::vector<std::vector<std::int8_t>> results{image};
      results.insert(results.end(), clean.written.begin(), clean.written.end());
      carrier.clear();
      for (int n = random.chance(50) ? 1 : random.between(2, 40); n > 0; --n) {
        const int of = random.between(-1, static_cast<int>(first) - 1);
        auto& values = results[static_cast<std::size_t>(of + 1)];
        const int element = random.between(0, static_cast<int>(values.size()) - 1);
        const auto before =
            of < 0 ? image[static_cast<std::size_t>(element)]
                   : clean.written[static_cast<std::size_t>(of)][static_cast<std::size_t>(element)];
        if (values[static_cast<std::size_t>(element)] != before) continue;  // once each
        const auto value = static_cast<std::int8_t>(before ^ (1 << random.between(0, 7)));
        values[static_cast<std::size_t>(element)] = value;
        carrier.change(of, element, value);
      }
      Differences differences(network, clean);
      const auto carried = carrier.run(first, image, clean, differences);
      ASSERT_EQ(carried, reference(network, first, results));
      ++(carried == clean.written.back() ? unchanged_results : changed_results);
    }
    for (const Layer& l : network.layers) ++kinds[static_cast<int>(l.kind)];
  }
  EXPECT_GT(changed_results, 300);
  EXPECT_GT(unchanged_results, 300);
  for (const int n : kinds) EXPECT_GT(n, 30);
}

// A weight that is wrong from some output pixel on.
TEST(DifferenceCarrier, EqualsTheReferenceOnWrongWeights) {
  int changed_results = 0;
  for (int seed = 0; seed < 2000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(static_cast<std::uint64_t>(1000 + seed));
    Network network = test::random_network(random, random.between(1, 5));
    const auto image = random.int8s(network.input.elements());
    const CleanValues clean = clean_values(network, image);
    DifferenceCarrier carrier(network, compile(network, {3, 4}, {}, {}, "test"));
    for (std::size_t l = 0; l < network.layers.size(); ++l) {
      Layer& layer = network.layers[l];
      if (layer.kind != LayerKind::gemm) continue;
      const int k = random.between(0, layer.depth() - 1);
      const int n = random.between(0, layer.columns() - 1);
      const int first_row = random.between(0, layer.rows() - 1);
      std::int8_t& weight = layer.weights[static_cast<std::size_t>(k * layer.columns() + n)];
      const std::int8_t right = weight;
      const auto wrong = static_cast<std::int8_t>(right ^ (1 << random.between(0, 7)));
      carrier.clear();
      carrier.change_weight(l, k, n, wrong - right, first_row, image, clean);
      Differences differences(network, clean);
      const auto carried = carrier.run(l, image, clean, differences);

      std::vector<std::vector<std::int8_t>> results{image};
      results.insert(results.end(), clean.written.begin(), clean.written.end());
      weight = wrong;
      auto whole =
          run_layer(layer, results[static_cast<std::size_t>(network.source(l) + 1)]).output;
      weight = right;
      std::copy_n(clean.written[l].begin(), first_row * layer.columns(), whole.begin());
      results[l + 1] = whole;
      ASSERT_EQ(carried, reference(network, l + 1, results));
      changed_results += carried == clean.written.back() ? 0 : 1;
    }
  }
  EXPECT_GT(changed_results, 100);
}

// An activation that is wrong when a part of the layer that reads it is done: all columns before
// one, and of the next few those of the first rows.
TEST(DifferenceCarrier, EqualsTheReferenceOnAnInputThatChangesInTheMidst) {
  int changed_results = 0;
  int partly = 0;
  for (int seed = 0; seed < 1000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(static_cast<std::uint64_t>(5000 + seed));
    const Network network = test::random_network(random, random.between(1, 5));
    const auto image = random.int8s(network.input.elements());
    const CleanValues clean = clean_values(network, image);
    DifferenceCarrier carrier(network, compile(network, {3, 4}, {}, {}, "test"));
    std::vector<std::vector<std::int8_t>> results{image};
    results.insert(results.end(), clean.written.begin(), clean.written.end());
    const auto l =
        static_cast<std::size_t>(random.between(0, static_cast<int>(network.layers.size()) - 1));
    const Layer& layer = network.layers[l];
    if (layer.kind != LayerKind::gemm) continue;
    const int source = network.source(l);
    auto& input = results[static_cast<std::size_t>(source) + 1];
    const int element = random.between(0, static_cast<int>(input.size()) - 1);
    const int columns = layer.columns();
    const int first_row = random.between(0, layer.rows() - 1);
    const int first_column = random.between(0, columns - 1);
    const int next_column = random.between(first_column + 1, columns);
    std::int8_t& value = input[static_cast<std::size_t>(element)];
    value = static_cast<std::int8_t>(value ^ (1 << random.between(0, 7)));
    carrier.clear();
    carrier.change(source, element, value);
    carrier.begun(l, first_row, first_column, next_column);
    Differences differences(network, clean);
    const auto carried = carrier.run(l, image, clean, differences);

    auto output = run_layer(layer, input).output;
    for (int row = 0; row < layer.rows(); ++row) {
      const int done = row < first_row ? next_column : first_column;
      const std::ptrdiff_t at = std::ptrdiff_t{row} * columns;
      partly +=
          std::equal(output.begin() + at, output.begin() + at + done, clean.written[l].begin() + at)
              ? 0
              : 1;
      std::copy_n(clean.written[l].begin() + at, done, output.begin() + at);
    }
    results[l + 1] = output;
    ASSERT_EQ(carried, reference(network, l + 1, results));
    changed_results += carried == clean.written.back() ? 0 : 1;
  }
  EXPECT_GT(changed_results, 50);
  EXPECT_GT(partly, 100);
}

// What a wide port reads behind the last element goes into lanes that nobody uses.
TEST(DifferenceCarrier, ElementsBehindTheLastOneAreOfNoConsequence) {
  Random random(5);
  const Network network = test::random_network(random, 4);
  const auto image = random.int8s(network.input.elements());
  const CleanValues clean = clean_values(network, image);
  DifferenceCarrier carrier(network, compile(network, {3, 4}, {}, {}, "test"));
  carrier.clear();
  carrier.change(-1, network.input.elements(), 1);
  Differences differences(network, clean);
  EXPECT_EQ(carrier.run(0, image, clean, differences), clean.written.back());
  EXPECT_EQ(differences.reach(), Reach::none);
}

// A map that no layer has written holds nothing, of which a wide port may read words.
TEST(DifferenceCarrier, WordsOfMapsThatNobodyHasWrittenAreOfNoConsequence) {
  int unwritten = 0;
  for (int seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(static_cast<std::uint64_t>(300 + seed));
    const Network network = test::random_network(random, 7);
    const auto image = random.int8s(network.input.elements());
    const CleanValues clean = clean_values(network, image);
    const Program program = compile(network, {2, 2}, {}, {}, "test");
    DifferenceCarrier carrier(network, program);
    std::set<int> written{0};  // the image
    for (std::size_t l = 0; l <= network.layers.size(); ++l) {
      for (int map = 0; map < program.activation_maps; ++map) {
        const int owner = carrier.owner(l, map);
        EXPECT_EQ(owner == DifferenceCarrier::kNobody, !written.contains(map));
        if (owner != DifferenceCarrier::kNobody) continue;
        ++unwritten;
        carrier.clear();
        const int element = random.between(0, static_cast<int>(image.size()) - 1);
        carrier.change(owner, element,
                       static_cast<std::int8_t>(~image[static_cast<std::size_t>(element)]));
        Differences differences(network, clean);
        EXPECT_EQ(carrier.run(l, image, clean, differences), clean.written.back());
        EXPECT_EQ(differences.reach(), Reach::none);
      }
      if (l < network.layers.size()) written.insert(program.layers[l].output_map);
    }
  }
  EXPECT_GT(unwritten, 100);
}

// Whose result a map holds when a layer begins, by following the program.
TEST(DifferenceCarrier, KnowsWhoseResultAMapHolds) {
  int maps_that_changed_hands = 0;
  for (int seed = 0; seed < 50; ++seed) {
    Random random(static_cast<std::uint64_t>(100 + seed));
    const Network network = test::random_network(random, 7);
    const Program program = compile(network, {2, 2}, {}, {}, "test");
    const DifferenceCarrier carrier(network, program);
    for (std::size_t l = 0; l < network.layers.size(); ++l) {
      EXPECT_EQ(carrier.owner(l, program.layers[l].input_map), network.source(l));
      if (network.layers[l].kind == LayerKind::add) {
        EXPECT_EQ(carrier.owner(l, program.layers[l].second_map), network.source(l, 1));
      }
      maps_that_changed_hands += carrier.owner(l, program.layers[l].output_map) >= 0 ? 1 : 0;
    }
    const int last = static_cast<int>(network.layers.size()) - 1;
    EXPECT_EQ(carrier.owner(network.layers.size(), program.layers.back().output_map), last);
  }
  EXPECT_GT(maps_that_changed_hands, 50);
}

}  // namespace
}  // namespace sagitta

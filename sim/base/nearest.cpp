#include "base/nearest.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <utility>

namespace sagitta {
namespace {

// Levenshtein's distance, in which neighbours that have changed places count once.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), row(b.size() + 1), next(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    next[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = row[j] + (a[i] == b[j] ? 0 : 1);
      next[j + 1] = std::min({replaced, next[j] + 1, row[j + 1] + 1});
      const bool exchanged = i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j];
      if (exchanged) next[j + 1] = std::min(next[j + 1], before[j - 1] + 1);
    }
    before = std::exchange(row, std::exchange(next, before));
  }
  return row.back();
}

// One begins with the other.
bool begins_alike(std::string_view word, std::string_view known) {
  return known.starts_with(word) || word.starts_with(known);
}

bool near(std::string_view word, std::string_view known, std::size_t distance) {
  return 3 * distance <= std::max(word.size(), known.size()) || begins_alike(word, known);
}

std::string quoted(const std::string& name) {
  return '"' + name + '"';
}

}  // namespace

std::string nearest(std::string_view word, const std::vector<std::string>& known) {
  std::string best;
  std::pair<bool, std::size_t> least;  // what a word is the beginning of comes first
  for (const std::string& name : known) {
    const std::size_t distance = edit_distance(word, name);
    if (word.empty() || name.empty() || !near(word, name, distance)) continue;
    const std::pair rank{!name.starts_with(word), distance};
    if (!best.empty() && rank >= least) continue;
    best = name;
    least = rank;
  }
  return best;
}

std::string suggest(std::string_view word, const std::vector<std::string>& known,
                    const std::string& what) {
  constexpr std::size_t kShown = 10;
  const std::string meant = nearest(word, known);
  if (!meant.empty()) return "did you mean " + quoted(meant) + "?";
  if (known.empty()) return "there are no " + what;
  std::string text = "the " + what + " are ";
  for (std::size_t i = 0; i < std::min(kShown, known.size()); ++i) {
    text += (i > 0 ? ", " : "") + quoted(known[i]);
  }
  if (known.size() > kShown) text += " and " + std::to_string(known.size() - kShown) + " more";
  return text;
}

}  // namespace sagitta
